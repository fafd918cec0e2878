//===- LocalRanks.cpp - a thread per rank ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Thread.h"
#include "runtime/comm/local/LocalCommunicator.h"

#include <condition_variable>
#include <mutex>
#include <vector>

using namespace modelpar::runtime;

namespace {

/// How the ranks of one run end.
class Endings {
public:
  explicit Endings(int64_t numRanks) : running_(numRanks) {}

  void end(const Status &status) {
    std::lock_guard lock(mutex_);
    // The error that came first in time; Aborted only while nothing better is known.
    if (!status.ok() && (first_.ok() || (first_.code() == StatusCode::Aborted && status.code() != StatusCode::Aborted)))
      first_ = status;
    --running_;
    changed_.notify_all();
  }
  /// Waits for all ranks; calls `onStuck` when they have not ended `patience` after the first error.
  void waitForAll(std::chrono::duration<double> patience, const std::function<void(const Status &)> &onStuck) {
    std::unique_lock lock(mutex_);
    auto done = [this] { return running_ == 0; };
    changed_.wait(lock, [&] { return done() || !first_.ok(); });
    if (!onStuck || patience.count() <= 0 || changed_.wait_for(lock, patience, done))
      return;
    Status status = first_;
    lock.unlock();
    onStuck(status);
  }
  /// After all have ended.
  const Status &first() const { return first_; }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t running_;
  Status first_;
};

} // namespace

Status modelpar::runtime::runLocalRanks(int64_t worldSize, std::chrono::duration<double> timeout,
                                        const std::function<Status(Communicator &)> &body,
                                        const std::function<void(const Status &)> &onStuck) {
  LocalWorld world(worldSize, timeout);
  Endings endings(worldSize);
  auto runRank = [&](int64_t rank) {
    Activity::Member member(&world.activity(rank));
    std::unique_ptr<Communicator> communicator = world.communicator(rank);
    Status status = withoutExceptions([&] { return body(*communicator); }, "rank " + std::to_string(rank) + ": ");
    endings.end(status); // Before the others learn of it and end too.
    if (!status.ok())
      communicator->abort(status);
  };
  std::vector<std::thread> threads(static_cast<size_t>(worldSize));
  for (int64_t rank = 0; rank < worldSize; ++rank) {
    Status status = startThread([&runRank, rank] { runRank(rank); }, threads[static_cast<size_t>(rank)]);
    if (status.ok())
      continue;
    status = status.in("rank " + std::to_string(rank));
    for (int64_t rest = rank; rest < worldSize; ++rest)
      endings.end(status);
    world.communicator(rank)->abort(status);
    break;
  }
  endings.waitForAll(timeout, onStuck);
  for (std::thread &thread : threads)
    if (thread.joinable())
      thread.join();
  return endings.first();
}
