//===- CostTest.cpp - formulas and predictions ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/CostModel/Cost.h"

#include <gtest/gtest.h>

namespace {
using namespace modelpar;
using namespace modelpar::costmodel;
using namespace modelpar::planformat;

/// One of everything a second, so that times are counts.
Cluster unitCluster() {
  Cluster cluster;
  cluster.devicesPerNode = 4;
  cluster.memoryBandwidth = 1;
  cluster.peakFlops = {{"f32", 1}, {"bf16", 4}};
  cluster.computeEfficiency = cluster.memoryEfficiency = cluster.linkEfficiency = 1;
  cluster.links = {{"near", 2, 1, 0}, {"far", 4, 0.5, 0}};
  return cluster;
}

TEST(Cost, Roofline) {
  Cluster cluster = unitCluster();
  EXPECT_EQ(opSeconds(cluster, DType::F32, 100, 10), 100);
  EXPECT_EQ(opSeconds(cluster, DType::F32, 10, 100), 100);
  EXPECT_EQ(opSeconds(cluster, DType::BF16, 100, 10), 25);
  cluster.launchOverhead = 1;
  EXPECT_EQ(opSeconds(cluster, DType::F32, 0, 0), 1);
}

TEST(Cost, Rings) {
  Cluster cluster = unitCluster();
  const Link *near = &cluster.links[0];
  EXPECT_EQ(collectiveCost(cluster, near, "all_reduce", 4, 100).bytesSent, 150);
  EXPECT_EQ(collectiveCost(cluster, near, "all_gather", 4, 100).bytesSent, 75);
  EXPECT_EQ(collectiveCost(cluster, near, "reduce_scatter", 2, 100).bytesSent, 50);
  EXPECT_EQ(collectiveCost(cluster, near, "all_reduce", 1, 100).bytesSent, 0);
  EXPECT_EQ(collectiveCost(cluster, near, "collective_permute", 4, 100).bytesSent, 100);
  EXPECT_EQ(collectiveCost(cluster, near, "all_reduce", 4, 100).seconds, 150);
  EXPECT_EQ(collectiveCost(cluster, &cluster.links[1], "all_reduce", 4, 100).seconds, 300);
  cluster.links[0].latency = 1;
  EXPECT_EQ(collectiveCost(cluster, near, "all_reduce", 4, 100).seconds, 156);
}

/// Kernel of 100 flops on stream 0, then a collective over `axis` on stream 1 beside a second kernel; all of it in a
/// block called twice.
Plan plan(const char *axis, bool overlap) {
  Plan plan;
  plan.mesh = sharding::Mesh({{"mb", 2}, {"dp", 2}, {"tp", 2}});
  plan.types = {{DType::F32, {10}, {{{}}, {{plan.mesh.axis(axis)}}}}, {DType::F32, {10}, {{{}}, {}}}};
  Body block;
  block.name = "b";
  block.values = {{0, Value::Storage::Local, 0, 0, 64},
                  {1, Value::Storage::Local, 0, 64, 64},
                  {1, Value::Storage::Local, 0, 128, 64}};
  block.numEvents = 2;
  block.frameBytes = 192;
  Instruction first, reduce, second, join;
  first.op = second.op = "k";
  first.attributes["flops"] = second.attributes["flops"] = 100.0;
  first.outputs = {0}, first.record = 0;
  reduce.kind = Instruction::Kind::Collective, reduce.op = "all_reduce", reduce.stream = 1, reduce.waits = {0},
  reduce.record = 1;
  reduce.inputs = {0}, reduce.outputs = {1}, reduce.axes = {plan.mesh.axis(axis)};
  second.outputs = {2};
  if (!overlap)
    second.waits = {1};
  join.kind = Instruction::Kind::Wait, join.waits = {1};
  block.instructions = {first, reduce, second, join};
  plan.blocks = {block};
  Stage stage;
  Instruction call;
  call.kind = Instruction::Kind::Call, call.block = 0;
  Body program;
  program.frameBytes = 192;
  program.instructions = {call, call};
  stage.programs = {{Program::Kind::Forward, program}};
  stage.schedule = {{0, 0}, {0, 1}};
  stage.arenaBytes = 192;
  stage.reserved = {{"communicators", 8}};
  plan.stages = {stage};
  return plan;
}

TEST(Cost, PredictionWalksStreams) {
  Prediction serial = predict(plan("tp", false), unitCluster());
  // A ring of two sends 40 bytes at 1 B/s.
  EXPECT_EQ(serial.stepSeconds, 4 * (100 + 40 + 100));
  EXPECT_EQ(serial.flops, 800);
  EXPECT_EQ(serial.communicationBytesByAxis.at("tp"), 160);
  EXPECT_EQ(serial.peakMemoryByStage, std::vector<int64_t>{200});
  Prediction overlapped = predict(plan("tp", true), unitCluster());
  EXPECT_EQ(overlapped.stepSeconds, 4 * (100 + 100));
  EXPECT_EQ(overlapped.communicationSeconds, serial.communicationSeconds);
}

TEST(Cost, ACallHoldsTheStreamsThatItUses) {
  // A kernel, a collective of 40 s that waits for it, then a block of two kernels (200 s) that waits for neither.
  Plan overlapped = plan("tp", true);
  Body &program = overlapped.stages[0].programs[0].body;
  program = overlapped.blocks[0];
  program.instructions.resize(2);
  Instruction call;
  call.kind = Instruction::Kind::Call, call.block = 0;
  program.instructions.push_back(call);
  Body &block = overlapped.blocks[0];
  const Instruction collective = block.instructions[1], join = block.instructions[3];
  block.instructions = {block.instructions[0], block.instructions[2]};
  // Behind the first one, on stream 1: beside the block where this has no use for the stream.
  program.instructions.push_back(collective);
  program.instructions.back().record = -1;
  EXPECT_EQ(predict(overlapped, unitCluster()).stepSeconds, 2 * (100 + 200));
  // A block that ends with its collective ends after the one before it.
  block.instructions = {block.instructions[0], collective, join};
  EXPECT_EQ(predict(overlapped, unitCluster()).stepSeconds, 2 * (100 + 140 + 40));
}

TEST(Cost, OuterAxesUseOuterLinks) {
  // dp is outside tp: its groups {0, 2} cross the blocks of two.
  EXPECT_EQ(predict(plan("dp", false), unitCluster()).stepSeconds, 4 * (100 + 80 + 100));
}

/// Two stages of one micro-batch each way: programs of 100 FLOPs, and 40 bytes between them.
Plan pipelinePlan(int64_t microBatches) {
  Plan plan;
  plan.mesh = sharding::Mesh({{"mb", microBatches}, {"pp", 2}});
  plan.types.push_back({DType::F32, {10}, {{{}}, {}}});
  auto program = [](Program::Kind kind, double flops) {
    Program program;
    program.kind = kind;
    Instruction &kernel = program.body.instructions.emplace_back();
    kernel.op = "k";
    kernel.attributes["flops"] = flops;
    return program;
  };
  Buffer buffer;
  buffer.bytes = 64;
  for (int32_t s = 0; s < 2; ++s) {
    Stage &stage = plan.stages.emplace_back();
    stage.buffers = {buffer, buffer};
    stage.programs = {program(Program::Kind::Forward, 100), program(Program::Kind::Backward, 100),
                      program(Program::Kind::Update, 20)};
    stage.channels = {{Channel::Direction::Send, 1 - s, {0}}, {Channel::Direction::Receive, 1 - s, {1}}};
    const std::vector<Transfer> send = {{0, 0}}, receive = {{1, 0}};
    if (s == 0)
      stage.schedule = {{0, 0}, {-1, 0, send}, {-1, 0, receive}, {1, 0}, {2, 0}};
    else
      stage.schedule = {{-1, 0, receive}, {0, 0}, {1, 0}, {-1, 0, send}, {2, 0}};
  }
  return plan;
}

TEST(Cost, PredictionReplaysStages) {
  Prediction prediction = predict(pipelinePlan(1), unitCluster());
  // Forward and backward pass through both stages one after the other, with a transfer each way, then both update.
  EXPECT_EQ(prediction.stepSeconds, 4 * 100 + 2 * 40 + 20);
  EXPECT_EQ(prediction.communicationBytesByAxis.at("pp"), 40);
  EXPECT_EQ(prediction.communicationSeconds, 40);
  EXPECT_EQ(prediction.flops, 220);
  EXPECT_EQ(prediction.peakMemoryByStage.size(), 2u);
}

std::vector<PredictedEvent> timeline(const Plan &plan) {
  std::vector<PredictedEvent> events;
  visitTimeline(plan, unitCluster(), [&](const PredictedEvent &event) { events.push_back(event); });
  return events;
}

double lastEnd(const std::vector<PredictedEvent> &events) {
  double end = 0;
  for (const PredictedEvent &event : events)
    end = std::max(end, event.start + event.seconds);
  return end;
}

TEST(Cost, TimelineExpandsCalls) {
  Plan calls = plan("tp", true);
  calls.stages[0].programs[0].body.instructions[1].instance = 1;
  const std::vector<PredictedEvent> events = timeline(calls);
  // Three instructions, two calls, two micro-batches; a kernel, then the collective beside the other kernel.
  ASSERT_EQ(events.size(), 12u);
  const double starts[] = {0, 100, 100}, seconds[] = {100, 40, 100};
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].instruction, i % 3);
    EXPECT_EQ(events[i].body, &calls.blocks[0]);
    EXPECT_EQ(events[i].instance, static_cast<int64_t>(i / 3 % 2));
    EXPECT_EQ(events[i].entry, i / 6);
    EXPECT_EQ(events[i].start, 200.0 * static_cast<double>(i / 3) + starts[i % 3]);
    EXPECT_EQ(events[i].seconds, seconds[i % 3]);
    // The largest shard of the kernels' one output; the collective's larger side.
    EXPECT_EQ(events[i].bytes, 40);
  }
  EXPECT_EQ(lastEnd(events), predict(calls, unitCluster()).stepSeconds);
}

TEST(Cost, AStreamThatIsStillBusyIsWaitedForInACall) {
  Plan busy = plan("tp", true);
  Body &program = busy.stages[0].programs[0].body;
  program.values = busy.blocks[0].values;
  Instruction reduce = busy.blocks[0].instructions[1];
  reduce.waits.clear();
  reduce.record = -1;
  // Five of 40 s, on stream 1: the callee's own, ready at 100, begins at 200.
  const Instruction call = program.instructions[0];
  program.instructions = {reduce, reduce, reduce, reduce, reduce, call};
  busy.stages[0].schedule = {{0, 0}};
  const std::vector<PredictedEvent> events = timeline(busy);
  ASSERT_EQ(events.size(), 8u);
  EXPECT_EQ(events[5].start, 0);
  EXPECT_EQ(events[6].start, 200);
  EXPECT_EQ(events[7].start, 100);
  EXPECT_EQ(predict(busy, unitCluster()).stepSeconds, 240);
  EXPECT_EQ(lastEnd(events), 240);
}

TEST(Cost, TimelineFollowsTheReplayOfStages) {
  const Plan plan = pipelinePlan(1);
  const std::vector<PredictedEvent> events = timeline(plan);
  // Stage 0: forward, send, receive, backward, update. It waits in the exchange while stage 1 works for 200.
  ASSERT_EQ(events.size(), 10u);
  const double starts[] = {0, 100, 140, 380, 480}, ends[] = {100, 140, 380, 480, 500};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(events[i].stage, 0u);
    EXPECT_EQ(events[i].entry, i);
    EXPECT_EQ(events[i].body == nullptr, i == 1 || i == 2);
    EXPECT_EQ(events[i].start, starts[i]);
    EXPECT_EQ(events[i].start + events[i].seconds, ends[i]);
  }
  EXPECT_EQ(lastEnd(events), predict(plan, unitCluster()).stepSeconds);
}

} // namespace
