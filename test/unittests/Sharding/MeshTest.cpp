//===- MeshTest.cpp - tests of meshes, groups and shard extents ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/AxisParts.h"
#include "modelpar/Sharding/TensorSharding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace modelpar::sharding {
namespace {

using ::testing::ElementsAre;

Mesh makeMesh() { return Mesh({{"mb", 3}, {"dp", 2}, {"tp", 6}}); }

TEST(Mesh, SizesCountTimeApart) {
  Mesh mesh = makeMesh();
  EXPECT_EQ(mesh.numRanks(), 12);
  EXPECT_EQ(mesh.numMicroBatches(), 3);
  EXPECT_EQ(mesh.size("pp"), 1);
  EXPECT_FALSE(mesh.has("pp"));
  EXPECT_EQ(Mesh().numRanks(), 1);
  EXPECT_EQ(Mesh().numMicroBatches(), 1);
}

TEST(Mesh, CoordinatesAreTheInverseOfRanks) {
  Mesh mesh = makeMesh();
  for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
    Coordinates coordinates = coordinatesOf(mesh, rank, 2);
    EXPECT_EQ(rankOf(mesh, coordinates), rank);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, mesh.axis("mb")), 2);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, mesh.axis("dp")), rank / 6);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, mesh.axis("tp")), rank % 6);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, {"tp", 1, 2}), rank % 6 / 3);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, {"tp", 2, 3}), rank % 3);
    EXPECT_EQ(coordinateAlong(mesh, coordinates, {"tp", 3, 2}), rank % 2);
  }
}

TEST(Mesh, GroupsOfAxesAndSubAxes) {
  Mesh mesh = makeMesh();
  EXPECT_THAT(groupOf(mesh, 7, {mesh.axis("dp")}), ElementsAre(1, 7));
  EXPECT_THAT(groupOf(mesh, 7, {mesh.axis("tp")}), ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(groupOf(mesh, 7, {{"tp", 1, 2}}), ElementsAre(7, 10));
  EXPECT_THAT(groupOf(mesh, 7, {{"tp", 2, 3}}), ElementsAre(6, 7, 8));
  // The order of the axes is the order of the group.
  EXPECT_THAT(groupOf(mesh, 0, {{"tp", 1, 2}, mesh.axis("dp")}), ElementsAre(0, 6, 3, 9));
  EXPECT_THAT(groupOf(mesh, 5, {}), ElementsAre(5));
}

TEST(Mesh, GroupsOfSomeCoordinates) {
  Mesh mesh = makeMesh();
  AxisRef ends{"tp", 1, 6, 0, {0, 5}};
  EXPECT_EQ(ends.groupSize(), 2);
  EXPECT_THAT(groupOf(mesh, 6, {ends}), ElementsAre(6, 11));
  EXPECT_THAT(groupOf(mesh, 5, {mesh.axis("dp"), ends}), ElementsAre(0, 5, 6, 11));
  // A rank that is left out is no member of its group.
  EXPECT_THAT(groupOf(mesh, 7, {ends}), ElementsAre(6, 11));
}

TEST(Mesh, ShiftsAndSubsetsStayInsideTheirAxis) {
  Mesh mesh = makeMesh();
  EXPECT_TRUE(mesh.isValid({"tp", 1, 6, 5}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 6, 6}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 6, -1}));
  EXPECT_TRUE(mesh.isValid({"tp", 1, 6, 0, {0, 5}}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 6, 0, {0, 6}}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 6, 0, {5, 0}}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 6, 0, {2, 2}}));
}

TEST(Mesh, ShiftedShardsAreThoseOfTheRankBefore) {
  Mesh mesh({{"cp", 4}});
  // 10 = 3 + 3 + 3 + 1.
  for (int64_t rank = 0; rank < 4; ++rank)
    for (int64_t shift = 0; shift < 4; ++shift)
      EXPECT_EQ(shardRange(mesh, 10, {{"cp", 1, 4, shift}}, coordinatesOf(mesh, rank)),
                shardRange(mesh, 10, {mesh.axis("cp")}, coordinatesOf(mesh, (rank + 4 - shift) % 4)))
          << rank << " " << shift;
}

TEST(Mesh, GroupsPartitionTheRanks) {
  Mesh mesh = makeMesh();
  for (const std::vector<AxisRef> &axes :
       {std::vector<AxisRef>{{"tp", 1, 2}}, {{"tp", 2, 3}}, {{"tp", 2, 3}, {"dp", 1, 2}}, {{"tp", 1, 6}}}) {
    for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
      std::vector<int64_t> group = groupOf(mesh, rank, axes);
      EXPECT_NE(std::find(group.begin(), group.end(), rank), group.end());
      for (int64_t member : group)
        EXPECT_EQ(groupOf(mesh, member, axes), group);
    }
  }
}

TEST(Mesh, ReferencesThatAreNoBoxOfAnAxis) {
  Mesh mesh = makeMesh();
  EXPECT_TRUE(mesh.isValid({"tp", 2, 3}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 4}));
  EXPECT_FALSE(mesh.isValid({"tp", 4, 2}));
  EXPECT_FALSE(mesh.isValid({"tp", 1, 0}));
  EXPECT_FALSE(mesh.isValid({"pp", 1, 1}));
}

TEST(ShardRange, SplitsByCeilAndLeavesEmptyShards) {
  Mesh mesh({{"tp", 4}});
  std::vector<Range> parts;
  for (int64_t rank = 0; rank < 4; ++rank)
    parts.push_back(shardRange(mesh, 5, {mesh.axis("tp")}, coordinatesOf(mesh, rank)));
  EXPECT_THAT(parts, ElementsAre(Range{0, 2}, Range{2, 2}, Range{4, 1}, Range{5, 0}));
  EXPECT_EQ(maxShardExtent(5, {mesh.axis("tp")}), 2);
  EXPECT_EQ(maxShardExtent(0, {mesh.axis("tp")}), 0);
}

// Every list of axes, every size: shards tile the dimension in row-major order of the axes.
TEST(ShardRange, ShardsTileTheDimension) {
  Mesh mesh = makeMesh();
  std::vector<std::vector<AxisRef>> lists = {{},
                                             {mesh.axis("dp"), mesh.axis("mb")},
                                             {mesh.axis("mb"), mesh.axis("dp")},
                                             {mesh.axis("tp"), mesh.axis("dp"), mesh.axis("mb")},
                                             {{"tp", 1, 2}, {"tp", 2, 3}},
                                             {{"tp", 3, 2}, mesh.axis("dp"), {"tp", 1, 3}}};
  for (const auto &axes : lists)
    for (int64_t size = 0; size < 40; ++size) {
      // Ordered by the coordinates along the axes; ranks that differ elsewhere have the same part.
      std::map<std::vector<int64_t>, Range> parts;
      int64_t largest = 0;
      for (int64_t rank = 0; rank < mesh.numRanks(); ++rank)
        for (int64_t mb = 0; mb < mesh.numMicroBatches(); ++mb) {
          Coordinates coordinates = coordinatesOf(mesh, rank, mb);
          std::vector<int64_t> key;
          for (const AxisRef &axis : axes)
            key.push_back(coordinateAlong(mesh, coordinates, axis));
          Range range = shardRange(mesh, size, axes, coordinates);
          largest = std::max(largest, range.extent);
          auto [it, inserted] = parts.insert({key, range});
          EXPECT_EQ(it->second, range);
        }
      int64_t next = 0;
      for (const auto &[key, range] : parts) {
        EXPECT_EQ(range.offset, next);
        EXPECT_GE(range.extent, 0);
        next += range.extent;
      }
      EXPECT_EQ(next, size);
      EXPECT_EQ(maxShardExtent(size, axes), largest);
    }
}

TEST(ShardRange, GatheringTheMinorAxisGivesTheMajorSharding) {
  Mesh mesh = makeMesh();
  std::vector<AxisRef> major = {mesh.axis("dp"), {"tp", 1, 2}};
  std::vector<AxisRef> both = {mesh.axis("dp"), {"tp", 1, 2}, {"tp", 2, 3}};
  for (int64_t size = 0; size < 40; ++size)
    for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
      Range whole = shardRange(mesh, size, major, coordinatesOf(mesh, rank));
      int64_t next = whole.offset;
      for (int64_t member : groupOf(mesh, rank, {{"tp", 2, 3}})) {
        Range part = shardRange(mesh, size, both, coordinatesOf(mesh, member));
        EXPECT_EQ(part.offset, next);
        next += part.extent;
      }
      EXPECT_EQ(next, whole.offset + whole.extent);
    }
}

TEST(TensorSharding, PrintsLikeShardy) {
  Mesh mesh = makeMesh();
  TensorSharding sharding{{{mesh.axis("dp"), mesh.axis("mb")}, {}, {{"tp", 2, 3}}}, {}};
  EXPECT_EQ(toString(sharding), R"([{"dp", "mb"}, {}, {"tp":(2)3}])");
  TensorSharding partial{{{}}, {{{"tp", 1, 2}, ReduceKind::Lse}}};
  EXPECT_EQ(toString(partial, &mesh), R"([{}], partial={"tp":(1)2:lse})");
  EXPECT_EQ(parseReduceKind("max"), ReduceKind::Max);
  EXPECT_EQ(parseReduceKind("mean"), std::nullopt);
}

TEST(TensorSharding, CutsAndJoinsParts) {
  const AxisRef whole{"tp", 1, 12};
  const std::vector<AxisRef> parts = cutAxis(whole, {2, 6});
  EXPECT_EQ(parts, (std::vector<AxisRef>{{"tp", 1, 2}, {"tp", 2, 3}, {"tp", 6, 2}}));
  EXPECT_EQ(joinedAxes(parts), std::vector<AxisRef>{whole});
  // Boundaries outside, at the ends, or that do not divide what is left cut nothing.
  EXPECT_EQ(cutAxis({"tp", 2, 3}, {1, 2, 4, 6, 12}), (std::vector<AxisRef>{{"tp", 2, 3}}));
  EXPECT_EQ(cutAxis(whole, {3, 4}), (std::vector<AxisRef>{{"tp", 1, 3}, {"tp", 3, 4}}));
  // Neither a shifted axis nor a subset of one has parts.
  EXPECT_EQ(cutAxis({"cp", 1, 4, 1}, {2}), (std::vector<AxisRef>{{"cp", 1, 4, 1}}));
  EXPECT_EQ(cutAxis({"pp", 1, 4, 0, {0, 3}}, {2}), (std::vector<AxisRef>{{"pp", 1, 4, 0, {0, 3}}}));
  // Only consecutive parts, major first, are one axis.
  const std::vector<AxisRef> swapped{{"tp", 2, 2}, {"tp", 1, 2}}, others{{"dp", 1, 2}, {"tp", 2, 2}};
  EXPECT_EQ(joinedAxes(swapped), swapped);
  EXPECT_EQ(joinedAxes(others), others);
}

TEST(TensorSharding, ShapesAndRanges) {
  Mesh mesh = makeMesh();
  TensorSharding sharding{{{mesh.axis("dp"), mesh.axis("mb")}, {mesh.axis("tp")}}, {}};
  EXPECT_THAT(maxShardShape({8, 13}, sharding), ElementsAre(2, 3));
  EXPECT_THAT(shardRanges(mesh, {8, 13}, sharding, coordinatesOf(mesh, 10, 1)), ElementsAre(Range{6, 2}, Range{12, 1}));
}

TEST(TensorSharding, Permuted) {
  Mesh mesh({{"cp", 4}, {"tp", 2}});
  TensorSharding sharding{{{mesh.axis("tp")}, {mesh.axis("cp")}}, {}};
  TensorSharding once = *permuted(sharding, mesh.axis("cp"), 1);
  EXPECT_EQ(toString(once, &mesh), R"([{"tp"}, {"cp"+1}])");
  EXPECT_EQ(permuted(once, mesh.axis("cp"), 3), sharding);
  EXPECT_EQ(permuted(sharding, {"cp", 1, 2}, 1), std::nullopt);
  EXPECT_EQ(permuted(TensorSharding::replicated(2), mesh.axis("cp"), 1), std::nullopt);
}

/// An axis of a sequence that is dealt out: of four chunks a rank of two has 0 and 3, or 1 and 2.
TEST(TensorSharding, Balanced) {
  Mesh mesh({{"cp", 2}, {"tp", 2}});
  AxisRef cp = mesh.axis("cp"), tp = mesh.axis("tp");
  cp.balanced = true;
  TensorSharding sharding{{{cp, tp}, {}}, {}};
  EXPECT_EQ(toString(sharding, &mesh), R"([{"cp"*, "tp"}, {}])");
  EXPECT_EQ(toString(*permuted(sharding, mesh.axis("cp"), 1), &mesh), R"([{"cp"*+1, "tp"}, {}])");
  EXPECT_EQ(validate(mesh, {8, 3}, sharding), std::nullopt);
  // Shards are of stored indices: as without.
  EXPECT_THAT(shardRanges(mesh, {8, 3}, sharding, coordinatesOf(mesh, 3)), ElementsAre(Range{6, 2}, Range{0, 3}));
  // Each dimension has its own order.
  const SequenceOrder order = orderOf(8, sharding.dims[0]);
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < 8; ++i)
    positions.push_back(order.position(i));
  EXPECT_THAT(positions, ElementsAre(0, 1, 6, 7, 2, 3, 4, 5));
  EXPECT_TRUE(orderOf(3, sharding.dims[1]).isIdentity());
  EXPECT_TRUE(orderOf(8, {mesh.axis("cp"), tp}).isIdentity());
}

TEST(TensorSharding, MalformedOrders) {
  Mesh mesh({{"cp", 2}, {"tp", 2}});
  AxisRef cp = mesh.axis("cp"), tp = mesh.axis("tp");
  cp.balanced = true;
  EXPECT_EQ(*validate(mesh, {6}, {{{cp}}, {}}),
            R"(a sequence of 6 has no balanced split over "cp"*, expected a multiple of 4)");
  EXPECT_EQ(*validate(mesh, {8}, {{{tp, cp}}, {}}),
            R"(a sequence of 8 is balanced over "cp"*, which only a major axis can be)");
  EXPECT_EQ(*validate(mesh, {8}, {{{}}, {{cp, ReduceKind::Sum}}}), R"(partial over a balanced axis, "cp"*)");
}

TEST(TensorSharding, Malformed) {
  Mesh mesh = makeMesh();
  AxisRef tp = mesh.axis("tp"), dp = mesh.axis("dp");
  EXPECT_EQ(validate(mesh, {8, 8}, {{{tp}, {dp}}, {}}), std::nullopt);
  EXPECT_EQ(validate(mesh, {8, 8}, {{{{"tp", 1, 2}}, {{"tp", 2, 3}}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8}, {{{tp}, {dp}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8, 8}, {{{tp}, {tp}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8, 8}, {{{tp}, {{"tp", 1, 2}}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8, 8}, {{{{"tp", 1, 2}}, {{"tp", 3, 2}}}, {}}), std::nullopt); // No common digits.
  EXPECT_NE(validate(mesh, {8}, {{{{"pp", 1, 2}}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8}, {{{{"tp", 1, 4}}}, {}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8}, {{{tp}}, {{tp, ReduceKind::Sum}}}), std::nullopt);
  EXPECT_NE(validate(mesh, {8}, {{{}}, {{tp, ReduceKind::Sum}, {dp, ReduceKind::Sum}}}), std::nullopt); // Order.
}

} // namespace
TEST(Mesh, ARankShardIsTheShardOfEveryMicroBatch) {
  const Mesh mesh({{"mb", 6}, {"dp", 2}, {"cp", 3}});
  AxisRef shifted = mesh.axis("cp");
  shifted.shift = 2;
  const AxisRef major{"mb", 1, 2}, minor{"mb", 2, 3};
  for (const std::vector<AxisRef> &axes : std::vector<std::vector<AxisRef>>{{},
                                                                            {mesh.axis("mb")},
                                                                            {mesh.axis("dp"), mesh.axis("mb")},
                                                                            {mesh.axis("mb"), shifted},
                                                                            {minor},
                                                                            {major, shifted, minor}})
    for (int64_t size : {1, 13, 48})
      for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
        const RankShard shard(mesh, size, axes, rank);
        for (int64_t m = 0; m < 6; ++m)
          EXPECT_EQ(shard.range(m), shardRange(mesh, size, axes, coordinatesOf(mesh, rank, m)));
      }
}

} // namespace modelpar::sharding
