//===- LocalCommunicator.h - ranks that are threads of one process --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The embedded default. Members read each other's tensors directly, under barriers.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_LOCAL_LOCALCOMMUNICATOR_H
#define MODELPAR_RUNTIME_COMM_LOCAL_LOCALCOMMUNICATOR_H

#include "runtime/base/Activity.h"
#include "runtime/comm/Communicator.h"

#include <chrono>
#include <functional>

namespace modelpar::runtime {

/// What the ranks share. Thread-safe.
class LocalWorld {
public:
  LocalWorld(int64_t size, std::chrono::duration<double> timeout);
  ~LocalWorld();
  LocalWorld(const LocalWorld &) = delete;
  LocalWorld &operator=(const LocalWorld &) = delete;

  int64_t size() const;
  /// The end of `rank`; must be gone before the world.
  std::unique_ptr<Communicator> communicator(int64_t rank);

  /// What the threads of `rank` are to be members of: their work tells waiting ranks that it is alive. Without members
  /// it counts as idle.
  Activity &activity(int64_t rank);

  struct State;

private:
  std::unique_ptr<State> state_;
};

/// Runs `body(communicator)` for each rank in a thread of its own and returns the error that came first, if any; a rank
/// that returns an error aborts the others. OutOfThreads when not all threads could be started. A thread cannot be
/// killed: when some rank has not ended `timeout` after the first error, it is stuck outside any collective, and
/// `onStuck(error)` is called by the calling thread (a main program ends the process there).
Status runLocalRanks(int64_t worldSize, std::chrono::duration<double> timeout,
                     const std::function<Status(Communicator &)> &body,
                     const std::function<void(const Status &)> &onStuck = {});

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_LOCAL_LOCALCOMMUNICATOR_H
