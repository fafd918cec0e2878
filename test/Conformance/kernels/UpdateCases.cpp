//===- UpdateCases.cpp - norm, clipping, optimizers ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Naive results for the update.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"

#include <cmath>
#include <limits>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using modelpar::planformat::Scalar;

namespace {

void addNorm(KernelCases &cases) {
  Tensors inputs;
  double sum = 0;
  for (unsigned i = 0; i < 9; ++i) {
    inputs.push_back(Tensor::integers({int64_t(i) * 700, 3}, i));
    for (double x : inputs.back().values)
      sum += x * x;
  }
  cases.push_back({"many", "sum_squares", {}, inputs, {Tensor::of({}, {sum})}});
  cases.push_back({"one", "sum_squares", {}, {Tensor::of({}, {-3})}, {Tensor::of({}, {9})}});

  const double infinity = std::numeric_limits<double>::infinity();
  struct Clip {
    const char *name;
    double squares, clip, norm, scale;
  };
  for (const Clip &c : {Clip{"above", 16, 1, 4, 0.25},
                        {"below", 0.25, 1, 0.5, 1},
                        {"zero", 0, 1, 0, 1},
                        {"off", 16, 0, 4, 1},
                        {"infinite", infinity, 1, infinity, 0},
                        {"infinite_off", infinity, 0, infinity, 0}})
    cases.push_back({c.name,
                     "clip_scale",
                     {},
                     {Tensor::of({}, {c.squares}), Tensor::scalars({{Scalar::Clip, c.clip}})},
                     {Tensor::of({}, {c.norm}), Tensor::of({}, {c.scale})}});
}

void addOptimizers(KernelCases &cases, const std::string &name, bool decay, double scale, double update) {
  Tensor p = Tensor::reals({13, 11}, 1), g = Tensor::reals({13, 11}, 2), m = Tensor::reals({13, 11}, 3),
         v = Tensor::reals({13, 11}, 4, 0, 3), scaleTensor = Tensor::of({}, {scale});
  Tensor scalars = Tensor::scalars({{Scalar::Update, update}});
  const double lr = 0.125, b1 = 0.9, b2 = 0.95, wd = decay ? 0.1 : 0;
  Tensor newP = p, newM = m, newV = v, sgd = p;
  if (scale != 0)
    for (int64_t i = 0; i < p.size(); ++i) {
      double grad = scale * g.values[i];
      newM.values[i] = b1 * m.values[i] + (1 - b1) * grad;
      newV.values[i] = b2 * v.values[i] + (1 - b2) * grad * grad;
      double first = newM.values[i] / (1 - std::pow(b1, update)), second = newV.values[i] / (1 - std::pow(b2, update));
      newP.values[i] = p.values[i] - lr * (first / (std::sqrt(second) + 1e-8) + wd * p.values[i]);
      sgd.values[i] = p.values[i] - lr * (grad + wd * p.values[i]);
    }
  else
    for (double &x : g.values)
      x = std::numeric_limits<double>::quiet_NaN(); // Must not leave a trace.
  cases.push_back({name,
                   "adamw",
                   {{"weight_decay", decay}},
                   {p, g, m, v, scaleTensor, scalars},
                   {newP, newM, newV},
                   scale == 0 ? kExact : kRounding});
  cases.push_back(
      {name, "sgd", {{"weight_decay", decay}}, {p, g, scaleTensor, scalars}, {sgd}, scale == 0 ? kExact : kRounding});
}

} // namespace

void test::addUpdateCases(KernelCases &cases) {
  addNorm(cases);
  addOptimizers(cases, "decay", true, 1, 3);
  addOptimizers(cases, "no_decay", false, 0.5, 1);
  addOptimizers(cases, "skipped", true, 0, 3);
}
