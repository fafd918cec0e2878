//===- ModelCases.cpp - norms, rotary, dropout -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Naive results for norms, rotary embedding (as complex numbers) and dropout.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"
#include "runtime/base/Hash.h"
#include "runtime/base/Philox.h"

#include <cmath>
#include <complex>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::Scalar;

bool test::kept(const Tensor &scalars, double rate, int64_t key, int64_t instance, int64_t index) {
  auto field = [&](Scalar s) { return static_cast<uint64_t>(scalars.values[static_cast<int>(s)]); };
  uint64_t seed = (field(Scalar::SeedHigh) << 32) + field(Scalar::SeedLow);
  uint64_t mixed = mixHash(seed, static_cast<uint64_t>(key));
  PhiloxCounter counter = {static_cast<uint32_t>(index / 4), static_cast<uint32_t>((index / 4) >> 32),
                           static_cast<uint32_t>(field(Scalar::Step)), static_cast<uint32_t>(instance)};
  PhiloxKey words = {static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32)};
  return philox4x32(counter, words)[index % 4] >= rate * 4294967296.0;
}

std::vector<int64_t> test::balancedPositions(int64_t size, int64_t parts) {
  std::vector<int64_t> positions;
  const int64_t chunk = parts > 1 ? size / (2 * parts) : size;
  for (int64_t r = 0; r < parts; ++r)
    for (int64_t c : parts > 1 ? std::vector<int64_t>{r, 2 * parts - 1 - r} : std::vector<int64_t>{0})
      for (int64_t i = 0; i < chunk; ++i)
        positions.push_back(c * chunk + i);
  return positions;
}

namespace {

void addDropout(KernelCases &cases) {
  Tensor x = Tensor::integers({6, 50}, 1), scalars = Tensor::scalars();
  for (double rate : {0.0, 0.25, 1.0}) {
    Tensor y = x;
    for (int64_t i = 0; i < x.size(); ++i)
      y.values[i] = rate < 1 && kept(scalars, rate, 7, 2, i) ? x.values[i] / (1 - rate) : 0;
    cases.push_back({"rate" + std::to_string(int(rate * 100)),
                     "dropout",
                     {{"rate", rate}, {"key", int64_t(7)}},
                     {x, scalars},
                     {y},
                     kRounding,
                     2});
  }
}

void addBalancedDropout(KernelCases &cases, const std::string &name, std::vector<int64_t> shape, int64_t dim,
                        int64_t parts) {
  Tensor x = Tensor::integers(shape, 1), scalars = Tensor::scalars(), y = x;
  const std::vector<int64_t> positions = balancedPositions(shape[dim], parts);
  for (int64_t i = 0; i < x.size(); ++i) {
    std::vector<int64_t> at(shape.size());
    int64_t rest = i, index = 0;
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d])
      at[d] = rest % shape[d];
    at[dim] = positions[at[dim]];
    for (size_t d = 0; d < shape.size(); ++d)
      index = index * shape[d] + at[d];
    y.values[i] = kept(scalars, 0.25, 7, 2, index) ? x.values[i] / 0.75 : 0;
  }
  cases.push_back({name,
                   "dropout",
                   {{"rate", 0.25}, {"key", int64_t(7)}},
                   {x.inParts(static_cast<int>(dim), parts), scalars},
                   {y},
                   kRounding,
                   2});
}

void addLayerNorm(KernelCases &cases, const std::string &name, int64_t rows, int64_t columns) {
  Tensor x = Tensor::reals({2, rows / 2, columns}, 1), w = Tensor::reals({columns}, 2), b = Tensor::reals({columns}, 3),
         g = Tensor::reals({2, rows / 2, columns}, 4);
  const double epsilon = 1e-5;
  Tensor y = x, mean = Tensor::zeros({2, rows / 2}), rstd = mean, dx = x, dw = Tensor::zeros({columns}), db = dw;
  for (int64_t r = 0; r < rows; ++r) {
    const double *row = &x.values[r * columns], *grad = &g.values[r * columns];
    double m = 0, v = 0, sum = 0, sumHat = 0;
    for (int64_t i = 0; i < columns; ++i)
      m += row[i] / columns;
    for (int64_t i = 0; i < columns; ++i)
      v += (row[i] - m) * (row[i] - m) / columns;
    double s = 1 / std::sqrt(v + epsilon);
    mean.values[r] = m;
    rstd.values[r] = s;
    for (int64_t i = 0; i < columns; ++i) {
      double hat = (row[i] - m) * s;
      y.values[r * columns + i] = hat * w.values[i] + b.values[i];
      dw.values[i] += grad[i] * hat;
      db.values[i] += grad[i];
      sum += grad[i] * w.values[i];
      sumHat += grad[i] * w.values[i] * hat;
    }
    for (int64_t i = 0; i < columns; ++i)
      dx.values[r * columns + i] = s * (grad[i] * w.values[i] - sum / columns - (row[i] - m) * s * sumHat / columns);
  }
  cases.push_back({name, "layer_norm", {{"epsilon", epsilon}}, {x, w, b}, {y, mean, rstd}, kLongSums});
  cases.push_back({name, "layer_norm_input_grad", {}, {g, x, w, mean, rstd}, {dx}, kLongSums});
  cases.push_back({name, "layer_norm_weight_grad", {}, {g, x, mean, rstd}, {dw, db}, kLongSums});
}

void addRmsNorm(KernelCases &cases, const std::string &name, int64_t rows, int64_t columns) {
  Tensor x = Tensor::reals({2, rows / 2, columns}, 1), w = Tensor::reals({columns}, 2),
         g = Tensor::reals({2, rows / 2, columns}, 3);
  const double epsilon = 1e-2;
  Tensor y = x, rstd = Tensor::zeros({2, rows / 2}), dx = x, dw = Tensor::zeros({columns});
  for (int64_t r = 0; r < rows; ++r) {
    const double *row = &x.values[r * columns], *grad = &g.values[r * columns];
    double square = 0, dot = 0;
    for (int64_t i = 0; i < columns; ++i) {
      square += row[i] * row[i] / columns;
      dot += grad[i] * w.values[i] * row[i];
    }
    const double root = std::sqrt(square + epsilon);
    rstd.values[r] = 1 / root;
    for (int64_t i = 0; i < columns; ++i) {
      y.values[r * columns + i] = row[i] / root * w.values[i];
      dw.values[i] += grad[i] * row[i] / root;
      dx.values[r * columns + i] = grad[i] * w.values[i] / root - row[i] * dot / (columns * root * root * root);
    }
  }
  cases.push_back({name, "rms_norm", {{"epsilon", epsilon}}, {x, w}, {y, rstd}, kLongSums});
  cases.push_back({name, "rms_norm_input_grad", {}, {g, x, w, rstd}, {dx}, kLongSums});
  cases.push_back({name, "rms_norm_weight_grad", {}, {g, x, rstd}, {dw}, kLongSums});
}

/// `scaling`: factor, low and high frequency factor and original length, or empty.
void addRotary(KernelCases &cases, const std::string &name, std::vector<int64_t> shape, double theta,
               std::vector<double> scaling = {}) {
  const int64_t d = shape.back(), s = shape[1];
  Tensor x = Tensor::reals(shape, 1), positions = Tensor::ids({s}, 2, 0, 500);
  const int64_t inner = x.size() / d / shape[0] / s;
  for (bool inverse : {false, true}) {
    Tensor y = x;
    for (int64_t row = 0; row < x.size() / d; ++row)
      for (int64_t i = 0; i < d / 2; ++i) {
        double angle = 1 / std::pow(theta, 2.0 * i / d);
        if (!scaling.empty()) {
          // Written by wavelengths, as the model's authors do.
          const double length = 2 * std::acos(-1.0) / angle;
          if (length > scaling[3] / scaling[1])
            angle /= scaling[0];
          else if (length >= scaling[3] / scaling[2]) {
            const double smooth = (scaling[3] / length - scaling[1]) / (scaling[2] - scaling[1]);
            angle = (1 - smooth) * angle / scaling[0] + smooth * angle;
          }
        }
        angle *= positions.values[row / inner % s] * (inverse ? -1 : 1);
        std::complex<double> pair(x.values[row * d + i], x.values[row * d + i + d / 2]);
        pair *= std::polar(1.0, angle);
        y.values[row * d + i] = pair.real();
        y.values[row * d + i + d / 2] = pair.imag();
      }
    planformat::Attributes attributes = {{"theta", theta}, {"inverse", inverse}};
    if (!scaling.empty()) {
      attributes["factor"] = scaling[0];
      attributes["low_freq_factor"] = scaling[1];
      attributes["high_freq_factor"] = scaling[2];
      attributes["original_max_position_embeddings"] = static_cast<int64_t>(scaling[3]);
    }
    cases.push_back({name + (inverse ? "_inverse" : ""), "rotary", attributes, {x, positions}, {y}, kRounding});
  }
}

} // namespace

void test::addModelCases(KernelCases &cases) {
  addDropout(cases);
  addBalancedDropout(cases, "balanced", {2, 12, 3}, 1, 3);
  addBalancedDropout(cases, "balanced_first", {8, 7}, 0, 2);
  addBalancedDropout(cases, "balanced_last", {3, 8}, 1, 2);
  addLayerNorm(cases, "narrow", 6, 5);
  addLayerNorm(cases, "wide", 8, 768);
  addRmsNorm(cases, "narrow", 6, 5);
  addRmsNorm(cases, "wide", 8, 768);
  addRotary(cases, "plain", {2, 5, 3, 8}, 1e4);
  addRotary(cases, "grouped", {2, 5, 3, 2, 6}, 5e5);
  addRotary(cases, "one_head", {3, 4, 2}, 10);
  addRotary(cases, "wide", {1, 3, 2, 192}, 1e4);
  addRotary(cases, "llama3", {2, 5, 2, 64}, 5e5, {8, 1, 4, 8192});
}
