//===- ExecutorTesting.h - running small plans in tests -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_RUNTIME_EXECUTORTESTING_H
#define MODELPAR_TEST_UNITTESTS_RUNTIME_EXECUTORTESTING_H

#include "PlanBuilder.h"

#include <gtest/gtest.h>

namespace modelpar::runtime::test {

inline RunRanksOptions options(std::optional<uint64_t> seed = {}, double timeout = 30) {
  RunRanksOptions result;
  result.executor.registry = &testKernels();
  result.streamFuzz = seed;
  result.timeout = std::chrono::duration<double>(timeout);
  return result;
}

inline Status runSteps(const Plan &plan, const RunRanksOptions &options, int64_t steps,
                       const std::function<Status(Executor &)> &check) {
  return runRanks(plan, options, [&](Executor &executor) -> Status {
    IotaInputs inputs;
    for (int64_t step = 1; step <= steps; ++step) {
      StepScalars scalars;
      scalars.step = step;
      MODELPAR_RETURN_IF_ERROR(executor.runStep(scalars, inputs));
    }
    return check(executor);
  });
}

/// Every element of the rank's shard is what `expected` says of its global index.
inline Status expectBuffer(Executor &executor, BufferId buffer, const std::function<double(int64_t)> &expected,
                           int64_t microBatch = 0) {
  TensorView view = executor.bufferView(buffer, microBatch);
  for (int64_t i = 0; i < view.numElements(); ++i)
    if (double found = static_cast<double>(view.as<float>()[i]), wanted = expected(globalIndex(view, i));
        found != wanted)
      return Status::internal("rank " + std::to_string(executor.rank()) + ", buffer " +
                              executor.stage().buffers[static_cast<size_t>(buffer)].name + ", element " +
                              std::to_string(globalIndex(view, i)) + ": " + std::to_string(found) + ", expected " +
                              std::to_string(wanted));
  return {};
}

#define EXPECT_OK(expression)                                                                                          \
  do {                                                                                                                 \
    Status status = (expression);                                                                                      \
    EXPECT_TRUE(status.ok()) << status.message();                                                                      \
  } while (false)

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_UNITTESTS_RUNTIME_EXECUTORTESTING_H
