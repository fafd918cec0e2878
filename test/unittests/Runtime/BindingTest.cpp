//===- BindingTest.cpp - what a rank keeps of a plan ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExecutorTesting.h"

#include "runtime/comm/local/LocalCommunicator.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/executor/Binding.h"
#include "runtime/executor/CollectiveGeometry.h"

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

/// 6 rows a micro-batch and 3 in the last one, gathered over two ranks.
struct GatherPlan {
  PlanBuilder builder;
  explicit GatherPlan(int64_t microBatches) : builder({{"mb", microBatches}, {"dp", 2}}) {
    const int64_t rows = 6 * microBatches - 3;
    TypeId part = builder.type({rows, 5}, {{"mb", "dp"}, {}}), whole = builder.type({rows, 5}, {{"mb"}, {}});
    BodyBuilder body = builder.program("main");
    ValueId in = body.local(part), out = body.local(whole);
    body.kernel("iota", {}, {in});
    body.collective("all_gather", {in}, {out}, {"dp"}, 0);
    for (int64_t m = 0; m < microBatches; ++m)
      builder.run(0, static_cast<int32_t>(m));
    builder.finish();
  }
};

Status bind(const Plan &plan, const std::function<Status(Binding &)> &check) {
  ExecutorOptions executor;
  executor.registry = &testKernels();
  return runLocalRanks(plan.mesh.numRanks(), std::chrono::duration<double>(30),
                       [&](Communicator &communicator) -> Status {
                         std::unique_ptr<Device> device = createCpuDevice({});
                         Binding binding(plan, *device, communicator, executor);
                         MODELPAR_RETURN_IF_ERROR(binding.load());
                         return check(binding);
                       });
}

TEST(Binding, ShapesOfAllMicroBatchesAreThoseOfTheMesh) {
  GatherPlan gather(7);
  const Plan &plan = gather.builder.plan;
  EXPECT_OK(bind(plan, [&](Binding &binding) -> Status {
    for (int64_t m = 0; m < 7; ++m) {
      for (size_t t = 0; t < plan.types.size(); ++t) {
        const std::vector<sharding::Range> ranges =
            sharding::shardRanges(plan.mesh, plan.types[t].shape, plan.types[t].sharding,
                                  sharding::coordinatesOf(plan.mesh, binding.communicator.rank(), m));
        const TensorView view = binding.views.view(static_cast<TypeId>(t), m);
        for (size_t d = 0; d < ranges.size(); ++d)
          EXPECT_EQ((sharding::Range{view.offsets[d], view.extents[d]}), ranges[d]);
      }
      const BoundInstruction &bound = binding.programs[0].instructions[1];
      Collective collective;
      collective.label = bound.label();
      MODELPAR_RETURN_IF_ERROR(describeCollective(plan, *bound.body, *bound.instruction, *bound.group, m, collective));
      EXPECT_EQ(bound.collectives.at(m), collective);
    }
    return {};
  }));
}

TEST(Binding, DoesNotGrowWithMicroBatches) {
  size_t bytes[2] = {0, 0};
  for (size_t i = 0; i < 2; ++i) {
    GatherPlan gather(i == 0 ? 4 : 512);
    EXPECT_OK(bind(gather.builder.plan, [&](Binding &binding) -> Status {
      if (binding.communicator.rank() == 0)
        bytes[i] = binding.views.bytes();
      const Collectives &collectives = binding.programs[0].instructions[1].collectives;
      EXPECT_EQ(collectives.different().size(), 2u); // Micro-batches of 6 rows, and that of 3.
      EXPECT_EQ(collectives.numRuns(), 2u);
      EXPECT_EQ(binding.lists.size(), 1u);
      return {};
    }));
  }
  EXPECT_GT(bytes[0], 0u);
  EXPECT_EQ(bytes[0], bytes[1]);
}

/// Stage 0 sends a buffer of two slots for every micro-batch, stage 1 receives it.
TEST(Binding, ExchangesOfTheSameSlotsShareTheirTransfers) {
  for (int64_t microBatches : {4, 64}) {
    PlanBuilder builder({{"mb", microBatches}, {"pp", 2}});
    TypeId type = builder.type({4 * microBatches - 1, 3}, {{"mb"}, {}});
    for (int32_t s = 0; s < 2; ++s) {
      using Direction = planformat::Channel::Direction;
      builder.select(static_cast<size_t>(s));
      BufferId act = builder.buffer("act", type, 2);
      BodyBuilder body = builder.program("main");
      if (s == 0)
        body.kernel("iota", {}, {body.buffer(act)});
      else
        body.kernel("scale", {body.buffer(act)}, {body.local(type)}, {{"factor", int64_t{2}}});
      int32_t channel = builder.channel(s == 0 ? Direction::Send : Direction::Receive, 1 - s, {act});
      for (int32_t m = 0; m < microBatches; ++m) {
        if (s == 0)
          builder.run(0, m);
        builder.exchange({{channel, m}});
        if (s == 1)
          builder.run(0, m);
      }
    }
    EXPECT_OK(bind(builder.finish(), [](Binding &binding) -> Status {
      EXPECT_EQ(binding.boundExchanges.size(), 2u);
      return {};
    }));
    // 4 rows of 3 floats in each micro-batch but the last, which has 3.
    EXPECT_OK(runSteps(builder.plan, options(1), 2, [&](Executor &executor) -> Status {
      const int64_t expected = 2 * (4 * microBatches - 1) * 3 * 4;
      for (const Traffic &traffic : executor.traffic())
        if (executor.rank() == 0 && traffic.bytes != expected)
          return Status::internal(std::to_string(traffic.bytes) + " bytes sent, expected " + std::to_string(expected));
      return {};
    }));
  }
}

} // namespace
