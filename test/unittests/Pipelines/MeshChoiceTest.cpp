//===- MeshChoiceTest.cpp -------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/MeshChoice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace modelpar::pipelines;
using ::testing::HasSubstr;

namespace {

MeshChoice choose(int64_t world, int64_t batch, const MeshPins &pins) {
  MeshChoice choice;
  std::vector<std::string> errors;
  EXPECT_TRUE(chooseMesh(world, batch, pins, choice, errors));
  EXPECT_TRUE(errors.empty());
  return choice;
}

std::vector<std::string> errorsOf(int64_t world, int64_t batch, const MeshPins &pins) {
  MeshChoice choice;
  std::vector<std::string> errors;
  EXPECT_FALSE(chooseMesh(world, batch, pins, choice, errors));
  return errors;
}

TEST(MeshChoice, DataParallelAsFarAsTheBatchGoes) {
  MeshChoice choice = choose(8, 4, {});
  EXPECT_EQ(choice.dp, 4);
  EXPECT_EQ(choice.tp, 2);
  EXPECT_EQ(choice.numMicroBatches, 1);
}

TEST(MeshChoice, APinLeavesTheRest) {
  MeshPins pins;
  pins.tp = 2;
  EXPECT_EQ(choose(6, 8, pins).dp, 3);
}

TEST(MeshChoice, MicroBatchesAreEqualButForTheLast) {
  MeshPins pins;
  pins.microBatch = 3;
  MeshChoice choice = choose(2, 8, pins); // A share of 4 in parts of at most 3: 2 and 2.
  EXPECT_EQ(choice.numMicroBatches, 2);
  EXPECT_EQ(choice.microBatch, 2);
}

TEST(MeshChoice, ABatchSmallerThanTheRanks) { EXPECT_EQ(choose(4, 1, {}).tp, 4); }

TEST(MeshChoice, AllErrorsAtOnce) {
  MeshPins pins;
  pins.tp = 3;
  pins.pp = 2;
  std::vector<std::string> errors = errorsOf(4, 8, pins);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_THAT(errors[0], HasSubstr("--pp=2"));
  EXPECT_THAT(errors[1], HasSubstr("legal values: 1, 2, 4"));
}

TEST(MeshChoice, AProductThatIsNotTheWorld) {
  MeshPins pins;
  pins.tp = 2;
  pins.dp = 4;
  EXPECT_THAT(errorsOf(4, 8, pins).at(0), HasSubstr("with --tp=2 use --dp=2"));
}

TEST(MeshChoice, AMicroBatchLargerThanTheShare) {
  MeshPins pins;
  pins.microBatch = 3;
  EXPECT_THAT(errorsOf(4, 8, pins).at(0), HasSubstr("share of the global batch, 2"));
}

} // namespace
