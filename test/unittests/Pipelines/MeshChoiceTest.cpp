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
  EXPECT_TRUE(chooseMesh(world, batch, /*hasSequence=*/true, pins, choice, errors));
  EXPECT_TRUE(errors.empty());
  return choice;
}

std::vector<std::string> errorsOf(int64_t world, int64_t batch, const MeshPins &pins) {
  MeshChoice choice;
  std::vector<std::string> errors;
  EXPECT_FALSE(chooseMesh(world, batch, /*hasSequence=*/true, pins, choice, errors));
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

TEST(MeshChoice, PipelineAndContextOnlyWherePinned) {
  MeshPins pins;
  pins.pp = 2, pins.cp = 2;
  MeshChoice choice = choose(16, 2, pins);
  EXPECT_EQ(choice.pp, 2);
  EXPECT_EQ(choice.cp, 2);
  EXPECT_EQ(choice.dp, 2);
  EXPECT_EQ(choice.tp, 2);
  EXPECT_EQ(choose(16, 2, {}).pp, 1);
  EXPECT_EQ(choose(16, 2, {}).cp, 1);
}

TEST(MeshChoice, FourMicroBatchesForEachStageWhereTheBatchAllows) {
  MeshPins pins;
  pins.pp = 2, pins.dp = 2;
  MeshChoice choice = choose(4, 32, pins); // A share of 16, eight micro-batches.
  EXPECT_EQ(choice.numMicroBatches, 8);
  EXPECT_EQ(choice.microBatch, 2);
  EXPECT_EQ(choose(4, 6, pins).numMicroBatches, 3); // A share of 3.
  choice = choose(4, 22, pins);                     // 11 in eight parts: of two, so six of them.
  EXPECT_EQ(choice.numMicroBatches, 6);
  EXPECT_EQ(choice.microBatch, 2);
  pins.microBatch = 16;
  EXPECT_EQ(choose(4, 32, pins).numMicroBatches, 1);
}

TEST(MeshChoice, WithoutASequenceContextParallelismSplitsTheBatch) {
  MeshPins pins;
  pins.cp = 2, pins.dp = 2, pins.microBatch = 3;
  MeshChoice choice;
  std::vector<std::string> errors;
  ASSERT_FALSE(chooseMesh(4, 8, /*hasSequence=*/false, pins, choice, errors));
  EXPECT_THAT(errors.at(0), HasSubstr("share of the global batch, 2 (--global-batch=8 over dp=2 and cp=2)"));
  EXPECT_TRUE(chooseMesh(4, 8, /*hasSequence=*/true, pins, choice, errors));
}

TEST(MeshChoice, AllErrorsAtOnce) {
  MeshPins pins;
  pins.tp = 3;
  pins.pp = 8;
  pins.ep = 2;
  std::vector<std::string> errors = errorsOf(4, 8, pins);
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_THAT(errors[0], HasSubstr("--ep=2: this axis is not supported yet"));
  EXPECT_THAT(errors[1], HasSubstr("--pp=8 does not divide the cluster's 4 ranks; legal values: 1, 2, 4"));
  EXPECT_THAT(errors[2], HasSubstr("--tp=3 does not divide the cluster's 4 ranks; legal values: 1, 2, 4"));
}

TEST(MeshChoice, AProductThatIsNotTheWorld) {
  MeshPins pins;
  pins.tp = 2;
  pins.dp = 4;
  EXPECT_THAT(errorsOf(4, 8, pins).at(0),
              HasSubstr("--tp=2 times --dp=4 is 8, but the cluster has 4 ranks; with --tp=2 use --dp=2"));
  pins.pp = 2, pins.dp = 2;
  EXPECT_THAT(
      errorsOf(16, 8, pins).at(0),
      HasSubstr(
          "--pp=2 times --tp=2 times --dp=2 is 8, but the cluster has 16 ranks; with --pp=2 and --tp=2 use --dp=4"));
}

TEST(MeshChoice, AProductThatDoesNotDivideTheWorld) {
  MeshPins pins;
  pins.pp = 2;
  pins.tp = 4;
  EXPECT_THAT(errorsOf(4, 8, pins).at(0),
              HasSubstr("--pp=2 times --tp=4 is 8, which does not divide the cluster's 4 ranks; with --pp=2 legal "
                        "values of --tp: 1, 2"));
  pins.pp = 4, pins.cp = 3, pins.tp = 2;
  EXPECT_THAT(errorsOf(12, 8, pins).at(0), HasSubstr("with --pp=4 and --cp=3 legal values of --tp: 1"));
  pins.pp = 4, pins.cp = 6, pins.tp = 2;
  EXPECT_THAT(errorsOf(12, 8, pins).at(0), HasSubstr("legal values of each: 1, 2, 3, 4, 6, 12"));
}

TEST(MeshChoice, AMicroBatchLargerThanTheShare) {
  MeshPins pins;
  pins.microBatch = 3;
  EXPECT_THAT(errorsOf(4, 8, pins).at(0), HasSubstr("share of the global batch, 2"));
}

TEST(MeshChoice, MicroBatchesHaveALimit) {
  MeshPins pins;
  pins.microBatch = 2;
  EXPECT_EQ(choose(1, 2 * kMaxMicroBatches, pins).numMicroBatches, kMaxMicroBatches);
  EXPECT_THAT(errorsOf(1, 2 * kMaxMicroBatches + 1, pins),
              testing::ElementsAre("--micro-batch=2 cuts a data-parallel rank's share of 131073 samples into 65537 "
                                   "micro-batches, expected at most 65536"));
}

} // namespace
