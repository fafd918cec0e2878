//===- GradientTest.cpp - gradient kernels against central differences -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For a forward op and fixed weights w of its results, L(x) = Σ w·f(x). The gradient
// kernels, given w, must agree with (L(x + h) - L(x - h)) / 2h in double.
//
//===----------------------------------------------------------------------===//

#include "test/Conformance/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using planformat::Scalar;

namespace {

using T = Tensor;
using planformat::Attributes;
const RunOptions kDouble{DType::F64, 2, 1};
/// h² times third derivatives of order ten, and rounding of order 1e-16 / h.
constexpr double kStep = 1e-5, kTolerance = 1e-8;

Tensors runDouble(const std::string &op, const Attributes &attributes, const Tensors &inputs, const Tensors &outputs) {
  return runCpu(op, attributes, inputs, outputs, kDouble);
}

double weightedSum(const Tensors &results, const Tensors &weights) {
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i)
    for (int64_t j = 0; j < weights[i].size(); ++j)
      sum += weights[i].values[j] * results[i].values[j];
  return sum;
}

/// `gradients`: of the inputs named by `which`, for the result weights `weights`.
void check(const std::string &op, const Attributes &attributes, Tensors inputs, const Tensors &outputs,
           const Tensors &weights, const std::vector<size_t> &which, const Tensors &gradients) {
  for (size_t k = 0; k < which.size(); ++k) {
    T numeric = inputs[which[k]];
    for (int64_t i = 0; i < numeric.size(); ++i) {
      double &x = inputs[which[k]].values[i];
      const double kept = x;
      x = kept + kStep;
      double above = weightedSum(runDouble(op, attributes, inputs, outputs), weights);
      x = kept - kStep;
      double below = weightedSum(runDouble(op, attributes, inputs, outputs), weights);
      x = kept;
      numeric.values[i] = (above - below) / (2 * kStep);
    }
    EXPECT_LE(worstError(gradients[k], numeric), kTolerance) << op << ", gradient of input " << which[k];
  }
}

TEST(Gradients, Matmul) {
  T x = T::reals({2, 3, 4}, 1), w = T::reals({4, 2, 3}, 2), g = T::reals({2, 3, 2, 3}, 3);
  auto subscripts = [](const char *text) { return Attributes{{"subscripts", std::string(text)}}; };
  Tensors dx = runDouble("matmul", subscripts("bsgd,hgd->bsh"), {g, w}, {x});
  Tensors dw = runDouble("matmul", subscripts("bsh,bsgd->hgd"), {x, g}, {w});
  check("matmul", subscripts("bsh,hgd->bsgd"), {x, w}, {g}, {g}, {0, 1}, {dx[0], dw[0]});
}

TEST(Gradients, Bias) {
  T x = T::reals({2, 3, 4}, 1), b = T::reals({4}, 2), g = T::reals({2, 3, 4}, 3);
  check("add", {}, {x, b}, {x}, {g}, {0, 1}, {g, runDouble("reduce_sum", {}, {g}, {b})[0]});
}

TEST(Gradients, Activation) {
  T x = T::reals({3, 7}, 1, -3, 3), g = T::reals({3, 7}, 2);
  for (const char *kind : {"relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"}) {
    Attributes attributes = {{"kind", std::string(kind)}};
    check("activation", attributes, {x}, {x}, {g}, {0}, runDouble("activation_grad", attributes, {g, x}, {x}));
  }
}

TEST(Gradients, Dropout) {
  T x = T::reals({3, 7}, 1), g = T::reals({3, 7}, 2), scalars = T::scalars();
  Attributes attributes = {{"rate", 0.4}, {"key", int64_t(2)}};
  check("dropout", attributes, {x, scalars}, {x}, {g}, {0}, runDouble("dropout", attributes, {g, scalars}, {x}));
}

TEST(Gradients, Unpack) {
  T x = T::reals({2, 3, 2}, 1);
  Tensors members(3, T::zeros({2, 2})), weights;
  for (unsigned i = 0; i < 3; ++i)
    weights.push_back(T::reals({2, 2}, i));
  Attributes attributes = {{"dim", int64_t(1)}};
  check("unpack", attributes, {x}, members, weights, {0}, runDouble("pack", attributes, weights, {x}));
}

TEST(Gradients, Embedding) {
  T ids = T::ids({2, 5}, 1, 0, 4), table = T::reals({4, 3}, 2), g = T::reals({2, 5, 3}, 3);
  check("embedding", {}, {ids, table}, {g}, {g}, {1}, runDouble("embedding_grad", {}, {g, ids}, {table}));
}

TEST(Gradients, LayerNorm) {
  T x = T::reals({2, 3, 8}, 1), w = T::reals({8}, 2), b = T::reals({8}, 3), g = T::reals({2, 3, 8}, 4),
    row = T::zeros({2, 3});
  Attributes attributes = {{"epsilon", 1e-5}};
  Tensors y = runDouble("layer_norm", attributes, {x, w, b}, {x, row, row});
  Tensors dx = runDouble("layer_norm_input_grad", {}, {g, x, w, y[1], y[2]}, {x});
  Tensors dw = runDouble("layer_norm_weight_grad", {}, {g, x, y[1], y[2]}, {w, b});
  check("layer_norm", attributes, {x, w, b}, {x, row, row}, {g}, {0, 1, 2}, {dx[0], dw[0], dw[1]});
}

TEST(Gradients, RmsNorm) {
  T x = T::reals({2, 3, 8}, 1), w = T::reals({8}, 2), g = T::reals({2, 3, 8}, 3), row = T::zeros({2, 3});
  Attributes attributes = {{"epsilon", 1e-2}};
  Tensors y = runDouble("rms_norm", attributes, {x, w}, {x, row});
  Tensors dx = runDouble("rms_norm_input_grad", {}, {g, x, w, y[1]}, {x});
  Tensors dw = runDouble("rms_norm_weight_grad", {}, {g, x, y[1]}, {w});
  check("rms_norm", attributes, {x, w}, {x, row}, {g}, {0, 1}, {dx[0], dw[0]});
}

TEST(Gradients, Rotary) {
  T x = T::reals({2, 3, 2, 2, 6}, 1), g = T::reals({2, 3, 2, 2, 6}, 2), positions = T::ids({3}, 3, 0, 50);
  Attributes attributes = {{"theta", 20.0}, {"inverse", false}}, inverse = {{"theta", 20.0}, {"inverse", true}};
  check("rotary", attributes, {x, positions}, {x}, {g}, {0}, runDouble("rotary", inverse, {g, positions}, {x}));
}

TEST(Gradients, Attention) {
  T q = T::reals({1, 5, 2, 2, 3}, 1), k = T::reals({1, 5, 2, 3}, 2), v = T::reals({1, 5, 2, 3}, 3),
    g = T::reals({1, 5, 2, 2, 3}, 4), row = T::zeros({1, 5, 2, 2}), scalars = T::scalars();
  for (double rate : {0.0, 0.3})
    for (bool causal : {true, false}) {
      Attributes attributes = {{"causal", causal}, {"scale", 0.7}, {"rate", rate}, {"dropout_key", int64_t(1)}};
      Tensors out = runDouble("attention", attributes, {q, k, v, scalars}, {q, row});
      Tensors grads = runDouble("attention_grad", attributes, {g, q, k, v, out[0], out[1], scalars}, {q, k, v});
      check("attention", attributes, {q, k, v, scalars}, {q, row}, {g}, {0, 1, 2}, grads);
    }
}

TEST(Gradients, MaskedAttention) {
  T q = T::reals({2, 5, 2, 2, 3}, 1), k = T::reals({2, 6, 2, 3}, 2), v = T::reals({2, 6, 2, 3}, 3),
    g = T::reals({2, 5, 2, 2, 3}, 4), row = T::zeros({2, 5, 2, 2}), scalars = T::scalars();
  for (std::vector<int64_t> shape : {std::vector<int64_t>{5, 6}, {2, 5, 6}})
    for (double rate : {0.0, 0.3})
      for (bool causal : {true, false}) {
        T mask = T::reals(shape, 5);
        for (int64_t i = 0; i < mask.size(); i += 3)
          mask.values[i] = -INFINITY;
        std::fill_n(mask.values.begin() + 6, 6, -INFINITY); // Query 1 sees nothing.
        Attributes attributes = {{"causal", causal}, {"scale", 0.7}, {"rate", rate}, {"dropout_key", int64_t(1)}};
        Tensors out = runDouble("attention", attributes, {q, k, v, scalars, mask}, {q, row});
        Tensors grads = runDouble("attention_grad", attributes, {g, q, k, v, out[0], out[1], scalars, mask}, {q, k, v});
        check("attention", attributes, {q, k, v, scalars, mask}, {q, row}, {g}, {0, 1, 2}, grads);
      }
}

TEST(Gradients, CrossEntropy) {
  T logits = T::reals({2, 3, 6}, 1), targets = T::of({2, 3}, {0, -1, 5, 2, -100, 3}, T::Kind::Int),
    row = T::zeros({2, 3}), scalars = T::scalars({{Scalar::LabelCount, 4}}), loss = T::zeros({}), one = T::of({}, {1});
  Tensors stats = runDouble("softmax_stats", {}, {logits, targets}, {row, row});
  Tensors grads = runDouble("token_loss_grad", {}, {targets, scalars}, {row, row});
  check("token_loss", {}, {stats[0], stats[1], targets, scalars}, {loss}, {one}, {0, 1}, grads);
  Tensors dx = runDouble("softmax_stats_grad", {}, {logits, targets, stats[0], grads[0], grads[1]}, {logits});
  check("softmax_stats", {}, {logits, targets}, {row, row}, grads, {0}, dx);
}

TEST(Gradients, SquaredError) {
  T x = T::reals({3, 4}, 1), y = T::reals({3, 4}, 2), loss = T::zeros({}), one = T::of({}, {1});
  check("squared_error", {}, {x, y}, {loss}, {one}, {0}, runDouble("squared_error_grad", {}, {x, y}, {x}));
}

} // namespace
