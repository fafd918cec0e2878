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

#include "runtime/comm/local/LocalCommunicator.h"
#include "runtime/device/cpu/CpuDevice.h"

using namespace modelpar;
using namespace modelpar::runtime;

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
  return runLocalRanks(plan.mesh.numRanks(), options.timeout, runRank, options.onStuck);
}
