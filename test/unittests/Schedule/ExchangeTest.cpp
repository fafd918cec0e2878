//===- ExchangeTest.cpp - exchanges between stages, deadlocks, the bubble -===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where exchanges stand, what the checker says about misplaced ones, and the idle
// share of the replayed pipelines against the closed form.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include "gtest/gtest.h"

using namespace modelpar::schedule;

namespace {

constexpr Phase F = Phase::Forward, B = Phase::Backward, U = Phase::Update, X = Phase::Exchange;
constexpr auto Send = Transfer::Direction::Send, Receive = Transfer::Direction::Receive;

using Stages = std::vector<std::vector<Entry>>;

TEST(Exchange, GPipeSendsAndReceivesAlone) {
  Stages stages = pipeline(Kind::GPipe, 2, 2);
  EXPECT_EQ(toString(stages[0], 0), "F0 (F0>1) F1 (F1>1) (B0<1) B0 (B1<1) B1 U");
  EXPECT_EQ(toString(stages[1], 1), "(F0<0) F0 (F1<0) F1 B0 (B0>0) B1 (B1>0) U");
}

TEST(Exchange, OneFOneBGroupsInTheSteadyState) {
  Stages stages = pipeline(Kind::OneFOneB, 3, 4);
  EXPECT_EQ(toString(stages[0], 0), "F0 (F0>1) F1 (F1>1) F2 (F2>1 B0<1) B0 F3 (F3>1 B1<1) B1 (B2<1) B2 (B3<1) B3 U");
  EXPECT_EQ(toString(stages[1], 1),
            "(F0<0) F0 (F0>2) (F1<0) F1 (F1>2 B0<2) B0 (B0>0 F2<0) F2 (F2>2 B1<2) B1 (B1>0 F3<0) F3 "
            "(F3>2 B2<2) B2 (B2>0) (B3<2) B3 (B3>0) U");
  EXPECT_EQ(toString(stages[2], 2), "(F0<1) F0 B0 (B0>1 F1<1) F1 B1 (B1>1 F2<1) F2 B2 (B2>1 F3<1) F3 B3 (B3>1) U");
}

TEST(Exchange, OneStageHasNone) { EXPECT_EQ(toString(pipeline(Kind::OneFOneB, 1, 2)[0]), "F0 B0 F1 B1 U"); }

// With fewer micro-batches than stages there is no steady state on the first stages, so nothing to group there.
TEST(Exchange, FewerMicroBatchesThanStages) {
  Stages stages = pipeline(Kind::OneFOneB, 3, 1);
  EXPECT_EQ(toString(stages[0], 0), "F0 (F0>1) (B0<1) B0 U");
  EXPECT_EQ(toString(stages[1], 1), "(F0<0) F0 (F0>2) (B0<2) B0 (B0>0) U");
  EXPECT_EQ(toString(stages[2], 2), "(F0<1) F0 B0 (B0>1) U");
}

TEST(Exchange, EveryMicroBatchCrossesEveryBoundaryOnceInEachDirection) {
  for (Kind kind : {Kind::GPipe, Kind::OneFOneB}) {
    Stages stages = pipeline(kind, 4, 7);
    for (int64_t s = 0; s < 4; ++s) {
      int64_t sends = 0, receives = 0;
      for (const Entry &entry : stages[s])
        for (const Transfer &transfer : entry.transfers)
          ++(transfer.direction == Send ? sends : receives);
      int64_t boundaries = (s > 0) + (s < 3);
      EXPECT_EQ(sends, 7 * boundaries);
      EXPECT_EQ(receives, 7 * boundaries);
    }
  }
}

//===----------------------------------------------------------------------===//
// Deadlocks and other faults
//===----------------------------------------------------------------------===//

TEST(ExchangeVerify, SwappedSendAndReceiveIsADeadlock) {
  Stages stages = pipeline(Kind::GPipe, 2, 2);
  std::swap(stages[0][3], stages[0][4]); // F1>1 and B0<1
  EXPECT_EQ(verify(stages, 2),
            "deadlock: stage 0, entry 3 ((B0<1)), at B0<1, waits for stage 1, entry 2 ((F1<0)), at F1<0, "
            "waits for stage 0, entry 3 ((B0<1)), at B0<1");
}

TEST(ExchangeVerify, SteadyStateWithoutGroupsIsADeadlock) {
  Stages stages = pipeline(Kind::OneFOneB, 4, 6);
  for (std::vector<Entry> &stage : stages)
    for (size_t i = 0; i < stage.size(); ++i)
      if (stage[i].transfers.size() == 2) {
        Entry second{X, 0, {stage[i].transfers[1]}};
        stage[i].transfers.pop_back();
        stage.insert(stage.begin() + static_cast<int64_t>(i) + 1, second);
      }
  std::optional<std::string> error = verify(stages, 6);
  ASSERT_TRUE(error);
  EXPECT_NE(error->find("deadlock: stage 2, entry 5 ((F1>3)), at F1>3, waits for stage 3, entry 3 ((B0>2)), at B0>2"),
            std::string::npos)
      << *error;
}

// Whichever one of the groups is torn apart into send and receive, the replay still ends: the other side's group meets
// both.
TEST(ExchangeVerify, AGroupMeetsTwoExchanges) {
  Stages stages = pipeline(Kind::OneFOneB, 2, 3);
  ASSERT_EQ(toString(stages[0][3], 0), "(F1>1 B0<1)");
  stages[0][3].transfers.pop_back();
  stages[0].insert(stages[0].begin() + 4, Entry{X, 0, {{Receive, 1, 0}}});
  EXPECT_EQ(verify(stages, 3), std::nullopt);
}

TEST(ExchangeVerify, OrderOfMicroBatchesIsTheSameOnBothSides) {
  Stages stages = pipeline(Kind::GPipe, 2, 2);
  std::swap(stages[1][0], stages[1][2]);
  std::swap(stages[1][1], stages[1][3]);
  EXPECT_EQ(
      verify(stages, 2),
      "stage 0, entry 1 ((F0>1)), at F0>1 meets stage 1, entry 0 ((F1<0)), at F1<0: expected the same micro-batch");
}

TEST(ExchangeVerify, OrderWithinAStage) {
  auto error = [](std::vector<Entry> first) {
    Stages stages = pipeline(Kind::GPipe, 2, 1);
    stages[0] = std::move(first);
    return verify(stages, 1);
  };
  Entry send{X, 0, {{Send, 1, 0}}}, receive{X, 0, {{Receive, 1, 0}}};
  EXPECT_EQ(error({{F, 0}, send, receive, {B, 0}, {U, 0}}), std::nullopt);
  EXPECT_EQ(error({send, {F, 0}, receive, {B, 0}, {U, 0}}),
            "stage 0, entry 0 ((F0>1)): F0>1 is sent before it is made");
  EXPECT_EQ(error({{F, 0}, send, send, receive, {B, 0}, {U, 0}}), "stage 0, entry 2 ((F0>1)): F0>1 is sent twice");
  EXPECT_EQ(error({{F, 0}, send, {B, 0}, receive, {U, 0}}),
            "stage 0, entry 2 (B0): runs before it has received the gradients of micro-batch 0");
  EXPECT_EQ(error({{F, 0}, receive, {B, 0}, {U, 0}}),
            "stage 0, entry 3 (U): expected 1 sends of activations before the update, found 0");
  EXPECT_EQ(error({{F, 0}, {X, 0, {{Send, 2, 0}}}, receive, {B, 0}, {U, 0}}),
            "stage 0, entry 1 ((F0>2)): F0>2: stage 2 is no neighbour");
  EXPECT_EQ(error({{F, 0}, {X, 0, {{Send, 1, 3}}}, receive, {B, 0}, {U, 0}}),
            "stage 0, entry 1 ((F3>1)): expected a micro-batch below 1");
}

TEST(ExchangeVerify, AMissingExchangeIsFound) {
  Stages stages = pipeline(Kind::OneFOneB, 2, 2);
  stages[1].erase(stages[1].begin());
  EXPECT_EQ(verify(stages, 2), "stage 1, entry 0 (F0): runs before it has received the activations of micro-batch 0");
}

TEST(ExchangeVerify, AReceiveTakesItsSlot) {
  Stages stages = pipeline(Kind::GPipe, 2, 2);
  EXPECT_EQ(verify(stages, 2, {2, 2}), std::nullopt);
  EXPECT_EQ(verify(stages, 2, {2, 1}),
            "stage 1, entry 2 ((F1<0)): takes the slot of micro-batch 0, which is in flight");
}

//===----------------------------------------------------------------------===//
// Timelines
//===----------------------------------------------------------------------===//

TEST(Timeline, IdleShareOfEqualStages) {
  StageTimes equal{1, 2}; // Binary fractions: the closed form is met exactly.
  for (Kind kind : {Kind::GPipe, Kind::OneFOneB})
    for (int64_t p = 2; p <= 9; ++p)
      for (int64_t m : {1, 2, 3, 4, 5, 7, 8, 13, 16, 32, 33}) {
        Timeline timeline = replay(pipeline(kind, p, m), std::vector<StageTimes>(p, equal));
        EXPECT_EQ(timeline.makespan, 3.0 * static_cast<double>(m + p - 1));
        for (int64_t s = 0; s < p; ++s)
          EXPECT_DOUBLE_EQ(timeline.idleShare(s), static_cast<double>(p - 1) / static_cast<double>(m + p - 1))
              << name(kind) << ", " << p << " stages, " << m << " micro-batches, stage " << s;
      }
}

TEST(Timeline, MicroBatchesInFlight) {
  for (int64_t p = 2; p <= 9; ++p)
    for (int64_t m : {1, 2, 3, 5, 8, 16, 33}) {
      Stages gpipe = pipeline(Kind::GPipe, p, m), oneFOneB = pipeline(Kind::OneFOneB, p, m);
      for (int64_t s = 0; s < p; ++s) {
        EXPECT_EQ(maxInFlight(gpipe[s]), m);
        EXPECT_EQ(maxInFlight(oneFOneB[s]), std::min(p - s, m));
      }
    }
}

TEST(Timeline, TheSlowestStageSetsThePace) {
  std::vector<StageTimes> times(3, StageTimes{1, 2});
  times[1] = {2, 4};
  Timeline timeline = replay(pipeline(Kind::OneFOneB, 3, 64), times);
  EXPECT_EQ(timeline.busy[1], 64 * 6.0);
  EXPECT_LT(timeline.idleShare(1), 0.03);
  EXPECT_GT(timeline.idleShare(0), 0.5);
}

// Worked by hand: forward 1, backward 2, a transfer 1/2, two stages, one micro-batch; update 1.
TEST(Timeline, TransfersAndUpdatesTakeTime) {
  Timeline timeline = replay(pipeline(Kind::OneFOneB, 2, 1), std::vector<StageTimes>(2, StageTimes{1, 2, 1, 0.5}));
  // Stage 0: F 0-1, send 1-1.5, receive 1.5-5, B 5-7, U 7-8. Stage 1: receive 0-1.5, F 1.5-2.5, B 2.5-4.5, send 4.5-5,
  // U 5-6.
  ASSERT_EQ(timeline.entries[0].size(), 5u);
  EXPECT_EQ(timeline.entries[0][2].start, 1.5);
  EXPECT_EQ(timeline.entries[0][2].end, 5);
  EXPECT_EQ(timeline.entries[1][0].end, 1.5);
  EXPECT_EQ(timeline.entries[1][3].start, 4.5);
  EXPECT_EQ(timeline.makespan, 8);
  EXPECT_EQ(timeline.busy[0], 4);
  EXPECT_EQ(timeline.idleShare(1), 0.5);
}

//===----------------------------------------------------------------------===//
// The replay itself
//===----------------------------------------------------------------------===//

TEST(Rendezvous, AllOfAGroupMeet) {
  Event meet{1, {{0, 7, 2}}};
  Outcome outcome = rendezvous({{meet}, {{5}, meet}, {meet}}, {{0, 1, 2}});
  ASSERT_TRUE(outcome.completes());
  for (size_t party : {0, 1, 2})
    EXPECT_EQ(outcome.spans[party].back().end, 8);
}

TEST(Rendezvous, ContentsDiffer) {
  Outcome outcome = rendezvous({{{0, {{0, 1}}}}, {{3}, {0, {{0, 2}}}}}, {{0, 1}});
  ASSERT_TRUE(outcome.mismatch);
  EXPECT_EQ(outcome.mismatch->first, (Position{0, 0, 0}));
  EXPECT_EQ(outcome.mismatch->second, (Position{1, 1, 0}));
}

TEST(Rendezvous, SomebodyHasEnded) {
  Outcome outcome = rendezvous({{{1}}, {{0, {{0, 1}}}}}, {{0, 1}});
  ASSERT_EQ(outcome.waits.size(), 1u);
  EXPECT_EQ(outcome.waits[0], (Position{1, 0, 0}));
  EXPECT_EQ(outcome.ended, 0u);
}

TEST(Rendezvous, TheCycleIsNamedWithoutWhatLeadsToIt) {
  // 0 waits for 1; 1 and 2 enter groups 1 and 2 in different orders.
  Event a{0, {{0, 0}}}, b{0, {{1, 0}}}, c{0, {{2, 0}}};
  Outcome outcome = rendezvous({{a}, {b, c, a}, {c, b}}, {{0, 1}, {1, 2}, {2, 1}});
  ASSERT_EQ(outcome.waits.size(), 2u);
  EXPECT_EQ(outcome.waits[0], (Position{1, 0, 0}));
  EXPECT_EQ(outcome.waits[1], (Position{2, 0, 0}));
  EXPECT_FALSE(outcome.ended);
}

} // namespace
