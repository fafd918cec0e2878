//===- ScheduleTest.cpp - schedule generators and checker -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Known schedules, in-flight counts, and what the checker refuses.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include "gtest/gtest.h"

using namespace modelpar::schedule;

namespace {

TEST(Schedule, OneStageAlternates) {
  EXPECT_EQ(toString(generate(Kind::OneFOneB, 0, 1, 3)), "F0 B0 F1 B1 F2 B2 U");
  EXPECT_EQ(toString(generate(Kind::GPipe, 0, 1, 3)), "F0 B0 F1 B1 F2 B2 U");
  EXPECT_EQ(maxInFlight(generate(Kind::GPipe, 0, 1, 3)), 1);
}

TEST(Schedule, FourStages) {
  EXPECT_EQ(toString(generate(Kind::GPipe, 1, 4, 3)), "F0 F1 F2 B0 B1 B2 U");
  EXPECT_EQ(toString(generate(Kind::OneFOneB, 0, 4, 3)), "F0 F1 F2 B0 B1 B2 U");
  EXPECT_EQ(toString(generate(Kind::OneFOneB, 2, 4, 4)), "F0 F1 B0 F2 B1 F3 B2 B3 U");
  EXPECT_EQ(toString(generate(Kind::OneFOneB, 3, 4, 3)), "F0 B0 F1 B1 F2 B2 U");
}

TEST(Schedule, InFlightCounts) {
  for (int64_t stages = 1; stages <= 5; ++stages)
    for (int64_t microBatches = 1; microBatches <= 9; ++microBatches)
      for (int64_t stage = 0; stage < stages; ++stage) {
        EXPECT_EQ(maxInFlight(generate(Kind::OneFOneB, stage, stages, microBatches)),
                  std::min(stages - stage, microBatches));
        EXPECT_EQ(maxInFlight(generate(Kind::GPipe, stage, stages, microBatches)), stages == 1 ? 1 : microBatches);
      }
}

TEST(Schedule, EveryGeneratedScheduleIsValidWithItsSlots) {
  for (Kind kind : {Kind::GPipe, Kind::OneFOneB})
    for (int64_t stages = 1; stages <= 6; ++stages)
      for (int64_t microBatches = 1; microBatches <= 12; ++microBatches) {
        std::vector<std::vector<Entry>> entries = pipeline(kind, stages, microBatches);
        std::vector<int64_t> slots;
        for (int64_t stage = 0; stage < stages; ++stage) {
          slots.push_back(maxInFlight(entries[stage]));
          // Receiving early takes no slot more than the programs need.
          EXPECT_EQ(slots.back(), maxInFlight(generate(kind, stage, stages, microBatches)));
        }
        EXPECT_EQ(verify(entries, microBatches, slots), std::nullopt)
            << name(kind) << ", " << stages << " stages, " << microBatches << " micro-batches";
      }
}

constexpr Phase F = Phase::Forward, B = Phase::Backward, U = Phase::Update;

TEST(ScheduleVerify, OrderWithinAStage) {
  EXPECT_EQ(verify({{{B, 0}, {F, 0}, {U, 0}}}, 1), "stage 0, entry 0 (B0): backward before forward");
  EXPECT_EQ(verify({{{F, 0}, {F, 0}, {U, 0}}}, 1), "stage 0, entry 1 (F0): runs twice");
  EXPECT_EQ(verify({{{F, 0}, {B, 0}, {B, 0}, {U, 0}}}, 1), "stage 0, entry 2 (B0): runs twice");
  EXPECT_EQ(verify({{{F, 0}, {B, 0}}}, 1), "stage 0: expected an update at the end, found none");
  EXPECT_EQ(verify({{{F, 0}, {B, 0}, {U, 0}}}, 2),
            "stage 0, entry 2 (U): expected 2 backward passes before the update, found 1");
  EXPECT_EQ(verify({{{F, 2}, {B, 2}, {U, 0}}}, 1), "stage 0, entry 0 (F2): expected a micro-batch below 1");
  EXPECT_EQ(verify({{{F, 0}, {U, 0}, {B, 0}}}, 1), "stage 0, entry 1 (U): expected the update at the end");
}

TEST(ScheduleVerify, SlotsInFlight) {
  std::vector<Entry> entries{{F, 0}, {F, 1}, {B, 0}, {B, 1}, {U, 0}};
  EXPECT_EQ(verify({entries}, 2, {2}), std::nullopt);
  EXPECT_EQ(verify({entries}, 2, {1}), "stage 0, entry 1 (F1): takes the slot of micro-batch 0, which is in flight");
}

TEST(Schedule, Names) {
  EXPECT_EQ(parseKind("1f1b"), Kind::OneFOneB);
  EXPECT_EQ(parseKind("gpipe"), Kind::GPipe);
  EXPECT_EQ(parseKind("zigzag"), std::nullopt);
  EXPECT_EQ(name(Kind::OneFOneB), "1f1b");
  EXPECT_EQ(name(Phase::Backward), "backward");
  EXPECT_EQ(name(Phase::Exchange), "exchange");
}

} // namespace
