//===- LossCases.cpp - cross-entropy and squared error ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Naive results for the losses, on whole tensors and on a shard of the vocabulary.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"

#include <cmath>
#include <limits>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using modelpar::planformat::Scalar;

namespace {

/// Logits may be columns [offset, offset + v) of a larger vocabulary.
void addSoftmax(KernelCases &cases, const std::string &name, int64_t rows, int64_t v, int64_t offset, int64_t global,
                double spread) {
  Tensor logits = Tensor::reals({2, rows / 2, v}, 1, -spread, spread);
  logits.offset[2] = offset;
  logits.global[2] = global;
  Tensor targets = Tensor::ids({2, rows / 2}, 2, -2, static_cast<int>(global) + 1);
  Tensor lse = Tensor::zeros({2, rows / 2}), target = lse, lseGrad = Tensor::reals({2, rows / 2}, 3),
         targetGrad = Tensor::reals({2, rows / 2}, 4), grad = logits;
  lseGrad.values[1] = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t j = 0; j < v; ++j)
      sum += std::exp(logits.values[r * v + j]);
    lse.values[r] = std::log(sum);
    for (int64_t j = 0; j < v; ++j) {
      bool hit = targets.values[r] == static_cast<double>(offset + j);
      if (hit)
        target.values[r] = logits.values[r * v + j];
      grad.values[r * v + j] =
          std::exp(logits.values[r * v + j] - lse.values[r]) * lseGrad.values[r] + (hit ? targetGrad.values[r] : 0);
    }
  }
  cases.push_back({name, "softmax_stats", {}, {logits, targets}, {lse, target}, kRounding});
  cases.push_back({name, "softmax_stats_grad", {}, {logits, targets, lse, lseGrad, targetGrad}, {grad}, kLongSums});
}

void addTokenLoss(KernelCases &cases) {
  Tensor targets = Tensor::ids({3, 8}, 1, -2, 5), lse = Tensor::integers({3, 8}, 2),
         target = Tensor::integers({3, 8}, 3);
  for (double count : {8.0, 0.0}) {
    Tensor scalars = Tensor::scalars({{Scalar::LabelCount, count}});
    Tensor loss = Tensor::zeros({}), lseGrad = Tensor::zeros({3, 8}), targetGrad = lseGrad;
    for (int64_t i = 0; i < targets.size(); ++i) {
      if (targets.values[i] < 0 || count == 0)
        continue;
      loss.values[0] += (lse.values[i] - target.values[i]) / count;
      lseGrad.values[i] = 1 / count;
      targetGrad.values[i] = -1 / count;
    }
    std::string name = "labels" + std::to_string(static_cast<int>(count));
    cases.push_back({name, "token_loss", {}, {lse, target, targets, scalars}, {loss}});
    cases.push_back({name, "token_loss_grad", {}, {targets, scalars}, {lseGrad, targetGrad}});
  }
}

void addSquaredError(KernelCases &cases) {
  Tensor a = Tensor::integers({64, 50}, 1), b = Tensor::integers({64, 50}, 2);
  a.global = b.global = {128, 50};
  Tensor loss = Tensor::zeros({}), grad = a;
  for (int64_t i = 0; i < a.size(); ++i) {
    double difference = a.values[i] - b.values[i];
    loss.values[0] += difference * difference / 6400;
    grad.values[i] = 2 * difference / 6400;
  }
  cases.push_back({"shard", "squared_error", {}, {a, b}, {loss}, kRounding});
  cases.push_back({"shard", "squared_error_grad", {}, {a, b}, {grad}, kRounding});
}

} // namespace

void test::addLossCases(KernelCases &cases) {
  addSoftmax(cases, "whole", 8, 33, 0, 33, 3);
  addSoftmax(cases, "large", 4, 3001, 0, 3001, 20);
  addSoftmax(cases, "shard", 8, 5, 6, 16, 3);
  addTokenLoss(cases);
  addSquaredError(cases);
}
