//===- RunRanks.cpp - all ranks of a plan in this process -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ranks come up side by side; the first real error wins.
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/RunRanks.h"

#include "runtime/base/Thread.h"
#include "runtime/comm/local/LocalCommunicator.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/executor/Binding.h"

using namespace modelpar;
using namespace modelpar::runtime;

int64_t modelpar::runtime::plannedThreads(const planformat::Plan &plan, int threadsPerRank) {
  const int64_t stages = std::max<int64_t>(1, static_cast<int64_t>(plan.stages.size()));
  int64_t perPipeline = 0; // A rank of each stage. The rank's own thread works in its pool.
  for (const planformat::Stage &stage : plan.stages)
    perPipeline += threadsPerRank + numStreams(plan, stage);
  return plan.mesh.numRanks() / stages * perPipeline;
}

/// The status with how many threads the plan takes, and what bounds them.
static Status explainThreads(const planformat::Plan &plan, int threadsPerRank, const Status &status) {
  const std::string limits = describeThreadLimits();
  std::string message = status.message() + "; the " + std::to_string(plan.mesh.numRanks()) +
                        " ranks of the plan take " + std::to_string(plannedThreads(plan, threadsPerRank)) +
                        " threads, each " + std::to_string(threadsPerRank) + " and one per stream" +
                        (limits.empty() ? "" : ", and " + limits);
  message += threadsPerRank > 1 ? "; a smaller --threads-per-rank takes fewer" : "; a plan for fewer ranks takes fewer";
  return {status.code(), message};
}

Status modelpar::runtime::runRanks(const planformat::Plan &plan, const RunRanksOptions &options,
                                   const std::function<Status(Executor &)> &body) {
  auto runRank = [&](Communicator &communicator) -> Status {
    CpuDeviceOptions deviceOptions;
    deviceOptions.fuzzSeed = options.streamFuzz;
    deviceOptions.rank = static_cast<int>(communicator.rank());
    std::unique_ptr<Device> device = createCpuDevice(deviceOptions);
    std::unique_ptr<Executor> executor;
    MODELPAR_RETURN_IF_ERROR(Executor::create(plan, *device, communicator, options.executor, executor));
    Status status = body(*executor);
    if (!status.ok())
      communicator.abort(status); // Before the executor waits for its streams, which may wait for peers.
    return status;
  };
  Status status = runLocalRanks(plan.mesh.numRanks(), options.timeout, runRank, options.onStuck);
  return status.code() == StatusCode::OutOfThreads ? explainThreads(plan, options.executor.numThreads, status) : status;
}
