//===- LearningRateTest.cpp ------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/LearningRate.h"

#include <gtest/gtest.h>

using namespace modelpar::runtime;

namespace {

TEST(LearningRate, ConstantWithoutDecay) {
  LearningRate rate{.peak = 0.5};
  for (int64_t step : {1, 2, 1000000})
    EXPECT_EQ(rate.at(step), 0.5);
}

TEST(LearningRate, WarmsUpLinearly) {
  LearningRate rate{.peak = 1, .warmup = 4};
  EXPECT_EQ(rate.at(1), 0.25);
  EXPECT_EQ(rate.at(3), 0.75);
  EXPECT_EQ(rate.at(4), 1);
  EXPECT_EQ(rate.at(5), 1);
}

TEST(LearningRate, DecaysByACosine) {
  LearningRate rate{.peak = 2, .warmup = 10, .decaySteps = 110, .minimumRatio = 0.1};
  EXPECT_EQ(rate.at(10), 2);
  EXPECT_NEAR(rate.at(60), 2 * 0.55, 1e-12); // Halfway.
  EXPECT_EQ(rate.at(110), 0.2);
  EXPECT_EQ(rate.at(111), 0.2);
  for (int64_t step = 10; step < 110; ++step)
    EXPECT_GT(rate.at(step), rate.at(step + 1));
}

} // namespace
