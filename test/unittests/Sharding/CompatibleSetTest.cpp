//===- CompatibleSetTest.cpp - tests of the heaviest compatible set -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/CompatibleSet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace modelpar::sharding {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CompatibleSet, TakesTheHeavierSideOfAChain) {
  // The widths of a multi-layer perceptron: neighbours share a matmul.
  EXPECT_THAT(solveCompatibleSet({{1, 4, 1, 4, 1}, {{0, 1}, {1, 2}, {2, 3}, {3, 4}}}), ElementsAre(1, 3));
  EXPECT_THAT(solveCompatibleSet({{3, 4, 3}, {{0, 1}, {1, 2}}}), ElementsAre(0, 2));
}

TEST(CompatibleSet, EarlierItemsWinTies) {
  EXPECT_THAT(solveCompatibleSet({{2, 2}, {{0, 1}}}), ElementsAre(0));
  EXPECT_THAT(solveCompatibleSet({{2, 2, 2, 2}, {{0, 1}, {1, 2}, {2, 3}, {0, 3}}}), ElementsAre(0, 2));
}

TEST(CompatibleSet, WeightlessItemsAreLeftOut) {
  EXPECT_THAT(solveCompatibleSet({{0, -1}, {}}), IsEmpty());
  EXPECT_THAT(solveCompatibleSet({{}, {}}), IsEmpty());
}

TEST(CompatibleSet, VerifyFindsConflicts) {
  CompatibleSetProblem problem{{1, 1, 1}, {{0, 2}}};
  EXPECT_TRUE(problem.verify({0, 1}));
  EXPECT_FALSE(problem.verify({2, 0}));
  EXPECT_FALSE(problem.verify({1, 1}));
  EXPECT_FALSE(problem.verify({3}));
}

TEST(CompatibleSet, AgreesWithExhaustiveSearch) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    int count = 1 + static_cast<int>(random() % 10);
    CompatibleSetProblem problem;
    for (int i = 0; i < count; ++i)
      problem.weights.push_back(static_cast<double>(random() % 6));
    for (int a = 0; a < count; ++a)
      for (int b = a + 1; b < count; ++b)
        if (random() % 3 == 0)
          problem.conflicts.insert({a, b});
    auto weigh = [&](const std::vector<int> &items) {
      double weight = 0;
      for (int item : items)
        weight += problem.weights[item];
      return weight;
    };
    double best = 0;
    for (unsigned set = 0; set < (1u << count); ++set) {
      std::vector<int> items;
      for (int i = 0; i < count; ++i)
        if (set >> i & 1)
          items.push_back(i);
      if (problem.verify(items))
        best = std::max(best, weigh(items));
    }
    std::vector<int> chosen = solveCompatibleSet(problem);
    EXPECT_TRUE(problem.verify(chosen));
    EXPECT_EQ(weigh(chosen), best);
  }
}

TEST(CompatibleSet, LargeGroupsAreFilledByWeight) {
  CompatibleSetProblem problem;
  for (int i = 0; i < 200; ++i) {
    problem.weights.push_back(i % 7 + 1);
    if (i)
      problem.conflicts.insert({i - 1, i});
  }
  std::vector<int> chosen = solveCompatibleSet(problem);
  EXPECT_TRUE(problem.verify(chosen));
  EXPECT_GT(chosen.size(), 60u);
}

} // namespace
} // namespace modelpar::sharding
