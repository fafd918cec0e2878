//===- LearningRate.h - the learning rate of a step -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_LEARNINGRATE_H
#define MODELPAR_RUNTIME_TRAINING_LEARNINGRATE_H

#include <cmath>
#include <cstdint>
#include <numbers>

namespace modelpar::runtime {

/// Linear from 0 to `peak` over the first `warmup` steps (step `warmup` has the peak), then a cosine down to
/// `minimumRatio`·peak, reached at step `decaySteps` (counted from the start of the run, warm-up included, as
/// Megatron-LM and nanoGPT do) and kept. decaySteps 0: constant.
struct LearningRate {
  double peak = 3e-4;
  int64_t warmup = 0;
  int64_t decaySteps = 0;
  double minimumRatio = 0.1;

  double at(int64_t step) const {
    if (step < warmup)
      return peak * static_cast<double>(step) / static_cast<double>(warmup);
    if (decaySteps == 0)
      return peak;
    if (step >= decaySteps)
      return peak * minimumRatio;
    const double progress = static_cast<double>(step - warmup) / static_cast<double>(decaySteps - warmup);
    return peak * (minimumRatio + (1 - minimumRatio) * 0.5 * (1 + std::cos(std::numbers::pi * progress)));
  }
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_LEARNINGRATE_H
