//===- WatchTest.cpp ------------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/local/Watch.h"

#include "test/unittests/Runtime/Spin.h"

#include <gtest/gtest.h>
#include <map>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using namespace std::chrono_literals;

namespace {

TEST(ProgressLedger, ProcessorTimeIsProgress) {
  const SteadyTime start{};
  ProgressLedger ledger(2, start);
  EXPECT_EQ(ledger.lastProgress(0), start);
  ledger.note(0, 500'000'000, start + 1s);
  ledger.note(1, 0, start + 1s);
  EXPECT_EQ(ledger.lastProgress(0), start + 1s);
  EXPECT_EQ(ledger.lastProgress(1), start);
  ledger.note(0, 500'000'000, start + 2s); // Nothing since.
  EXPECT_EQ(ledger.lastProgress(0), start + 1s);
}

TEST(ProgressLedger, AWakeUpNowAndThenIsNone) {
  const SteadyTime start{};
  ProgressLedger ledger(1, start);
  int64_t used = 0;
  for (int second = 1; second <= 60; ++second)
    ledger.note(0, used += 100'000, start + std::chrono::seconds(second)); // A ten-thousandth.
  EXPECT_EQ(ledger.lastProgress(0), start);
  // What is little per look adds up: a rank that gets two thousandths of a core is slow, not stuck.
  for (int look = 1; look <= 1000; ++look)
    ledger.note(0, used += 200'000, start + 60s + look * 100ms);
  EXPECT_GE(ledger.lastProgress(0), start + 159s);
}

/// Rank 'key' waits for rank 'value'; member and rank are the same.
class Place final : public WaitingPlace {
public:
  Place(std::initializer_list<std::pair<const int64_t, int64_t>> waits) : waits_(waits) {}
  void markAwaited(int64_t member, std::span<char> awaited) override { awaited[waits_.at(member)] = 1; }
  bool spread(std::span<char> awaited) override {
    bool isNew = false;
    for (auto [from, to] : waits_)
      if (awaited[from] && !awaited[to]) {
        awaited[to] = 1;
        isNew = true;
      }
    return isNew;
  }

private:
  std::map<int64_t, int64_t> waits_;
};

/// The last progress that rank 0 sees after `busy` has computed.
SteadyTime seenAfter(Watch &watch, Place &place, int64_t busy) {
  Activity::Member member(&watch.activity(busy));
  spin(20);
  return watch.lastProgress(place, 0);
}

TEST(Watch, FollowsWaitsFromPlaceToPlace) {
  Watch watch(5, 60s);
  Place second{{1, 2}}, first{{0, 1}, {3, 4}};
  watch.add(first);
  watch.add(second);
  const SteadyTime before = watch.lastProgress(first, 0);
  EXPECT_EQ(seenAfter(watch, first, 3), before); // Nobody that rank 0 needs.
  EXPECT_EQ(seenAfter(watch, first, 4), before);
  EXPECT_EQ(seenAfter(watch, first, 0), before); // Itself is not missing.
  const SteadyTime direct = seenAfter(watch, first, 1);
  EXPECT_GT(direct, before);
  EXPECT_GT(seenAfter(watch, first, 2), direct); // Rank 1 waits for rank 2.
}

TEST(Watch, ACircleOfWaitsEndsTheSearch) {
  Watch watch(3, 60s);
  Place place{{0, 1}, {1, 2}, {2, 0}};
  watch.add(place);
  const SteadyTime before = watch.lastProgress(place, 0);
  EXPECT_EQ(watch.lastProgress(place, 0), before);
  // Another stream of rank 0 computes, and rank 2 waits for it.
  EXPECT_GT(seenAfter(watch, place, 0), before);
}

TEST(Patience, IsOverWithoutProgressAlone) {
  Watch watch(2, 1us);
  Place place{{0, 1}};
  watch.add(place);
  watch.lastProgress(place, 0);
  Patience patience(watch);
  spin(1); // Of nobody: the microsecond is over.
  EXPECT_TRUE(patience.over(place, 0));
  Watch patient(2, 0s); // No timeout at all.
  EXPECT_FALSE(Patience(patient).over(place, 0));
}

} // namespace
