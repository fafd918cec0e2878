//===- NoAllocationTest.cpp - steps do not allocate -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A small training step with the real kernels: loads, compute, communication on a stream of its own, accumulation over
// micro-batches, on several ranks with several threads each. Between the first and the last step nobody allocates.
//
//===----------------------------------------------------------------------===//

#include "../PlanBuilder.h"
#include "AllocationCounter.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

TEST(AllocationCounter, CountsEveryKind) {
  startCountingAllocations();
  auto *number = new int(1);
  void *aligned = nullptr;
  int result = posix_memalign(&aligned, 64, 640);
  AllocationCount count = stopCountingAllocations();
  EXPECT_EQ(result, 0);
  EXPECT_EQ(count.calls, 2);
  EXPECT_EQ(count.bytes, 640 + static_cast<int64_t>(sizeof(int)));
  EXPECT_NE(count.firstCaller, nullptr);
  delete number;
  free(aligned);
}

/// y = gelu(x · w) · w', summed over tp on stream 1; the weight's gradient accumulated over micro-batches, then summed
/// over dp.
const Plan &trainingPlan(PlanBuilder &builder) {
  TypeId rows = builder.type({13, 24}, {{"dp", "mb"}, {}}), hidden = builder.type({13, 40}, {{"dp", "mb"}, {"tp"}});
  TypeId partialRows = builder.type({13, 24}, {{"dp", "mb"}, {}}, {"tp"});
  TypeId up = builder.type({24, 40}, {{}, {"tp"}}), down = builder.type({40, 24}, {{"tp"}, {}});
  TypeId partialDown = builder.type({40, 24}, {{"tp"}, {}}, {"mb", "dp"}),
         sumDown = builder.type({40, 24}, {{"tp"}, {}}, {"dp"});
  TypeId scalars = builder.type({planformat::kNumScalars}, {}, {}, DType::F64);
  builder.input("x", rows);
  BufferId weightUp = builder.buffer("up", up), weightDown = builder.buffer("down", down);
  BufferId gradient = builder.buffer("gradient", sumDown), reduced = builder.buffer("reduced", down);
  builder.buffer("scalars", scalars, 1, Buffer::Kind::Scalars);
  BufferId activations = builder.buffer("activations", hidden, 2);

  BodyBuilder layer = builder.block("layer.forward");
  ValueId x = layer.argument(rows, true), w = layer.argument(up, true), v = layer.argument(down, true);
  ValueId h = layer.argument(hidden, false), y = layer.argument(rows, false);
  ValueId before = layer.local(hidden), partial = layer.local(partialRows);
  layer.kernel("matmul", {x, w}, {before}, {{"subscripts", "bd,df->bf"}});
  layer.kernel("activation", {before}, {h}, {{"kind", "gelu"}});
  int32_t ready = layer.event(), done = layer.event();
  layer.kernel("matmul", {h, v}, {partial}, {{"subscripts", "bf,fd->bd"}}).record = ready;
  Instruction &reduce = layer.collective("all_reduce", {partial}, {y}, {"tp"});
  reduce.stream = 1;
  reduce.waits = {ready};
  reduce.record = done;
  layer.wait({done});

  BodyBuilder forward = builder.program("forward");
  ValueId loaded = forward.local(rows), middle = forward.local(rows), out = forward.local(rows);
  ValueId a = forward.buffer(weightUp), b = forward.buffer(weightDown), kept = forward.buffer(activations);
  forward.load("x", loaded);
  forward.call(0, {loaded, a, b}, {kept, middle}, 0);
  forward.call(0, {middle, a, b}, {kept, out}, 1);
  BodyBuilder backward = builder.program("backward");
  ValueId again = backward.local(rows), contribution = backward.local(partialDown);
  backward.load("x", again);
  backward.kernel("matmul", {backward.buffer(activations), again}, {contribution}, {{"subscripts", "bf,bd->fd"}});
  backward.accumulate(contribution, backward.buffer(gradient, sumDown));
  BodyBuilder update = builder.program("update");
  update.collective("all_reduce", {update.buffer(gradient)}, {update.buffer(reduced)}, {"dp"});
  for (auto [program, microBatch] : {std::pair{0, 0}, {0, 1}, {1, 0}, {0, 2}, {1, 1}, {1, 2}, {2, 0}})
    builder.run(program, microBatch);
  return builder.finish();
}

TEST(NoAllocation, BetweenTheFirstAndTheLastStep) {
  PlanBuilder builder({{"mb", 3}, {"dp", 2}, {"tp", 2}});
  const Plan &plan = trainingPlan(builder);
  RunRanksOptions options;
  options.executor.numThreads = 2;
  options.streamFuzz = 11;
  AllocationCount count;
  Status status = runRanks(plan, options, [&](Executor &executor) -> Status {
    IotaInputs inputs;
    StepScalars scalars;
    for (; scalars.step <= 6; ++scalars.step) {
      if (scalars.step == 2) { // Everybody's first step has ended, nobody's second has begun.
        MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("start"));
        if (executor.rank() == 0)
          startCountingAllocations();
        MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("counting"));
      }
      MODELPAR_RETURN_IF_ERROR(executor.runStep(scalars, inputs));
    }
    MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("end"));
    if (executor.rank() == 0)
      count = stopCountingAllocations();
    return executor.communicator().barrier("counted");
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(count.calls, 0) << count.bytes << " bytes, first from " << count.firstCaller;
}

} // namespace
