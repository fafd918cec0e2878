//===- ExchangeBoard.cpp - where the members of a local group exchange ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All state is under one mutex, the copies are not: a transfer that is moving keeps both members in their calls.
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/local/ExchangeBoard.h"

#include <algorithm>
#include <cstring>

using namespace modelpar::runtime;
using State = Transfer::State;

static Transfer *findState(std::span<Transfer> transfers, State state) {
  auto found = std::find_if(transfers.begin(), transfers.end(), [&](const Transfer &t) { return t.state == state; });
  return found == transfers.end() ? nullptr : &*found;
}

bool ExchangeBoard::receiveOne(std::unique_lock<std::mutex> &lock, int64_t member, std::span<Transfer> transfers,
                               Result &result) {
  // In list order on both sides: the n-th receive from a member meets its n-th send.
  for (Transfer &mine : transfers) {
    if (mine.direction != Transfer::Direction::Receive || mine.state != State::Posted)
      continue;
    std::span<Transfer> theirs = posted_[static_cast<size_t>(mine.peer)];
    auto send = std::find_if(theirs.begin(), theirs.end(), [&](const Transfer &t) {
      return t.direction == Transfer::Direction::Send && t.peer == member && t.state == State::Posted;
    });
    if (send == theirs.end())
      continue;
    if (send->bytes != mine.bytes) {
      result = {Outcome::Mismatch, &mine, send->bytes};
      return false;
    }
    mine.state = send->state = State::Moving;
    lock.unlock();
    if (mine.bytes > 0)
      std::memcpy(mine.data, send->data, static_cast<size_t>(mine.bytes));
    lock.lock();
    mine.state = send->state = State::Done;
    changed_.notify_all();
    return true;
  }
  return false;
}

ExchangeBoard::Result ExchangeBoard::run(int64_t member, std::span<Transfer> transfers, Patience &patience) {
  std::unique_lock lock(mutex_);
  for (Transfer &transfer : transfers)
    transfer.state = State::Posted;
  posted_[static_cast<size_t>(member)] = transfers;
  changed_.notify_all();
  Result result;
  bool over = false;
  while (true) {
    if (aborted_) {
      result.outcome = Outcome::Aborted;
      break;
    }
    if (receiveOne(lock, member, transfers, result))
      continue;
    if (result.outcome == Outcome::Mismatch ||
        (!findState(transfers, State::Posted) && !findState(transfers, State::Moving)))
      break;
    // A peer that is copying has come in time.
    if (over && !findState(transfers, State::Moving)) {
      result.outcome = Outcome::TimedOut;
      break;
    }
    Activity::Pause pause;
    over = false;
    if (changed_.wait_until(lock, patience.nextLook()) == std::cv_status::no_timeout)
      continue;
    lock.unlock();
    over = patience.over(*this, member);
    lock.lock();
  }
  if (result.outcome != Outcome::Done) {
    aborted_ = true; // Nobody may meet a member that has given up.
    changed_.notify_all();
    changed_.wait(lock, [&] { return !findState(transfers, State::Moving); });
    if (!result.transfer)
      result.transfer = findState(transfers, State::Posted);
  }
  posted_[static_cast<size_t>(member)] = {};
  return result;
}

void ExchangeBoard::abort() {
  std::lock_guard lock(mutex_);
  aborted_ = true;
  changed_.notify_all();
}

bool ExchangeBoard::mark(size_t member, std::span<char> awaited) const {
  bool isNew = false;
  for (const Transfer &transfer : posted_[member])
    if (char &mark = awaited[static_cast<size_t>(ranks_[static_cast<size_t>(transfer.peer)])];
        transfer.state != State::Done && !mark)
      mark = 1, isNew = true;
  return isNew;
}

void ExchangeBoard::markAwaited(int64_t member, std::span<char> awaited) {
  std::lock_guard lock(mutex_);
  mark(static_cast<size_t>(member), awaited);
}

bool ExchangeBoard::spread(std::span<char> awaited) {
  std::lock_guard lock(mutex_);
  bool isNew = false;
  for (size_t i = 0; i < ranks_.size(); ++i)
    if (awaited[static_cast<size_t>(ranks_[i])])
      isNew |= mark(i, awaited);
  return isNew;
}
