//===- TraceTest.cpp - what runs is noted ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExecutorTesting.h"

#include "modelpar/Json/Json.h"

#include <fstream>
#include <iterator>
#include <map>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

const std::string kOdd = "a \"name\"\n";

/// Two ranks, three micro-batches of 3, 3 and 1 rows: load on stream 0, an all_reduce on stream 1, a block that is
/// called twice.
struct SmallPlan {
  PlanBuilder builder{{{"mb", 3}, {"dp", 2}}};
  SmallPlan() {
    TypeId type = builder.type({7, 5}, {{"mb"}, {}}), partial = builder.type({7, 5}, {{"mb"}, {}}, {"dp"});
    builder.input("x", type);
    BodyBuilder block = builder.block("block");
    ValueId in = block.argument(type, true), out = block.argument(type, false);
    block.kernel("scale", {in}, {out}, {{"factor", int64_t{2}}}).origin = kOdd;
    BodyBuilder body = builder.program("main");
    ValueId x = body.local(type), y = body.local(type), z = body.local(type), p = body.local(partial),
            sum = body.local(type);
    body.load("x", x);
    body.call(0, {x}, {y}, 0);
    body.call(0, {y}, {z}, 1);
    body.kernel("iota", {}, {p}).record = body.event();
    Instruction &reduce = body.collective("all_reduce", {p}, {sum}, {"dp"});
    reduce.stream = 1;
    reduce.waits = {0};
    reduce.record = body.event();
    body.wait({1});
    for (int32_t m = 0; m < 3; ++m)
      builder.run(0, m);
    builder.finish();
  }
};

json::Value readTrace(const std::string &path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  json::Value value;
  std::string error;
  EXPECT_TRUE(json::parse(text, value, error)) << error;
  return value;
}

Status traceSteps(const Plan &plan, Trace &trace, int64_t steps, const std::function<Status(Executor &)> &between) {
  RunRanksOptions ranks = options(1);
  ranks.executor.trace = &trace;
  return runRanks(plan, ranks, [&](Executor &executor) -> Status {
    IotaInputs inputs;
    for (int64_t step = 1; step <= steps; ++step) {
      StepScalars scalars;
      scalars.step = step;
      MODELPAR_RETURN_IF_ERROR(executor.runStep(scalars, inputs));
      if (trace.traces(step))
        MODELPAR_RETURN_IF_ERROR(trace.write(executor.rank()));
      MODELPAR_RETURN_IF_ERROR(between(executor));
    }
    return {};
  });
}

TEST(Trace, EveryInstructionOfEveryMicroBatchIsThere) {
  SmallPlan plan;
  const std::string path = testing::TempDir() + "/modelpar-trace-all.json";
  Trace trace(plan.builder.plan.mesh, 2);
  EXPECT_OK(trace.open(path));
  EXPECT_OK(traceSteps(plan.builder.plan, trace, 3, [](Executor &) { return Status(); }));
  EXPECT_OK(trace.close());
  // Load, two scales, iota and all_reduce, on 2 ranks in 3 micro-batches and the 2 steps that are traced.
  std::map<std::string, int64_t> counts;
  std::map<std::pair<int64_t, int64_t>, double> ends;
  const std::map<int64_t, int64_t> rows = {{0, 3}, {1, 3}, {2, 1}};
  const json::Value read = readTrace(path);
  for (const json::Value &event : read["traceEvents"]) {
    if (event["ph"] != "X")
      continue;
    const json::Value &args = event["args"];
    const std::string name = event["name"];
    ++counts[name];
    EXPECT_EQ(event["tid"], name == "all_reduce" ? 1 : 0);
    const int64_t bytes = rows.at(args["micro_batch"]) * 5 * 4;
    EXPECT_EQ(args["bytes"], name == "scale" ? 2 * bytes : bytes) << event.dump();
    if (name == "scale") {
      EXPECT_EQ(args["origin"], kOdd);
      EXPECT_EQ(args["block"], "block");
    }
    double &end = ends[{event["pid"], event["tid"]}];
    const double start = event["ts"], duration = event["dur"];
    EXPECT_GE(start, end - 1e-3); // Sums of doubles; a nanosecond is 1e-3.
    end = start + duration;
  }
  EXPECT_EQ(counts, (std::map<std::string, int64_t>{{"x", 12}, {"scale", 24}, {"iota", 12}, {"all_reduce", 12}}));
}

TEST(Trace, TheFileIsWholeBetweenSteps) {
  SmallPlan plan;
  const std::string path = testing::TempDir() + "/modelpar-trace-steps.json";
  Trace trace(plan.builder.plan.mesh, 100);
  EXPECT_OK(trace.open(path));
  EXPECT_EQ(readTrace(path)["traceEvents"].size(), 0u);
  EXPECT_OK(traceSteps(plan.builder.plan, trace, 3, [&](Executor &executor) -> Status {
    MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("before"));
    if (executor.rank() == 0) {
      EXPECT_GT(readTrace(path)["traceEvents"].size(), 0u);
    }
    return executor.communicator().barrier("after");
  }));
  trace.abandon();
  EXPECT_GT(readTrace(path)["traceEvents"].size(), 3u * 2 * 15);
  EXPECT_OK(trace.close());
}

TEST(Trace, AStepThatFailsIsThereUpToTheError) {
  PlanBuilder builder({{"mb", 2}});
  TypeId type = builder.type({4}, {{"mb"}});
  BodyBuilder body = builder.program("main");
  body.kernel("iota", {}, {body.local(type)});
  body.kernel("fail", {}, {body.local(type)}, {{"offset", int64_t{2}}});
  body.kernel("iota", {}, {body.local(type)});
  builder.run(0, 0);
  builder.run(0, 1);
  const Plan &plan = builder.finish();
  const std::string path = testing::TempDir() + "/modelpar-trace-failed.json";
  Trace trace(plan.mesh, 1);
  EXPECT_OK(trace.open(path));
  RunRanksOptions ranks = options();
  ranks.executor.trace = &trace;
  EXPECT_FALSE(runRanks(plan, ranks, [&](Executor &executor) -> Status {
                 IotaInputs inputs;
                 Status status = executor.runStep({}, inputs);
                 EXPECT_OK(trace.write(0));
                 return status;
               }).ok());
  EXPECT_OK(trace.close());
  std::string names;
  const json::Value read = readTrace(path);
  for (const json::Value &event : read["traceEvents"])
    if (event["ph"] == "X")
      names += event["name"].get<std::string>() + std::to_string(event["args"]["micro_batch"].get<int>()) + " ";
  EXPECT_EQ(names, "iota0 fail0 iota0 iota1 fail1 ");
}

TEST(Trace, AFullDeviceIsAnError) {
  SmallPlan plan;
  Trace trace(plan.builder.plan.mesh, 1);
  Status status = trace.open("/dev/full");
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_EQ(status.message(), "cannot write '/dev/full': No space left on device");
}

} // namespace
