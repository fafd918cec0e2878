//===- PipelineTest.cpp - stages, executed --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What arrives where, relays, short micro-batches, groups over some stages, messages of failures.
//
//===----------------------------------------------------------------------===//

#include "ExecutorTesting.h"

#include "runtime/comm/local/LocalCommunicator.h"
#include "runtime/device/cpu/CpuDevice.h"

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

constexpr auto kSend = planformat::Channel::Direction::Send, kReceive = planformat::Channel::Direction::Receive;

/// Three stages. Stage 0 loads x and makes a = 2x. Stage 1 gets x and a, hands x on as it is (a relay) with b = 3a.
/// Stage 2 gets x and b and makes c = x + b = 7x, which goes back through stage 1 to stage 0. Micro-batches one after
/// the other.
struct RelayPlan {
  PlanBuilder builder;
  BufferId result = -1;

  RelayPlan(int64_t microBatches, int64_t rows, int64_t dp = 1)
      : builder({{"mb", microBatches}, {"pp", 3}, {"dp", dp}}) {
    TypeId type = builder.type({rows, 5}, {{"dp", "mb"}, {}});
    builder.input("x", type);
    auto slots = static_cast<int32_t>(microBatches);
    stage(0, microBatches, [&] {
      BufferId x = builder.buffer("x", type, slots), a = builder.buffer("a", type, slots);
      result = builder.buffer("result", type, slots);
      BodyBuilder body = builder.program("first");
      ValueId in = body.buffer(x);
      body.load("x", in);
      body.kernel("scale", {in}, {body.buffer(a)}, {{"factor", int64_t{2}}});
      int32_t down = builder.channel(kSend, 1, {x, a}), up = builder.channel(kReceive, 1, {result});
      return std::vector<int32_t>{0, ~down, ~up};
    });
    stage(1, microBatches, [&] {
      BufferId x = builder.buffer("x", type, slots), a = builder.buffer("a", type, slots),
               b = builder.buffer("b", type, slots), c = builder.buffer("c", type, slots);
      BodyBuilder body = builder.program("middle");
      body.kernel("scale", {body.buffer(a)}, {body.buffer(b)}, {{"factor", int64_t{3}}});
      int32_t in = builder.channel(kReceive, 0, {x, a}), down = builder.channel(kSend, 2, {x, b});
      int32_t up = builder.channel(kReceive, 2, {c}), out = builder.channel(kSend, 0, {c});
      return std::vector<int32_t>{~in, 0, ~down, ~up, ~out};
    });
    stage(2, microBatches, [&] {
      BufferId x = builder.buffer("x", type, slots), b = builder.buffer("b", type, slots),
               c = builder.buffer("c", type, slots);
      BodyBuilder body = builder.program("last");
      body.kernel("add", {body.buffer(x), body.buffer(b)}, {body.buffer(c)});
      int32_t in = builder.channel(kReceive, 1, {x, b}), out = builder.channel(kSend, 1, {c});
      return std::vector<int32_t>{~in, 0, ~out};
    });
    builder.finish();
  }

private:
  /// `make` returns the entries of a micro-batch: programs, and channels as their complement.
  void stage(size_t index, int64_t microBatches, const std::function<std::vector<int32_t>()> &make) {
    builder.select(index);
    std::vector<int32_t> entries = make();
    for (int32_t m = 0; m < microBatches; ++m)
      for (int32_t entry : entries)
        if (entry >= 0)
          builder.run(entry, m);
        else
          builder.exchange({{~entry, m}});
  }
};

int64_t sentBytes(Executor &executor) {
  for (const Traffic &traffic : executor.traffic())
    if (traffic.axes == "pp")
      return traffic.bytes;
  return -1;
}

TEST(Pipeline, ValuesTravelAndAreRelayed) {
  // 7 rows over dp 2 and then 3 micro-batches: 2, 2, 0 and 1, 1, 1; empty transfers keep their place.
  RelayPlan plan(3, 7, 2);
  for (uint64_t seed = 1; seed <= 6; ++seed)
    EXPECT_OK(runSteps(plan.builder.plan, options(seed), 2, [&](Executor &executor) -> Status {
      const int64_t rows = executor.rank() % 2 == 0 ? 4 : 3, step = 2;
      // x and a, or x, b and c, or c: rows of 5 floats in each of two steps.
      const int64_t tensors[] = {2, 3, 1};
      const int64_t expected = 2 * rows * 5 * 4 * tensors[executor.stageIndex()];
      if (sentBytes(executor) != expected)
        return Status::internal("rank " + std::to_string(executor.rank()) + " sent " +
                                std::to_string(sentBytes(executor)) + " bytes, expected " + std::to_string(expected));
      if (executor.stageIndex() != 0)
        return {};
      for (int64_t m = 0; m < 3; ++m)
        MODELPAR_RETURN_IF_ERROR(expectBuffer(
            executor, plan.result, [](int64_t i) { return 7.0 * static_cast<double>(i + 1000 * step); }, m));
      return {};
    }));
}

TEST(Pipeline, AGroupOverSomeStages) {
  PlanBuilder builder({{"pp", 3}, {"dp", 2}});
  builder.plan.types.push_back({DType::F32, {4}, sharding::TensorSharding::replicated(1)});
  sharding::AxisRef ends = builder.plan.mesh.axis("pp");
  ends.subset = {0, 2};
  planformat::TensorType partial = builder.plan.types[0];
  partial.sharding.partial.push_back({ends, sharding::ReduceKind::Sum});
  builder.plan.types.push_back(partial);
  std::vector<BufferId> results;
  for (size_t stage = 0; stage < 3; ++stage) {
    builder.select(stage);
    results.push_back(builder.buffer("sum", 0));
    BodyBuilder body = builder.program("main");
    ValueId mine = body.local(1), value = body.local(1), sum = body.buffer(results.back());
    body.kernel("iota", {}, {value});
    body.kernel("scale", {value}, {mine}, {{"factor", static_cast<int64_t>(stage + 1)}});
    if (stage == 1)
      body.kernel("scale", {mine}, {sum}, {{"factor", int64_t{1}}});
    else
      body.collective("all_reduce", {mine}, {sum}, {"pp"}).axes = {ends};
    builder.run(0);
  }
  EXPECT_OK(runSteps(builder.finish(), options(3), 2, [&](Executor &executor) {
    const double factor = executor.stageIndex() == 1 ? 2 : 4;
    return expectBuffer(executor, results[static_cast<size_t>(executor.stageIndex())],
                        [&](int64_t i) { return factor * static_cast<double>(i); });
  }));
}

TEST(Pipeline, AStuckStageIsNamedByWhoWaitsForIt) {
  PlanBuilder builder({{"mb", 2}, {"pp", 2}});
  TypeId type = builder.type({4}, {{"mb"}});
  BufferId out = builder.buffer("act.1", type);
  BodyBuilder first = builder.program("first");
  first.kernel("iota", {}, {first.buffer(out)});
  int32_t send = builder.channel(kSend, 1, {out});
  builder.run(0, 1);
  builder.exchange({{send, 1}});
  builder.select(1);
  BufferId in = builder.buffer("act.1", type);
  BodyBuilder slow = builder.program("second");
  slow.kernel("sleep", {}, {slow.local(type)}, {{"offset", int64_t{0}}, {"milliseconds", int64_t{2500}}});
  int32_t receive = builder.channel(kReceive, 0, {in});
  builder.run(0, 0);
  builder.exchange({{receive, 1}});
  Status status = runSteps(builder.finish(), options({}, 1), 1, [](Executor &) { return Status(); });
  EXPECT_EQ(
      status.message(),
      "rank 0, step 1, exchange with stage 1: rank 0: send act.1 of micro-batch 1 to stage 1 over {pp} (ranks 0, 1): "
      "rank 1 has not come to it within 1 s without progress there (--timeout=1)");
}

// Stage 2 waits for stage 1, which waits for stage 0, which computes for longer than the timeout.
TEST(Pipeline, ABusyStageIsWaitedForThroughOthers) {
  PlanBuilder builder({{"mb", 1}, {"pp", 3}});
  TypeId type = builder.type({4});
  BufferId first = builder.buffer("act.1", type);
  BodyBuilder busy = builder.program("first");
  busy.kernel("spin", {}, {busy.buffer(first)}, {{"offset", int64_t{0}}, {"milliseconds", int64_t{2500}}});
  int32_t send = builder.channel(kSend, 1, {first});
  builder.run(0, 0);
  builder.exchange({{send, 0}});
  for (size_t stage : {1, 2}) {
    builder.select(stage);
    BufferId in = builder.buffer("act." + std::to_string(stage), type);
    int32_t receive = builder.channel(kReceive, static_cast<int32_t>(stage - 1), {in});
    builder.exchange({{receive, 0}});
    if (stage == 1) {
      int32_t on = builder.channel(kSend, 2, {in});
      builder.exchange({{on, 0}});
    }
  }
  EXPECT_OK(runSteps(builder.finish(), options({}, 1), 1, [](Executor &) { return Status(); }));
}

TEST(Pipeline, AFailedStageStopsTheOthers) {
  PlanBuilder builder({{"mb", 1}, {"pp", 2}});
  TypeId type = builder.type({4});
  BufferId in = builder.buffer("act.1", type);
  int32_t receive = builder.channel(kReceive, 1, {in});
  builder.exchange({{receive, 0}});
  builder.select(1);
  BufferId out = builder.buffer("act.1", type);
  BodyBuilder bad = builder.program("second");
  bad.kernel("fail", {}, {bad.buffer(out)}, {{"offset", int64_t{0}}});
  int32_t send = builder.channel(kSend, 0, {out});
  builder.run(0, 0);
  builder.exchange({{send, 0}});
  // Without a timeout: only the failure ends the other stage.
  Status status = runSteps(builder.finish(), options(1, 0), 1, [](Executor &) { return Status(); });
  EXPECT_EQ(status.message(), "rank 1, step 1, micro-batch 0, second[0] fail: told to fail");
}

/// A communicator that has collectives alone.
class WithoutExchange final : public Communicator {
public:
  explicit WithoutExchange(Communicator &inner) : inner_(inner) {}
  std::string_view kind() const override { return "simple"; }
  int64_t rank() const override { return inner_.rank(); }
  int64_t worldSize() const override { return inner_.worldSize(); }
  Status createGroup(const std::vector<int64_t> &ranks, const std::string &axes, int64_t tag,
                     std::unique_ptr<Group> &group) override {
    return inner_.createGroup(ranks, axes, tag, group);
  }
  Status run(Group &group, const Collective &collective, std::span<void *const> inputs, std::span<void *const> outputs,
             void *stream) override {
    return inner_.run(group, collective, inputs, outputs, stream);
  }
  Status barrier(std::string_view what) override { return inner_.barrier(what); }
  Status agree(uint64_t value, std::string_view what) override { return inner_.agree(value, what); }
  void abort(const Status &reason) override { inner_.abort(reason); }
  std::vector<Traffic> traffic() const override { return inner_.traffic(); }

private:
  Communicator &inner_;
};

TEST(Pipeline, ACommunicatorThatCannotExchangeIsRefusedAtLoad) {
  RelayPlan plan(1, 3);
  Status status = runLocalRanks(3, std::chrono::seconds(30), [&](Communicator &communicator) {
    WithoutExchange simple(communicator);
    std::unique_ptr<Device> device = createCpuDevice({});
    std::unique_ptr<Executor> executor;
    return Executor::create(plan.builder.plan, *device, simple, options().executor, executor);
  });
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_NE(status.message().find("the plan's stages send to each other, which communicator \"simple\" cannot do"),
            std::string::npos)
      << status.message();
}

TEST(Pipeline, AStopEndsAtAnExchangeToo) {
  RelayPlan plan(2, 4);
  std::atomic<bool> stop{true};
  RunRanksOptions stopped = options(2);
  stopped.executor.stop = &stop;
  Status status = runSteps(plan.builder.plan, stopped, 1, [](Executor &) { return Status(); });
  EXPECT_NE(status.message().find("stopped as asked"), std::string::npos) << status.message();
}

} // namespace
