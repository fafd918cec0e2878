//===- Watch.cpp - how long the ranks of a process wait -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/local/Watch.h"

#include <algorithm>

using namespace modelpar::runtime;
using std::chrono::steady_clock;

ProgressLedger::ProgressLedger(int64_t numRanks, SteadyTime start)
    : entries_(static_cast<size_t>(numRanks), Entry{0, start}) {}

void ProgressLedger::note(int64_t rank, int64_t usedNanoseconds, SteadyTime now) {
  constexpr int64_t kLeastShare = 1000;
  Entry &entry = entries_[static_cast<size_t>(rank)];
  const int64_t elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - entry.time).count();
  if (usedNanoseconds - entry.used > elapsed / kLeastShare)
    entry = {usedNanoseconds, now};
}

Watch::Watch(int64_t numRanks, std::chrono::duration<double> timeout)
    : timeout_(timeout), activities_(static_cast<size_t>(numRanks)), ledger_(numRanks, steady_clock::now()),
      awaited_(static_cast<size_t>(numRanks)) {}

void Watch::add(WaitingPlace &place) {
  std::lock_guard lock(mutex_);
  places_.push_back(&place);
}

SteadyTime Watch::lastProgress(WaitingPlace &place, int64_t member) {
  std::lock_guard lock(mutex_);
  const SteadyTime now = steady_clock::now();
  for (size_t rank = 0; rank < activities_.size(); ++rank)
    ledger_.note(static_cast<int64_t>(rank), activities_[rank].used(), now);
  std::fill(awaited_.begin(), awaited_.end(), char{0});
  place.markAwaited(member, awaited_);
  for (bool spreads = true; spreads;) {
    spreads = false;
    for (WaitingPlace *each : places_)
      spreads |= each->spread(awaited_);
  }
  SteadyTime last = SteadyTime::min();
  for (size_t rank = 0; rank < awaited_.size(); ++rank)
    if (awaited_[rank])
      last = std::max(last, ledger_.lastProgress(static_cast<int64_t>(rank)));
  return last;
}

/// Looks per timeout: often enough that a rank is given up soon after, seldom enough to cost nothing.
static constexpr int kLooks = 16;

static steady_clock::duration limited(std::chrono::duration<double> timeout) {
  constexpr double kForever = 1e9; // Seconds; no timeout was asked for.
  const double seconds = timeout.count() > 0 ? std::min(timeout.count(), kForever) : kForever;
  return std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds));
}

Patience::Patience(Watch &watch)
    : watch_(watch), timeout_(limited(watch.timeout())), deadline_(steady_clock::now() + timeout_),
      nextLook_(deadline_ - timeout_ + timeout_ / kLooks) {}

bool Patience::over(WaitingPlace &place, int64_t member) {
  const SteadyTime last = watch_.lastProgress(place, member), now = steady_clock::now();
  if (last > deadline_ - timeout_)
    deadline_ = last + timeout_;
  nextLook_ = std::min(deadline_, now + timeout_ / kLooks);
  return now >= deadline_;
}
