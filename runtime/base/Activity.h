//===- Activity.h - what the threads of a rank have done ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How the waiting tell the busy from the stuck. A thread that computes uses processor time, also in a kernel that runs
// for minutes; one that is blocked, asleep or gone uses none. Threads that wait for other ranks look at the clock now
// and then, so their time does not count.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_ACTIVITY_H
#define MODELPAR_RUNTIME_BASE_ACTIVITY_H

#include <cstdint>
#include <ctime>
#include <mutex>
#include <vector>

namespace modelpar::runtime {

/// The work of a group of threads. Thread-safe; outlives its members.
class Activity {
public:
  /// Nanoseconds of processor time that the members have used, those that are gone among them, waits left out. Never
  /// falls.
  int64_t used() const;

  /// While this lives, the calling thread is a member, and so are the threads that it starts by startThread(). Null: of
  /// nothing.
  class Member {
  public:
    explicit Member(Activity *activity);
    ~Member();
    Member(const Member &) = delete;
    Member &operator=(const Member &) = delete;

  private:
    friend class Activity;
    int64_t usedNow() const;

    Activity *activity_;
    Member *outer_;        ///< What the thread was a member of before.
    clockid_t clock_ = {}; ///< The thread's processor time.
    int64_t left_ = 0;     ///< Time that does not count: before it joined, and its waits.
    int64_t paused_ = -1;  ///< In a wait: what it had used before; -1 outside.
  };
  /// While this lives, the calling thread waits for others.
  class Pause {
  public:
    Pause();
    ~Pause();
    Pause(const Pause &) = delete;
    Pause &operator=(const Pause &) = delete;

  private:
    Member *member_;
  };
  /// What the calling thread is a member of, or null.
  static Activity *current();

private:
  mutable std::mutex mutex_;
  std::vector<Member *> members_;
  int64_t gone_ = 0; ///< Used by members that are no more.
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_ACTIVITY_H
