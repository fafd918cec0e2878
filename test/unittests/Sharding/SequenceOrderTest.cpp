//===- SequenceOrderTest.cpp - tests of the balanced causal split ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/SequenceOrder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace modelpar::sharding {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> positionsOf(const SequenceOrder &order, Range shard) {
  std::vector<int64_t> positions;
  for (int64_t i = shard.offset; i < shard.offset + shard.extent; ++i)
    positions.push_back(order.position(i));
  return positions;
}

TEST(SequenceOrder, PairsAnEarlyWithALateChunk) {
  EXPECT_THAT(positionsOf({12, 3}, {0, 12}), ElementsAre(0, 1, 10, 11, 2, 3, 8, 9, 4, 5, 6, 7));
  EXPECT_THAT(positionsOf({8, 2}, {0, 8}), ElementsAre(0, 1, 6, 7, 2, 3, 4, 5));
}

TEST(SequenceOrder, OnePartIsTheIdentityOfAnySize) {
  for (int64_t parts : {0, 1}) {
    SequenceOrder order{7, parts};
    EXPECT_TRUE(order.isIdentity());
    for (int64_t i = 0; i < 7; ++i) {
      EXPECT_EQ(order.position(i), i);
      EXPECT_EQ(order.index(i), i);
      EXPECT_EQ(order.consecutive(i), 7 - i);
    }
    EXPECT_TRUE(order.ascends({0, 7}));
    EXPECT_EQ(order.countBelow({2, 3}, 4), 2);
  }
}

TEST(SequenceOrder, DividesOnlyIntoEqualChunks) {
  EXPECT_TRUE(SequenceOrder::divides(12, 3));
  EXPECT_TRUE(SequenceOrder::divides(7, 1));
  EXPECT_TRUE(SequenceOrder::divides(0, 1));
  EXPECT_FALSE(SequenceOrder::divides(0, 2));
  EXPECT_FALSE(SequenceOrder::divides(10, 2));
  EXPECT_FALSE(SequenceOrder::divides(6, 2));
}

class Orders : public ::testing::TestWithParam<SequenceOrder> {
protected:
  SequenceOrder order() const { return GetParam(); }
  Range shard(int64_t rank) const { return {rank * order().size / order().parts, order().size / order().parts}; }
};

TEST_P(Orders, IsAPermutationAndIndexIsItsInverse) {
  std::set<int64_t> positions;
  for (int64_t i = 0; i < order().size; ++i) {
    positions.insert(order().position(i));
    EXPECT_EQ(order().index(order().position(i)), i);
  }
  EXPECT_EQ(static_cast<int64_t>(positions.size()), order().size);
  EXPECT_EQ(*positions.begin(), 0);
  EXPECT_EQ(*positions.rbegin(), order().size - 1);
}

TEST_P(Orders, EveryRankHasTheSameShareOfTheCausalTriangle) {
  const int64_t pairs = order().size * (order().size + 1) / 2;
  int64_t expected = -1, sum = 0;
  for (int64_t rank = 0; rank < order().parts; ++rank) {
    int64_t seen = 0;
    for (int64_t position : positionsOf(order(), shard(rank)))
      seen += position + 1;
    expected = rank == 0 ? seen : expected;
    EXPECT_EQ(seen, expected) << "rank " << rank;
    sum += seen;
  }
  EXPECT_EQ(sum, pairs);
}

TEST_P(Orders, PositionsOfAPartAscendAndOfTwoDoNot) {
  for (int64_t rank = 0; rank < order().parts; ++rank) {
    Range part = shard(rank);
    EXPECT_TRUE(order().ascends(part));
    EXPECT_TRUE(std::ranges::is_sorted(positionsOf(order(), part)));
    if (rank > 0) {
      EXPECT_FALSE(order().ascends({part.offset - 1, 2}));
      EXPECT_GT(order().position(part.offset - 1), order().position(part.offset));
    }
  }
}

TEST_P(Orders, ConsecutiveIsTheWholeRun) {
  for (int64_t i = 0; i < order().size; ++i) {
    int64_t run = 1;
    while (i + run < order().size && order().position(i + run) == order().position(i) + run)
      ++run;
    EXPECT_EQ(order().consecutive(i), run) << i;
  }
}

TEST_P(Orders, CountBelowCountsAnyShard) {
  for (int64_t offset = 0; offset < order().size; ++offset)
    for (int64_t extent : {int64_t{0}, int64_t{1}, (order().size - offset) / 2, order().size - offset})
      for (int64_t limit = 0; limit <= order().size; ++limit) {
        std::vector<int64_t> positions = positionsOf(order(), {offset, extent});
        EXPECT_EQ(order().countBelow({offset, extent}, limit),
                  std::ranges::count_if(positions, [&](int64_t p) { return p < limit; }));
      }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Orders,
                         ::testing::Values(SequenceOrder{4, 2}, SequenceOrder{16, 2}, SequenceOrder{12, 3},
                                           SequenceOrder{16, 4}, SequenceOrder{32, 4}, SequenceOrder{8, 1}),
                         [](const auto &info) {
                           return std::to_string(info.param.size) + "in" + std::to_string(info.param.parts);
                         });

} // namespace
} // namespace modelpar::sharding
