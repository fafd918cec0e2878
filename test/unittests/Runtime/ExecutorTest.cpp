//===- ExecutorTest.cpp - plans, executed ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Order by events, slots, frames, uneven and empty shards, scalars.
//
//===----------------------------------------------------------------------===//

#include "ExecutorTesting.h"

#include "runtime/base/Thread.h"

#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

struct EventPlan {
  PlanBuilder builder{{{"tp", 2}}};
  BufferId result;

  /// Compute fills a value, the other stream reduces it, compute reads it, several times over the same bytes; every
  /// order needs an event. `drop` leaves out the wait of the reader.
  explicit EventPlan(bool drop) {
    TypeId whole = builder.type({64}), partial = builder.type({64}, {}, {"tp"});
    result = builder.buffer("result", whole);
    BodyBuilder body = builder.program("main");
    ValueId sum = body.buffer(result), scratch = body.local(partial), reduced = body.local(whole),
            scaled = body.local(whole);
    body.kernel("iota", {}, {sum});
    int32_t consumed = -1;
    for (int i = 0; i < 4; ++i) {
      int32_t filled = body.event(), arrived = body.event();
      Instruction &fill = body.kernel("iota", {}, {scratch});
      fill.record = filled;
      Instruction &reduce = body.collective("all_reduce", {scratch}, {reduced}, {"tp"});
      reduce.stream = 1;
      reduce.waits = {filled};
      if (consumed >= 0)
        reduce.waits.push_back(consumed);
      reduce.record = arrived;
      Instruction &scale = body.kernel("scale", {reduced}, {scaled}, {{"factor", int64_t{3}}});
      if (!drop)
        scale.waits = {arrived};
      Instruction &add = body.kernel("add", {sum, scaled}, {sum});
      consumed = add.record = body.event();
      if (i < 3) { // The next fill must not overtake this reduction.
        Instruction &erase = body.kernel("scale", {scratch}, {scratch}, {{"factor", int64_t{0}}});
        if (!drop)
          erase.waits = {arrived};
      }
    }
    body.wait({body.body().instructions[body.body().instructions.size() - 3].record});
    builder.run(0);
    builder.finish();
  }
  static double expected(int64_t i) { return static_cast<double>(i + 4 * 3 * 2 * i); }
};

TEST(Executor, EventsOrderStreamsUnderFuzz) {
  EventPlan plan(/*drop=*/false);
  for (uint64_t seed = 1; seed <= 8; ++seed)
    EXPECT_OK(runSteps(plan.builder.plan, options(seed), 3,
                       [&](Executor &executor) { return expectBuffer(executor, plan.result, EventPlan::expected); }));
}

#ifndef __SANITIZE_THREAD__ // It would rightly report the race.
TEST(Executor, AMissingEventShowsUnderFuzz) {
  EventPlan plan(/*drop=*/true);
  int wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    wrong += !runSteps(plan.builder.plan, options(seed), 1, [&](Executor &executor) {
                return expectBuffer(executor, plan.result, EventPlan::expected);
              }).ok();
  EXPECT_GT(wrong, 0);
}
#endif

TEST(Executor, ABodyForksItsStreams) {
  // The second program's first instruction is on stream 1 and reads what stream 0 of the first one wrote, without an
  // event.
  PlanBuilder builder({{"tp", 2}});
  TypeId whole = builder.type({16}), partial = builder.type({16}, {}, {"tp"});
  BufferId source = builder.buffer("source", partial), result = builder.buffer("result", whole);
  BodyBuilder first = builder.program("first");
  first.kernel("iota", {}, {first.buffer(source)});
  BodyBuilder second = builder.program("second");
  int32_t done = second.event();
  Instruction &reduce = second.collective("all_reduce", {second.buffer(source)}, {second.buffer(result)}, {"tp"});
  reduce.stream = 1;
  reduce.record = done;
  second.wait({done});
  builder.run(0);
  builder.run(1);
  for (uint64_t seed = 1; seed <= 8; ++seed)
    EXPECT_OK(runSteps(builder.finish(), options(seed), 2, [&](Executor &executor) {
      return expectBuffer(executor, result, [](int64_t i) { return 2.0 * static_cast<double>(i); });
    }));
}

//===----------------------------------------------------------------------===//
// Memory: slots, frames, aliases
//===----------------------------------------------------------------------===//

TEST(Executor, SlotsKeepMicroBatchesApart) {
  // Three micro-batches, two in flight: forward 0, 1, backward 0, forward 2 (reuses slot 0), backward 1, 2.
  PlanBuilder builder({{"mb", 3}});
  TypeId rows = builder.type({6, 2}, {{"mb"}, {}}), summed = builder.type({2, 2});
  builder.input("x", rows);
  BufferId activation = builder.buffer("activation", rows, 2), sum = builder.buffer("sum", summed);
  BodyBuilder forward = builder.program("forward");
  ValueId loaded = forward.local(rows);
  forward.load("x", loaded);
  forward.kernel("scale", {loaded}, {forward.buffer(activation)}, {{"factor", int64_t{2}}});
  BodyBuilder backward = builder.program("backward");
  // The sum's type has the extents of one micro-batch: enough to see which data were there.
  ValueId copy = backward.local(summed);
  backward.kernel("scale", {backward.buffer(activation)}, {copy}, {{"factor", int64_t{1}}});
  backward.accumulate(copy, backward.buffer(sum));
  for (auto [program, microBatch] : {std::pair{0, 0}, {0, 1}, {1, 0}, {0, 2}, {1, 1}, {1, 2}})
    builder.run(program, microBatch);
  EXPECT_OK(runSteps(builder.finish(), options(3), 2, [&](Executor &executor) {
    // Rows r, r+2, r+4 of the input at step 2, doubled. The first micro-batch of the step wrote, it did not add to step
    // 1's.
    return expectBuffer(executor, sum, [](int64_t i) { return 2.0 * static_cast<double>(3 * i + 4 + 8 + 3 * 2000); });
  }));
}

TEST(Executor, NestedCallsHaveFramesAndInstances) {
  PlanBuilder builder({{"tp", 1}});
  TypeId type = builder.type({4});
  BufferId result = builder.buffer("result", type), instance = builder.buffer("instance", type);
  BodyBuilder inner = builder.block("inner"); // out = 10 · in, through a local
  ValueId in = inner.argument(type, true), out = inner.argument(type, false), temporary = inner.local(type);
  inner.kernel("scale", {in}, {temporary}, {{"factor", int64_t{5}}});
  inner.kernel("scale", {inner.alias(temporary, type)}, {out}, {{"factor", int64_t{2}}});
  BodyBuilder outer = builder.block("outer"); // out = in + inner(in) + inner(inner(in)), shown = instance
  ValueId x = outer.argument(type, true), y = outer.argument(type, false), shown = outer.argument(type, false);
  ValueId once = outer.local(type), twice = outer.local(type);
  outer.call(0, {x}, {once}, 7);
  outer.call(0, {once}, {twice}, 8);
  outer.kernel("add", {x, once}, {y});
  outer.kernel("add", {y, twice}, {y});
  outer.kernel("instance", {}, {shown});
  BodyBuilder main = builder.program("main");
  ValueId start = main.local(type), middle = main.local(type);
  main.kernel("iota", {}, {start});
  main.call(1, {start}, {middle, main.buffer(instance)}, 1);
  main.call(1, {middle}, {main.buffer(result), main.buffer(instance)}, 2);
  builder.run(0);
  EXPECT_OK(runSteps(builder.finish(), options(5), 2, [&](Executor &executor) {
    MODELPAR_RETURN_IF_ERROR(expectBuffer(executor, instance, [](int64_t) { return 2.0; }));
    return expectBuffer(executor, result, [](int64_t i) { return 111.0 * 111.0 * static_cast<double>(i); });
  }));
}

//===----------------------------------------------------------------------===//
// Shards
//===----------------------------------------------------------------------===//

TEST(Executor, CollectivesOfUnevenShards) {
  // 7 over 3 ranks: 3, 3, 1; 4 over 3: 2, 2, 0.
  PlanBuilder builder({{"tp", 3}});
  TypeId rows = builder.type({7, 4}, {{"tp"}, {}}), columns = builder.type({7, 4}, {{}, {"tp"}}),
         whole = builder.type({7, 4});
  TypeId partial = builder.type({7, 4}, {}, {"tp"});
  BufferId gathered = builder.buffer("gathered", whole), exchanged = builder.buffer("exchanged", columns);
  BufferId back = builder.buffer("back", rows), scattered = builder.buffer("scattered", columns),
           reduced = builder.buffer("reduced", whole);
  BodyBuilder body = builder.program("main");
  ValueId mine = body.local(rows), contribution = body.local(partial);
  body.kernel("iota", {}, {mine});
  body.kernel("iota", {}, {contribution});
  body.collective("all_gather", {mine}, {body.buffer(gathered)}, {"tp"}, 0);
  ValueId byColumns = body.buffer(exchanged);
  body.collective("all_to_all", {mine}, {byColumns}, {"tp"}, 1, 0);
  body.collective("all_to_all", {byColumns}, {body.buffer(back)}, {"tp"}, 0, 1);
  body.collective("reduce_scatter", {contribution}, {body.buffer(scattered)}, {"tp"}, 1);
  body.collective("all_reduce", {contribution}, {body.buffer(reduced)}, {"tp"});
  builder.run(0);
  auto iota = [](int64_t i) { return static_cast<double>(i); };
  auto triple = [](int64_t i) { return 3.0 * static_cast<double>(i); };
  EXPECT_OK(runSteps(builder.finish(), options(1), 2, [&](Executor &executor) {
    for (BufferId buffer : {gathered, exchanged, back})
      MODELPAR_RETURN_IF_ERROR(expectBuffer(executor, buffer, iota));
    for (BufferId buffer : {scattered, reduced})
      MODELPAR_RETURN_IF_ERROR(expectBuffer(executor, buffer, triple));
    // What a ring sends: all_gather, reduce_scatter and two all_to_alls move their part, all_reduce twice its part.
    std::vector<Traffic> traffic = executor.traffic();
    return traffic.size() == 1 && traffic[0].axes == "tp" && traffic[0].bytes > 0 ? Status()
                                                                                  : Status::internal("no traffic");
  }));
}

// Blocks go round a ring of three, of which the last holds less (and of the columns nothing): after k hops a rank has
// the shard that the type with shift k says, and after the last one the peers' sum is that of all blocks.
TEST(Executor, BlocksTravelRoundARing) {
  PlanBuilder builder({{"dp", 2}, {"cp", 3}});
  std::vector<TypeId> rows, columns;
  for (int64_t shift = 0; shift < 3; ++shift) {
    rows.push_back(builder.type({2, 7, 4}, {{"dp"}, {"cp"}, {}}));
    builder.plan.types.back().sharding.dims[1][0].shift = shift;
    columns.push_back(builder.type({7, 4}, {{}, {"cp"}}));
    builder.plan.types.back().sharding.dims[1][0].shift = shift;
  }
  BodyBuilder body = builder.program("main");
  ValueId block = body.local(rows[0]), other = body.local(columns[0]);
  body.kernel("iota", {}, {block});
  body.kernel("iota", {}, {other});
  std::vector<BufferId> buffers;
  for (size_t hop = 0; hop < 3; ++hop) {
    buffers.push_back(builder.buffer("rows", rows[(hop + 1) % 3]));
    buffers.push_back(builder.buffer("columns", columns[(hop + 1) % 3]));
    ValueId next = body.buffer(buffers[2 * hop]), nextOther = body.buffer(buffers[2 * hop + 1]);
    body.collective("collective_permute", {block, other}, {next, nextOther}, {"cp"}).shift = 1;
    block = next, other = nextOther;
  }
  builder.run(0);
  EXPECT_OK(runSteps(builder.finish(), options(2), 2, [&](Executor &executor) {
    int64_t sent = 0;
    for (BufferId buffer : buffers) {
      MODELPAR_RETURN_IF_ERROR(expectBuffer(executor, buffer, [](int64_t i) { return static_cast<double>(i); }));
      sent += executor.bufferView(buffer).numElements() * 4;
    }
    // In three hops every block has been sent on once by every rank, in each of the two steps.
    std::vector<Traffic> traffic = executor.traffic();
    return traffic.size() == 1 && traffic[0].axes == "cp" && traffic[0].bytes == 2 * sent
               ? Status()
               : Status::internal("rank " + std::to_string(executor.rank()) + " sent " +
                                  std::to_string(traffic[0].bytes) + " bytes, expected " + std::to_string(2 * sent));
  }));
}

TEST(Executor, APermuteOfOtherShardsIsAnError) {
  PlanBuilder builder({{"cp", 3}});
  TypeId rows = builder.type({7}, {{"cp"}}), twice = builder.type({7}, {{"cp"}});
  builder.plan.types.back().sharding.dims[0][0].shift = 2;
  BodyBuilder body = builder.program("main");
  ValueId block = body.local(rows);
  body.kernel("iota", {}, {block});
  body.collective("collective_permute", {block}, {body.local(twice)}, {"cp"}).shift = 1;
  builder.run(0);
  Status status = runSteps(builder.finish(), options(2), 1, [](Executor &) { return Status(); });
  EXPECT_NE(status.message().find("dimension 0: member 0 sends [0, 3), member 1 expects [6, 7)"), std::string::npos)
      << status.message();
}

TEST(Executor, GatherOfTheMinorAxisInALargerMesh) {
  PlanBuilder builder({{"dp", 2}, {"tp", 2}});
  TypeId both = builder.type({5, 3}, {{"dp", "tp"}, {}}), major = builder.type({5, 3}, {{"dp"}, {}}),
         whole = builder.type({5, 3});
  BufferId half = builder.buffer("half", major), all = builder.buffer("all", whole);
  BodyBuilder body = builder.program("main");
  ValueId mine = body.local(both), middle = body.buffer(half);
  body.kernel("iota", {}, {mine});
  body.collective("all_gather", {mine}, {middle}, {"tp"}, 0);
  body.collective("all_gather", {middle}, {body.buffer(all)}, {"dp"}, 0);
  builder.run(0);
  EXPECT_OK(runSteps(builder.finish(), options(2), 1, [&](Executor &executor) {
    auto iota = [](int64_t i) { return static_cast<double>(i); };
    MODELPAR_RETURN_IF_ERROR(expectBuffer(executor, half, iota));
    return expectBuffer(executor, all, iota);
  }));
}

TEST(Executor, ShortAndEmptyLastMicroBatches) {
  // 5 samples over dp 2 and then 4 micro-batches: rank 0 has 3 (1, 1, 1, 0), rank 1 has 2 (1, 1, 0, 0).
  PlanBuilder builder({{"mb", 4}, {"dp", 2}});
  TypeId rows = builder.type({5, 3}, {{"dp", "mb"}, {}});
  builder.input("x", rows);
  BufferId loaded = builder.buffer("loaded", rows, 4);
  BodyBuilder body = builder.program("forward");
  body.load("x", body.buffer(loaded));
  for (int32_t m = 0; m < 4; ++m)
    builder.run(0, m);
  int64_t counts[2] = {};
  EXPECT_OK(runSteps(builder.finish(), options(4), 1, [&](Executor &executor) {
    for (int64_t m = 0; m < 4; ++m) {
      counts[executor.rank()] += executor.bufferView(loaded, m).extents[0];
      MODELPAR_RETURN_IF_ERROR(
          expectBuffer(executor, loaded, [](int64_t i) { return static_cast<double>(i + 1000); }, m));
    }
    return Status();
  }));
  EXPECT_EQ(counts[0], 3);
  EXPECT_EQ(counts[1], 2);
}

//===----------------------------------------------------------------------===//
// Scalars and access between steps
//===----------------------------------------------------------------------===//

TEST(Executor, ScalarsReachBufferAndInput) {
  PlanBuilder builder({{"tp", 1}});
  TypeId type = builder.type({planformat::kNumScalars}, {}, {}, DType::F64);
  builder.input("scalars", type, "scalars");
  BufferId direct = builder.buffer("direct", type, 1, Buffer::Kind::Scalars), loaded = builder.buffer("loaded", type);
  BodyBuilder body = builder.program("main");
  body.load("scalars", body.buffer(loaded));
  builder.run(0);
  EXPECT_OK(runRanks(builder.finish(), options(), [&](Executor &executor) {
    IotaInputs inputs;
    StepScalars scalars;
    scalars.step = 12;
    scalars.learningRate = 0.5;
    scalars.seed = (uint64_t{3} << 32) | 0xffffffff;
    MODELPAR_RETURN_IF_ERROR(executor.runStep(scalars, inputs));
    for (BufferId buffer : {direct, loaded}) {
      std::vector<double> values(planformat::kNumScalars);
      MODELPAR_RETURN_IF_ERROR(executor.readBuffer(buffer, std::as_writable_bytes(std::span(values))));
      auto at = [&](planformat::Scalar field) { return values[static_cast<size_t>(field)]; };
      EXPECT_EQ(at(planformat::Scalar::Step), 12);
      EXPECT_EQ(at(planformat::Scalar::LearningRate), 0.5);
      EXPECT_EQ(at(planformat::Scalar::SeedLow), 4294967295.0);
      EXPECT_EQ(at(planformat::Scalar::SeedHigh), 3.0);
      EXPECT_EQ(at(planformat::Scalar::Epsilon), 1e-8);
    }
    return Status();
  }));
}

TEST(Executor, BuffersAndOutputs) {
  PlanBuilder builder({{"tp", 2}});
  TypeId sharded = builder.type({5}, {{"tp"}}), scalar = builder.type({});
  BufferId weight = builder.buffer("weight", sharded, 1, Buffer::Kind::Parameter),
           loss = builder.buffer("loss", scalar);
  BodyBuilder body = builder.program("main");
  body.kernel("iota", {}, {body.buffer(loss)});
  body.kernel("scale", {body.buffer(weight)}, {body.buffer(weight)}, {{"factor", int64_t{2}}});
  builder.plan.outputs = {{"loss", loss}};
  builder.run(0);
  EXPECT_OK(runRanks(builder.finish(), options(6), [&](Executor &executor) {
    std::vector<float> values(executor.rank() == 0 ? 3 : 2, 1.5f);
    MODELPAR_RETURN_IF_ERROR(executor.writeBuffer(weight, std::as_bytes(std::span(values))));
    EXPECT_FALSE(executor.writeBuffer(weight, std::as_bytes(std::span(values).first(1))).ok());
    IotaInputs inputs;
    MODELPAR_RETURN_IF_ERROR(executor.runStep({}, inputs));
    MODELPAR_RETURN_IF_ERROR(executor.readBuffer(weight, std::as_writable_bytes(std::span(values))));
    EXPECT_EQ(values, std::vector<float>(values.size(), 3.0f));
    double value = -1;
    EXPECT_TRUE(executor.hasOutput("loss"));
    MODELPAR_RETURN_IF_ERROR(executor.readOutput("loss", value));
    EXPECT_EQ(value, 0);
    EXPECT_FALSE(executor.hasOutput("grad_norm"));
    EXPECT_FALSE(executor.readOutput("grad_norm", value).ok());
    EXPECT_GT(executor.measuredBytes(), 0);
    EXPECT_LE(executor.measuredBytes(), executor.plannedBytes());
    return Status();
  }));
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// Rank 1's kernel does `op` between two all_reduces.
struct FailingPlan {
  PlanBuilder builder{{{"tp", 2}}};
  explicit FailingPlan(const std::string &op) {
    TypeId whole = builder.type({8}), partial = builder.type({8}, {}, {"tp"}), rows = builder.type({8}, {{"tp"}});
    builder.input("x", whole);
    BodyBuilder body = builder.program("stage0.forward");
    ValueId value = body.local(partial), sum = body.local(whole), mine = body.local(rows);
    body.kernel("iota", {}, {value});
    body.collective("all_reduce", {value}, {sum}, {"tp"});
    body.kernel(op, {}, {mine}, {{"offset", int64_t{4}}, {"milliseconds", int64_t{3500}}}).origin = "model:3";
    body.collective("all_reduce", {value}, {sum}, {"tp"});
    builder.run(0);
    builder.finish();
  }
};

TEST(Executor, AFailingKernelStopsAllRanks) {
  FailingPlan plan("fail");
  std::vector<Status> results(2);
  Status status = runRanks(plan.builder.plan, options(7), [&](Executor &executor) {
    IotaInputs inputs;
    StepScalars scalars;
    scalars.step = 17;
    return results[static_cast<size_t>(executor.rank())] = executor.runStep(scalars, inputs);
  });
  EXPECT_EQ(status.message(), "rank 1, step 17, micro-batch 0, stage0.forward[2] fail (from model:3): told to fail");
  EXPECT_EQ(results[0].code(), StatusCode::Aborted);
  EXPECT_NE(results[0].message().find("rank 0, step 17, micro-batch 0, stage0.forward[3] all_reduce"),
            std::string::npos)
      << results[0].message();
  EXPECT_NE(results[0].message().find("told to fail"), std::string::npos) << results[0].message();
}

TEST(Executor, AStuckRankIsNamed) {
  FailingPlan plan("sleep");
  RunRanksOptions impatient = options({}, 1);
  std::string reported; // Rank 1 is in its kernel then: a main program would end the process.
  impatient.onStuck = [&](const Status &first) { reported = first.message(); };
  Status status = runSteps(plan.builder.plan, impatient, 1, [](Executor &) { return Status(); });
  EXPECT_EQ(reported, status.message());
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_NE(status.message().find("rank 0, step 1, micro-batch 0, stage0.forward[3] all_reduce"), std::string::npos)
      << status.message();
  EXPECT_NE(
      status.message().find("no arrival of rank 1 within 1 s without progress there (--timeout=1); arrived: rank 0"),
      std::string::npos)
      << status.message();
}

TEST(Executor, ABusyRankIsWaitedFor) {
  FailingPlan plan("spin"); // Three times the timeout, in one kernel.
  EXPECT_OK(runSteps(plan.builder.plan, options({}, 1), 1, [](Executor &) { return Status(); }));
}

TEST(Executor, ThreadsThatCannotStartAreOneError) {
  FailingPlan plan("iota");
  RunRanksOptions wide = options({}, 0); // Without a timeout: a rank that is left behind would hang.
  wide.executor.numThreads = 3;
  const int64_t planned = plannedThreads(plan.builder.plan, 3);
  EXPECT_EQ(planned, 2 * (3 + 1)); // One stream.
  for (int64_t allowed = 0; allowed <= planned; ++allowed) {
    refuseThreadsAfter(allowed);
    Status status = runSteps(plan.builder.plan, wide, 1, [](Executor &) { return Status(); });
    refuseThreadsAfter(-1);
    if (allowed == planned) {
      EXPECT_TRUE(status.ok()) << status.message();
      continue;
    }
    EXPECT_EQ(status.code(), StatusCode::OutOfThreads);
    EXPECT_THAT(status.message(), testing::ContainsRegex("^rank [01]: .*cannot start a thread: "));
    EXPECT_THAT(status.message(),
                testing::HasSubstr("the 2 ranks of the plan take 8 threads, each 3 and one per stream"));
    EXPECT_THAT(status.message(), testing::HasSubstr("; a smaller --threads-per-rank takes fewer"));
  }
}

TEST(Executor, PlannedThreadsCountTheStreamsOfEachStage) {
  PlanBuilder builder({{"mb", 1}, {"pp", 2}, {"dp", 3}});
  TypeId type = builder.type({4});
  builder.select(0);
  BodyBuilder first = builder.program("first");
  first.kernel("iota", {}, {first.local(type)});
  builder.run(0);
  builder.select(1);
  BodyBuilder second = builder.program("second");
  second.kernel("iota", {}, {second.local(type)}).stream = 2;
  builder.run(0);
  EXPECT_EQ(plannedThreads(builder.plan, 4), 3 * (4 + 1) + 3 * (4 + 3));
}

TEST(Executor, AFailingInputIsNamed) {
  PlanBuilder builder({{"tp", 1}});
  builder.input("tokens", builder.type({4}));
  BodyBuilder body = builder.program("main");
  body.load("tokens", body.local(0));
  builder.run(0);
  struct NoData final : InputProvider {
    Status fill(const planformat::Input &, int64_t, int64_t, const TensorView &) override {
      return Status::invalid("no more data");
    }
  } inputs;
  Status status =
      runRanks(builder.finish(), options(), [&](Executor &executor) { return executor.runStep({}, inputs); });
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_EQ(status.message(), "rank 0, step 1, micro-batch 0, main[0] tokens: input tokens: no more data");
}

TEST(Executor, NotANumberIsFoundWhereItStarts) {
  PlanBuilder builder({{"tp", 1}});
  TypeId type = builder.type({4});
  BufferId weight = builder.buffer("weight", type);
  BodyBuilder body = builder.program("main");
  body.kernel("iota", {}, {body.local(type)});
  body.kernel("scale", {body.buffer(weight)}, {body.local(type)}, {{"factor", int64_t{1}}});
  builder.run(0);
  RunRanksOptions checked = options();
  checked.executor.checkNumerics = true;
  Status status = runRanks(builder.finish(), checked, [&](Executor &executor) {
    std::vector<float> values{0, 1, std::numeric_limits<float>::quiet_NaN(), 3};
    MODELPAR_RETURN_IF_ERROR(executor.writeBuffer(weight, std::as_bytes(std::span(values))));
    IotaInputs inputs;
    return executor.runStep({}, inputs);
  });
  EXPECT_EQ(status.message(), "rank 0, step 1, micro-batch 0, main[1] scale: output 0 is not finite at element 2");
  EXPECT_EQ(status.code(), StatusCode::InvalidInput); // No bug: exit code 1.
}

std::string loadError(const Plan &plan) {
  return runRanks(plan, options(), [](Executor &) { return Status(); }).message();
}

TEST(Executor, MissingKernelIsALoadError) {
  PlanBuilder builder({{"tp", 2}});
  BodyBuilder body = builder.program("main");
  body.kernel("no_such_op", {}, {body.local(builder.type({2}))});
  builder.run(0);
  EXPECT_NE(loadError(builder.finish()).find("main[0] no_such_op: no kernel for \"no_such_op\" on device \"cpu\""),
            std::string::npos)
      << loadError(builder.plan);
}

TEST(Executor, CollectiveThatDoesNotFitItsTypesIsALoadError) {
  PlanBuilder builder({{"tp", 2}});
  TypeId whole = builder.type({4}), rows = builder.type({4}, {{"tp"}});
  BodyBuilder body = builder.program("main");
  body.collective("all_reduce", {body.local(rows)}, {body.local(whole)}, {"tp"});
  builder.run(0);
  EXPECT_NE(loadError(builder.finish())
                .find("main[0] all_reduce: tensor 0: dimension 0 is [0, 2) on the first member and [2, 4) on another"),
            std::string::npos)
      << loadError(builder.plan);
}

TEST(Executor, OverlapOfGatherIsALoadError) {
  PlanBuilder builder({{"tp", 2}});
  TypeId whole = builder.type({4}), rows = builder.type({4}, {{"tp"}});
  BodyBuilder body = builder.program("main");
  ValueId target = body.local(whole);
  body.collective("all_gather", {body.alias(target, rows)}, {target}, {"tp"}, 0);
  builder.run(0);
  EXPECT_NE(loadError(builder.finish()).find("main[0] all_gather: output 0 lies over input 0"), std::string::npos)
      << loadError(builder.plan);
}

TEST(Executor, DamagedStructureIsALoadError) {
  PlanBuilder builder({{"tp", 1}});
  BodyBuilder body = builder.program("main");
  body.kernel("iota", {}, {body.local(builder.type({2}))});
  body.body().values[0].offset = 1 << 20;
  builder.run(0);
  EXPECT_NE(loadError(builder.finish()).find("expected a multiple of 64 inside the frame"), std::string::npos)
      << loadError(builder.plan);
}

} // namespace
