//===- InitializeTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Initialize.h"

#include "runtime/training/Export.h"

#include <array>
#include <cmath>
#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {

planformat::Parameter parameter(const std::string &name, const std::string &kind, double a = 0, double b = 0) {
  planformat::Parameter result;
  result.name = name;
  result.init = {kind, a, b};
  return result;
}

std::vector<float> values(const planformat::Parameter &parameter, uint64_t seed, int64_t first, size_t count) {
  std::vector<float> result(count);
  EXPECT_TRUE(initialValues(parameter, seed, first, result).ok());
  return result;
}

TEST(Initialize, NormalHasItsMoments) {
  std::vector<float> all = values(parameter("w", "normal", 0.5, 0.02), 1, 0, 200000);
  double mean = 0, square = 0, fourth = 0;
  for (float value : all)
    mean += value;
  mean /= static_cast<double>(all.size());
  for (float value : all) {
    const double d = (value - mean) / 0.02;
    square += d * d;
    fourth += d * d * d * d;
  }
  // Five standard errors of 200,000 normal samples.
  EXPECT_NEAR(mean, 0.5, 5 * 0.02 / std::sqrt(200000.0));
  EXPECT_NEAR(square / 200000, 1, 5 * std::sqrt(2 / 200000.0));
  EXPECT_NEAR(fourth / 200000, 3, 5 * std::sqrt(96 / 200000.0));
}

TEST(Initialize, UniformStaysInItsRange) {
  std::vector<float> all = values(parameter("w", "uniform", -2, 3), 1, 0, 10000);
  EXPECT_THAT(all, testing::Each(testing::AllOf(testing::Ge(-2), testing::Lt(3))));
  EXPECT_LT(*std::min_element(all.begin(), all.end()), -1.99f);
  EXPECT_GT(*std::max_element(all.begin(), all.end()), 2.99f);
}

TEST(Initialize, Constants) {
  EXPECT_THAT(values(parameter("w", "zeros"), 1, 5, 3), testing::Each(0));
  EXPECT_THAT(values(parameter("w", "ones"), 1, 5, 3), testing::Each(1));
  EXPECT_THAT(values(parameter("w", "constant", 0.25), 1, 5, 3), testing::Each(0.25f));
}

TEST(Initialize, UnknownKindsAreRefused) {
  std::vector<float> some(3);
  EXPECT_THAT(initialValues(parameter("w", "orthogonal"), 1, 0, some).message(),
              testing::HasSubstr("parameter 'w' has unknown initializer 'orthogonal'"));
}

TEST(Initialize, AnElementDependsOnSeedNameAndIndexAlone) {
  for (const char *kind : {"normal", "uniform"}) {
    const planformat::Parameter w = parameter("w", kind, 0, 1);
    const std::vector<float> all = values(w, 7, 0, 64);
    for (int64_t first : {1, 2, 3, 4, 17})
      for (size_t count : {1, 2, 3, 5, 20})
        EXPECT_EQ(values(w, 7, first, count),
                  std::vector<float>(all.begin() + first, all.begin() + first + static_cast<int64_t>(count)));
    EXPECT_NE(values(w, 8, 0, 64), all);
    EXPECT_NE(values(parameter("v", kind, 0, 1), 7, 0, 64), all);
  }
}

/// The row of zeros lies in whole tensors, in the shards that have a part of it, and in no other.
TEST(Initialize, ARowOfZeros) {
  planformat::Parameter w = parameter("w", "normal", 0, 1);
  const std::vector<float> whole = values(w, 3, 0, 5 * 6);
  w.zeroRow = 2;
  for (int64_t firstRow : {0, 2, 3})
    for (int64_t firstColumn : {0, 1, 3}) {
      TensorView view;
      view.rank = 3; // [5, 3, 2] without its first rows and columns; a row has six elements.
      for (int i = 0; i < 3; ++i) {
        view.globalExtents[i] = std::array{5, 3, 2}[static_cast<size_t>(i)];
        view.offsets[i] = std::array<int64_t, 3>{firstRow, firstColumn, 0}[static_cast<size_t>(i)];
        view.extents[i] = view.globalExtents[i] - view.offsets[i];
      }
      std::vector<float> shard(static_cast<size_t>(view.numElements())), expected;
      view.data = shard.data();
      ASSERT_TRUE(initialize(w, 3, view).ok());
      for (int64_t row = firstRow; row < 5; ++row)
        for (int64_t i = firstColumn * 2; i < 6; ++i)
          expected.push_back(row == 2 ? 0 : whole[static_cast<size_t>(row * 6 + i)]);
      EXPECT_EQ(shard, expected) << firstRow << " " << firstColumn;
    }
}

/// All shards of every sharding join to the same tensor.
TEST(Initialize, IsTheSameUnderEverySharding) {
  const std::vector<int64_t> shape = {5, 3, 7};
  const planformat::Parameter w = parameter("w", "normal", 0, 1);
  const std::vector<float> whole = values(w, 3, 0, 105);
  const sharding::Mesh mesh({{"dp", 2}, {"tp", 4}});
  const sharding::AxisRef dp = mesh.axis("dp"), tp = mesh.axis("tp");
  for (const sharding::TensorSharding &sharding :
       {sharding::TensorSharding::replicated(3), sharding::TensorSharding{{{tp}, {}, {}}, {}},
        sharding::TensorSharding{{{dp}, {}, {tp}}, {}}, sharding::TensorSharding{{{}, {tp, dp}, {}}, {}}}) {
    std::vector<float> joined(105, -100);
    int64_t owned = 0;
    for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
      const auto ranges = sharding::shardRanges(mesh, shape, sharding, sharding::coordinatesOf(mesh, rank));
      TensorView view;
      view.rank = 3;
      for (int i = 0; i < 3; ++i) {
        view.globalExtents[i] = shape[static_cast<size_t>(i)];
        view.offsets[i] = ranges[static_cast<size_t>(i)].offset;
        view.extents[i] = ranges[static_cast<size_t>(i)].extent;
      }
      std::vector<float> shard(static_cast<size_t>(view.numElements()));
      view.data = shard.data();
      ASSERT_TRUE(initialize(w, 3, view).ok());
      if (ownsShard(mesh, sharding, rank)) {
        ASSERT_TRUE(writeSlice(view, std::as_writable_bytes(std::span(joined))).ok());
        owned += view.numElements();
      }
    }
    EXPECT_EQ(joined, whole) << sharding::toString(sharding);
    EXPECT_EQ(owned, 105) << sharding::toString(sharding); // Each element by one rank.
  }
}

TEST(Initialize, SubAxesHaveOneOwnerPerShard) {
  const sharding::Mesh mesh({{"tp", 6}});
  const sharding::TensorSharding major{{{{"tp", 1, 2}}}, {}}, minor{{{{"tp", 2, 3}}}, {}};
  std::vector<int64_t> majorOwners, minorOwners;
  for (int64_t rank = 0; rank < 6; ++rank) {
    if (ownsShard(mesh, major, rank))
      majorOwners.push_back(rank);
    if (ownsShard(mesh, minor, rank))
      minorOwners.push_back(rank);
  }
  EXPECT_THAT(majorOwners, testing::ElementsAre(0, 3));
  EXPECT_THAT(minorOwners, testing::ElementsAre(0, 1, 2));
}

} // namespace
