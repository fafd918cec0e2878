//===- ContiguousCutTest.cpp - tests of the cut into even runs ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/ContiguousCut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace modelpar::sharding {
namespace {

using ::testing::ElementsAre;

TEST(ContiguousCut, EqualLayers) {
  EXPECT_THAT(cutContiguous({1, 1, 1, 1}, 2), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(cutContiguous({1, 1, 1, 1}, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(cutContiguous({1, 1, 1}, 1), ElementsAre(0, 0, 0));
}

TEST(ContiguousCut, UnevenLayersAndEnds) {
  // Five layers between a light embedding and a heavy head.
  EXPECT_THAT(cutContiguous({1, 4, 4, 4, 4, 4, 8}, 2), ElementsAre(0, 0, 0, 0, 1, 1, 1));
  EXPECT_THAT(cutContiguous({9, 1, 1, 1}, 2), ElementsAre(0, 1, 1, 1));
}

TEST(ContiguousCut, BelowTheLargestRunTheOthersAreEven) {
  // The last item decides the maximum; the six others need not be 1 and 5.
  EXPECT_THAT(cutContiguous({1, 1, 1, 1, 1, 1, 9}, 3), ElementsAre(0, 0, 0, 1, 1, 1, 2));
}

TEST(ContiguousCut, FreeItemsStillFillRuns) {
  EXPECT_THAT(cutContiguous({0, 0, 0}, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(cutContiguous({0, 5, 0}, 2), ElementsAre(0, 1, 1));
}

TEST(ContiguousCut, AgreesWithExhaustiveSearch) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    const size_t n = 1 + random() % 9;
    const int parts = 1 + static_cast<int>(random() % n);
    std::vector<double> costs(n);
    for (double &cost : costs)
      cost = static_cast<double>(random() % 7);
    auto weigh = [&](const std::vector<int> &cut) {
      std::vector<double> sums(static_cast<size_t>(parts), 0);
      for (size_t i = 0; i < n; ++i)
        sums[static_cast<size_t>(cut[i])] += costs[i];
      double squares = 0;
      for (double sum : sums)
        squares += sum * sum;
      return std::pair(*std::max_element(sums.begin(), sums.end()), squares);
    };
    std::pair<double, double> best(1e9, 1e9);
    for (unsigned set = 0; set < (1u << (n - 1)); ++set) {
      std::vector<int> cut(n, 0);
      for (size_t i = 1; i < n; ++i)
        cut[i] = cut[i - 1] + static_cast<int>(set >> (i - 1) & 1);
      if (cut.back() == parts - 1)
        best = std::min(best, weigh(cut));
    }
    std::vector<int> cut = cutContiguous(costs, parts);
    ASSERT_EQ(cut.front(), 0);
    ASSERT_EQ(cut.back(), parts - 1);
    for (size_t i = 1; i < n; ++i)
      ASSERT_TRUE(cut[i] == cut[i - 1] || cut[i] == cut[i - 1] + 1);
    EXPECT_EQ(weigh(cut), best);
  }
}

} // namespace
} // namespace modelpar::sharding
