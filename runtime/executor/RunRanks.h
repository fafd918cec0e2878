//===- RunRanks.h - all ranks of a plan in this process -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread, a CPU device and an executor per rank over the `local` communicator.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_RUNRANKS_H
#define MODELPAR_RUNTIME_EXECUTOR_RUNRANKS_H

#include "runtime/executor/Executor.h"

#include <chrono>
#include <functional>

namespace modelpar::runtime {

struct RunRanksOptions {
  ExecutorOptions executor;
  std::optional<uint64_t> streamFuzz;        ///< --stream-fuzz
  std::chrono::duration<double> timeout{60}; ///< --timeout: of a rank that waits for others, while
                                             ///< none of them makes progress
  /// Called with the first error when some rank has not ended a further `timeout` after it (stuck in a kernel): end the
  /// process.
  std::function<void(const Status &)> onStuck;
};

/// Threads that runRanks starts for the plan's ranks: for each its own ones and one per stream of its stage.
int64_t plannedThreads(const planformat::Plan &plan, int threadsPerRank);

/// Calls `body(executor)` for every rank of the plan's mesh, each in its own thread, after the executor is loaded.
/// Returns the error that came first (never Aborted when some rank has a reason of its own); the other ranks are
/// stopped.
Status runRanks(const planformat::Plan &plan, const RunRanksOptions &options,
                const std::function<Status(Executor &)> &body);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_RUNRANKS_H
