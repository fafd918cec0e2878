//===- Activity.cpp - what the threads of a rank have done ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// POSIX clocks of single threads.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Activity.h"

#include <algorithm>
#include <pthread.h>

using namespace modelpar::runtime;

static thread_local Activity::Member *membership = nullptr;

/// Not a clock: reading it fails, so a thread without one counts as idle.
static constexpr clockid_t kNoClock = 0x7fff;

static int64_t read(clockid_t clock) {
  timespec time = {};
  return ::clock_gettime(clock, &time) == 0 ? time.tv_sec * int64_t{1000000000} + time.tv_nsec : 0;
}

int64_t Activity::Member::usedNow() const { return paused_ >= 0 ? paused_ : read(clock_) - left_; }

Activity::Member::Member(Activity *activity) : activity_(activity), outer_(membership) {
  if (!activity_)
    return;
  if (::pthread_getcpuclockid(::pthread_self(), &clock_) != 0)
    clock_ = kNoClock;
  left_ = read(clock_);
  std::lock_guard lock(activity_->mutex_);
  activity_->members_.push_back(this);
  membership = this;
}

Activity::Member::~Member() {
  if (!activity_)
    return;
  membership = outer_;
  std::lock_guard lock(activity_->mutex_);
  activity_->gone_ += usedNow();
  std::erase(activity_->members_, this);
}

int64_t Activity::used() const {
  std::lock_guard lock(mutex_);
  int64_t total = gone_;
  for (const Member *member : members_)
    total += member->usedNow();
  return total;
}

Activity *Activity::current() { return membership ? membership->activity_ : nullptr; }

Activity::Pause::Pause() : member_(membership) {
  if (!member_)
    return;
  std::lock_guard lock(member_->activity_->mutex_);
  member_->paused_ = member_->usedNow();
}

Activity::Pause::~Pause() {
  if (!member_)
    return;
  std::lock_guard lock(member_->activity_->mutex_);
  member_->left_ = read(member_->clock_) - member_->paused_;
  member_->paused_ = -1;
}
