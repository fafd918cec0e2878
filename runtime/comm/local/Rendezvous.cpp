//===- Rendezvous.cpp - where the members of a local group meet -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All state is under one mutex; offers are read without it, between two meetings that order the reads after the writes.
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/local/Rendezvous.h"

using namespace modelpar::runtime;

Rendezvous::Rendezvous(std::vector<int64_t> ranks)
    : ranks_(std::move(ranks)), offers_(ranks_.size()), present_(ranks_.size(), false) {}

Rendezvous::Outcome Rendezvous::meet(std::unique_lock<std::mutex> &lock, int64_t member, bool working,
                                     Patience &patience) {
  auto quiet = [this] { return working_ == 0; };
  if (aborted_) {
    changed_.wait(lock, quiet);
    return Outcome::Aborted;
  }
  uint64_t generation = generation_;
  present_[static_cast<size_t>(member)] = true;
  if (++arrived_ == ranks_.size()) {
    arrived_ = 0;
    present_.assign(ranks_.size(), false);
    ++generation_;
    working_ = working ? ranks_.size() : 0;
    changed_.notify_all();
    return Outcome::Met;
  }
  auto waits = [&] { return generation_ == generation && !aborted_; };
  bool over = false;
  {
    Activity::Pause pause;
    while (waits() && !over) {
      if (changed_.wait_until(lock, patience.nextLook()) == std::cv_status::no_timeout || !waits())
        continue;
      lock.unlock();
      over = patience.over(*this, member);
      lock.lock();
    }
  }
  const bool timedOut = over && waits();
  if (generation_ != generation)
    return Outcome::Met; // Even if aborted since: the peers count on this member's work to end.
  aborted_ = true;       // After a timeout too: nobody may meet a member that has given up.
  changed_.notify_all();
  changed_.wait(lock, quiet);
  return timedOut ? Outcome::TimedOut : Outcome::Aborted;
}

Rendezvous::Outcome Rendezvous::enter(int64_t member, const Offer &offer, Patience &patience) {
  std::unique_lock lock(mutex_);
  offers_[static_cast<size_t>(member)] = offer;
  return meet(lock, member, /*working=*/true, patience);
}

Rendezvous::Outcome Rendezvous::next(int64_t member, bool working, Patience &patience) {
  std::unique_lock lock(mutex_);
  if (--working_ == 0)
    changed_.notify_all();
  return meet(lock, member, working, patience);
}

void Rendezvous::leave() {
  std::unique_lock lock(mutex_);
  aborted_ = true;
  --working_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return working_ == 0; });
}

void Rendezvous::abort() {
  std::lock_guard lock(mutex_);
  aborted_ = true;
  changed_.notify_all();
}

std::string Rendezvous::list(bool present) {
  std::lock_guard lock(mutex_);
  std::string text;
  for (size_t i = 0; i < ranks_.size(); ++i)
    if (present_[i] == present)
      text += (text.empty() ? "" : ", ") + std::to_string(ranks_[i]);
  return text;
}

bool Rendezvous::mark(size_t member, std::span<char> awaited) const {
  bool isNew = false;
  for (size_t i = 0; i < ranks_.size() && present_[member]; ++i)
    if (char &mark = awaited[static_cast<size_t>(ranks_[i])]; !present_[i] && !mark)
      mark = 1, isNew = true;
  return isNew;
}

void Rendezvous::markAwaited(int64_t member, std::span<char> awaited) {
  std::lock_guard lock(mutex_);
  mark(static_cast<size_t>(member), awaited);
}

bool Rendezvous::spread(std::span<char> awaited) {
  std::lock_guard lock(mutex_);
  bool isNew = false;
  // All who wait here wait for the same ranks.
  for (size_t i = 0; i < ranks_.size() && !isNew; ++i)
    if (present_[i] && awaited[static_cast<size_t>(ranks_[i])])
      isNew = mark(i, awaited);
  return isNew;
}
