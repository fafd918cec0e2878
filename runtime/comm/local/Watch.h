//===- Watch.h - how long the ranks of a process wait ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A busy rank is not a missing one. The timeout bounds how long a rank waits while none of those it depends on makes
// progress: the ranks that have not come to it, those that these wait for, and so on. Progress is processor time
// (base/Activity.h), so a rank inside one long kernel is alive, and one that is blocked, asleep, gone or in a circle of
// waits is not.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_LOCAL_WATCH_H
#define MODELPAR_RUNTIME_COMM_LOCAL_WATCH_H

#include "runtime/base/Activity.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

namespace modelpar::runtime {

using SteadyTime = std::chrono::steady_clock::time_point;

/// When each rank was last seen to have made progress. Knows no clock.
class ProgressLedger {
public:
  ProgressLedger(int64_t numRanks, SteadyTime start);
  /// At `now` the rank has used that much processor time in all. Less than a thousandth of the time since its last
  /// progress is none: a blocked thread may wake up now and then.
  void note(int64_t rank, int64_t usedNanoseconds, SteadyTime now);
  SteadyTime lastProgress(int64_t rank) const { return entries_[static_cast<size_t>(rank)].time; }

private:
  struct Entry {
    int64_t used = 0;
    SteadyTime time;
  };
  std::vector<Entry> entries_;
};

/// A place where ranks wait for each other. Thread-safe.
class WaitingPlace {
public:
  virtual ~WaitingPlace() = default;
  /// Sets awaited[rank] for the ranks that a waiting member waits for here.
  virtual void markAwaited(int64_t member, std::span<char> awaited) = 0;
  /// The same for all members that wait here and are awaited themselves; true when a mark is new.
  virtual bool spread(std::span<char> awaited) = 0;
};

/// What the ranks know of each other's progress. Thread-safe.
class Watch {
public:
  Watch(int64_t numRanks, std::chrono::duration<double> timeout);
  /// `timeout` <= 0: for ever.
  std::chrono::duration<double> timeout() const { return timeout_; }
  /// What the threads of a rank are members of.
  Activity &activity(int64_t rank) { return activities_[static_cast<size_t>(rank)]; }
  /// Places outlive the watch.
  void add(WaitingPlace &place);
  /// When any of the ranks that `member` waits for at `place`, directly or not, last made progress. The caller holds no
  /// lock of a place. Does not allocate.
  SteadyTime lastProgress(WaitingPlace &place, int64_t member);

private:
  const std::chrono::duration<double> timeout_;
  std::deque<Activity> activities_;
  std::mutex mutex_; ///< Taken before those of places.
  std::vector<WaitingPlace *> places_;
  ProgressLedger ledger_;
  std::vector<char> awaited_; ///< By rank.
};

/// One call's.
class Patience {
public:
  explicit Patience(Watch &watch);
  /// When to look whether to go on.
  SteadyTime nextLook() const { return nextLook_; }
  /// After nextLook(): true when the time is up, else there is a new one. The caller holds no lock of a place.
  bool over(WaitingPlace &place, int64_t member);

private:
  Watch &watch_;
  std::chrono::steady_clock::duration timeout_;
  SteadyTime deadline_, nextLook_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_LOCAL_WATCH_H
