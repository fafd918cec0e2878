//===- TraceTest.cpp - the text of traces ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Trace/Trace.h"

#include "modelpar/Json/Json.h"

#include <gtest/gtest.h>

namespace {
using namespace modelpar;
using planformat::Instruction;

/// What a writer has written, and how.
struct Text {
  std::string text;
  size_t pieces = 0;
  trace::Writer writer{[this](std::string_view part) {
    text += part;
    ++pieces;
    return true;
  }};

  json::Value parse() {
    EXPECT_TRUE(writer.flush());
    json::Value value;
    std::string error;
    EXPECT_TRUE(json::parse(text + std::string(trace::Writer::tail()), value, error)) << error;
    return value;
  }
};

planformat::Plan planOf(Instruction instruction, std::string body) {
  planformat::Plan plan;
  plan.mesh = sharding::Mesh({{"dp", 2}, {"tp", 4}});
  plan.blocks.push_back({.name = std::move(body), .instructions = {std::move(instruction)}});
  return plan;
}

TEST(Trace, AnEventHasWhatTheInstructionSays) {
  Instruction reduce{.kind = Instruction::Kind::Collective, .op = "all_reduce", .origin = "h.0.mlp"};
  planformat::Plan plan = planOf(reduce, "layer.forward");
  plan.blocks[0].instructions[0].axes = {plan.mesh.axis("dp"), {"tp", 2, 2}};
  Text text;
  text.writer.process(3, "rank 3", 2);
  text.writer.event(trace::instructionSource(plan, plan.blocks[0], 0), {.process = 3,
                                                                        .stream = 1,
                                                                        .start = 1234567.891,
                                                                        .duration = 0.125,
                                                                        .step = 4,
                                                                        .microBatch = 2,
                                                                        .instance = 5,
                                                                        .bytes = 4096});
  json::Value expected;
  std::string error;
  ASSERT_TRUE(json::parse(R"({"displayTimeUnit": "ms", "traceEvents": [
    {"ph": "M", "name": "process_name", "pid": 3, "tid": 0, "args": {"name": "rank 3"}},
    {"ph": "M", "name": "thread_name", "pid": 3, "tid": 0, "args": {"name": "compute"}},
    {"ph": "M", "name": "thread_name", "pid": 3, "tid": 1, "args": {"name": "communication"}},
    {"ph": "X", "name": "all_reduce", "cat": "collective", "pid": 3, "tid": 1, "ts": 1234567.891, "dur": 0.125,
     "args": {"origin": "h.0.mlp", "block": "layer.forward", "instruction": 0, "axes": "dp,tp:(2)2", "instance": 5,
              "micro_batch": 2, "step": 4, "bytes": 4096}}]})",
                          expected, error))
      << error;
  EXPECT_EQ(text.parse(), expected);
}

TEST(Trace, NamesAreEscaped) {
  const std::string odd = "a\"b\\c\n\x01/\xc3\xa9";
  planformat::Plan plan = planOf({.op = odd, .origin = odd}, odd);
  Text text;
  text.writer.process(0, odd, 1);
  text.writer.event(trace::instructionSource(plan, plan.blocks[0], 0), {});
  json::Value events = text.parse()["traceEvents"];
  EXPECT_EQ(events[0]["args"]["name"], odd);
  EXPECT_EQ(events[2]["name"], odd);
  EXPECT_EQ(events[2]["args"]["origin"], odd);
  EXPECT_EQ(events[2]["args"]["block"], odd);
}

TEST(Trace, BytesThatAreNoTextAreReplaced) {
  planformat::Plan plan = planOf({.op = "k", .origin = "\xff\xfe"}, "b");
  Text text;
  text.writer.event(trace::instructionSource(plan, plan.blocks[0], 0), {});
  EXPECT_EQ(text.parse()["traceEvents"].size(), 1u);
}

TEST(Trace, CategoriesFollowKinds) {
  using Kind = Instruction::Kind;
  for (auto [kind, op, name, category] :
       {std::tuple(Kind::Kernel, "matmul", "matmul", "kernel"), std::tuple(Kind::Load, "tokens", "tokens", "load"),
        std::tuple(Kind::Accumulate, "", "accumulate", "accumulate")}) {
    planformat::Plan plan = planOf({.kind = kind, .op = op}, "b");
    Text text;
    text.writer.event(trace::instructionSource(plan, plan.blocks[0], 0), {});
    json::Value event = text.parse()["traceEvents"][0];
    EXPECT_EQ(event["name"], name);
    EXPECT_EQ(event["cat"], category);
    EXPECT_FALSE(event["args"].contains("axes"));
  }
}

TEST(Trace, AnExchangeNamesItsTransfers) {
  using Direction = planformat::Channel::Direction;
  planformat::Stage stage;
  stage.channels = {{Direction::Send, 2, {0}}, {Direction::Receive, 0, {1}}};
  stage.schedule = {{0, 7}, {-1, 0, {{0, 3}, {1, 4}}}};
  Text text;
  text.writer.event(trace::exchangeSource(stage, 1), {});
  json::Value event = text.parse()["traceEvents"][0];
  EXPECT_EQ(event["cat"], "exchange");
  EXPECT_EQ(event["args"]["origin"], "exchange with stage 0 and 2");
  EXPECT_EQ(event["args"]["instruction"], 1);
  EXPECT_EQ(event["args"]["transfers"], "send micro-batch 3 to stage 2, receive micro-batch 4 from stage 0");
  EXPECT_EQ(trace::microBatchOf(stage.schedule[0]), 7);
  EXPECT_EQ(trace::microBatchOf(stage.schedule[1]), 3);
}

TEST(Trace, NothingIsATraceToo) {
  Text text;
  EXPECT_EQ(text.parse()["traceEvents"].size(), 0u);
}

TEST(Trace, TheBufferIsEmptiedAsOftenAsItIsFull) {
  planformat::Plan plan = planOf({.op = "k", .origin = std::string(300000, 'x')}, "b");
  const trace::Source source = trace::instructionSource(plan, plan.blocks[0], 0);
  Text text;
  for (int64_t i = 0; i < 3; ++i)
    text.writer.event(source, {.microBatch = i});
  json::Value events = text.parse()["traceEvents"];
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2]["args"]["micro_batch"], 2);
  EXPECT_GT(text.pieces, 3u);
}

TEST(Trace, ASinkThatRefusesIsNotAskedAgain) {
  int asked = 0;
  trace::Writer writer([&](std::string_view) {
    ++asked;
    return false;
  });
  EXPECT_FALSE(writer.flush());
  writer.process(0, std::string(200000, 'x'), 1);
  EXPECT_FALSE(writer.flush());
  EXPECT_EQ(asked, 1);
}

} // namespace
