//===- ReaderTest.cpp - the plan file, written and read ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Reader.h"
#include "SmallPlan.h"
#include "lib/PlanFormat/Sha256.h"
#include "modelpar/PlanFormat/Writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

namespace {
using namespace modelpar;
using namespace modelpar::planformat;
using testing::HasSubstr;

std::string errorOf(const std::string &text) {
  Plan plan;
  std::string error;
  EXPECT_FALSE(readPlan(text, plan, error));
  return error;
}

/// The plan's text after an edit, with a header that fits it.
std::string edited(const std::string &from, const std::string &to) {
  std::string text = writePlan(smallPlan());
  size_t lineEnd = text.find('\n');
  std::string content = text.substr(lineEnd + 1);
  size_t at = content.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  content.replace(at, from.size(), to);
  return "{\"format_version\":2,\"content_bytes\":" + std::to_string(content.size()) + ",\"sha256\":\"" +
         sha256Hex(content) + "\",\n" + content;
}

/// What a reader says to a changed plan.
std::string errorAfter(void (*change)(Plan &)) {
  Plan plan = smallPlan();
  change(plan);
  return errorOf(writePlan(plan));
}

TEST(PlanFile, RoundTrip) {
  Plan plan = smallPlan(), read;
  plan.summary = "{\"world_size\": 4}";
  Instruction &i = plan.blocks[0].instructions[0];
  i.attributes = {{"flag", true},
                  {"count", int64_t{-3}},
                  {"real", 2.0},
                  {"minusInfinity", -std::numeric_limits<double>::infinity()},
                  {"text", std::string("a\"b\n")},
                  {"ints", std::vector<int64_t>{1, 2}},
                  {"none", std::vector<int64_t>{}},
                  {"reals", std::vector<double>{0.1, 2, std::numeric_limits<double>::infinity()}},
                  {"noReals", std::vector<double>{}}};
  i.origin = "model.json:3";
  plan.inputs[0].batchDim = 0;
  plan.parameters[1].aliases = {"head", "a\"b"};
  plan.parameters[1].zeroRow = 3;
  std::string text = writePlan(plan), error;
  ASSERT_TRUE(readPlan(text, read, error)) << error;
  EXPECT_EQ(writePlan(read), text);
  EXPECT_EQ(read.blocks[0].instructions[0].attributes, i.attributes);
  EXPECT_EQ(read.types, plan.types);
  EXPECT_EQ(read.inputs[0].batchDim, 0);
  EXPECT_EQ(read.inputs[1].batchDim, -1);
  EXPECT_EQ(read.mesh, plan.mesh);
  EXPECT_EQ(read.modelText, plan.modelText);
  EXPECT_EQ(read.parameters[1].checkpointShape, plan.parameters[1].checkpointShape);
  EXPECT_EQ(read.parameters[1].aliases, plan.parameters[1].aliases);
  EXPECT_EQ(read.parameters[1].zeroRow, 3);
  EXPECT_TRUE(read.parameters[0].aliases.empty());
  EXPECT_EQ(read.parameters[0].zeroRow, -1);
}

TEST(PlanFile, PartsOfAxes) {
  Plan plan = smallPlan(), read;
  plan.mesh = sharding::Mesh({{"mb", 2}, {"dp", 2}, {"tp", 2}, {"ep", 8}});
  plan.types.push_back({DType::BF16, {64}, {{{{"ep", 2, 4}}}, {{{"ep", 1, 2}, sharding::ReduceKind::Max}}}});
  std::string text = writePlan(plan), error;
  EXPECT_THAT(text, HasSubstr(R"({"dtype":"bf16","shape":[64],"dims":[["ep:(2)4"]],"partial":[["ep:(1)2","max"]]})"));
  ASSERT_TRUE(readPlan(text, read, error)) << error;
  EXPECT_EQ(read.types.back(), plan.types.back());
}

TEST(PlanFile, ModifiersOfAxes) {
  Plan plan = smallPlan(), read;
  plan.mesh = sharding::Mesh({{"mb", 2}, {"dp", 2}, {"tp", 2}, {"ep", 8}});
  plan.types.push_back({DType::BF16, {64}, {{{{"ep", 1, 8, 3}}}, {}}});
  plan.types.push_back({DType::BF16, {64}, {{{}}, {{{"ep", 1, 8, 0, {0, 2, 7}}, sharding::ReduceKind::Sum}}}});
  plan.types.push_back({DType::BF16, {64}, {{{{"ep", 1, 8, 2, {}, true}}}, {}}});
  plan.types.push_back({DType::BF16, {64}, {{{{"ep", 1, 4, 0, {}, true}}}, {}}});
  std::string text = writePlan(plan), error;
  EXPECT_THAT(text, HasSubstr(R"("dims":[["ep+3"]])"));
  EXPECT_THAT(text, HasSubstr(R"("dims":[["ep*+2"]])"));
  EXPECT_THAT(text, HasSubstr(R"("dims":[["ep:(1)4*"]])"));
  EXPECT_THAT(text, HasSubstr(R"("partial":[["ep{0,2,-1}","sum"]])"));
  ASSERT_TRUE(readPlan(text, read, error)) << error;
  EXPECT_EQ(read.types, plan.types);
}

TEST(PlanFile, WritingIsDeterministic) { EXPECT_EQ(writePlan(smallPlan()), writePlan(smallPlan())); }

TEST(PlanFile, OneLinePerInstruction) {
  EXPECT_THAT(writePlan(smallPlan()), HasSubstr("\n{\"kind\":\"collective\",\"op\":\"all_reduce\",\"inputs\":[5],"
                                                "\"outputs\":[3],\"axes\":[\"tp\"],\"reduce\":\"sum\","
                                                "\"stream\":1,\"waits\":[0],\"record\":1},\n"));
}

TEST(PlanFile, Files) {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "modelpar-reader-test.plan";
  std::string error;
  Plan plan;
  ASSERT_TRUE(writePlanFile(path.string(), smallPlan(), error)) << error;
  EXPECT_TRUE(readPlanFile(path.string(), plan, error)) << error;
  std::filesystem::remove(path);
  EXPECT_FALSE(readPlanFile(path.string(), plan, error));
  EXPECT_EQ(error, path.string() + ": cannot be read: No such file or directory");
  EXPECT_FALSE(readPlanFile(path.parent_path().string(), plan, error));
  EXPECT_EQ(error, path.parent_path().string() + ": expected a plan file, found a directory");
  EXPECT_FALSE(writePlanFile("/nowhere/at/all.plan", smallPlan(), error));
  EXPECT_EQ(error, "/nowhere/at/all.plan: cannot be written");
}

TEST(PlanFile, OtherVersion) {
  std::string text = writePlan(smallPlan());
  text.replace(text.find("\"format_version\":2"), 18, "\"format_version\":1");
  EXPECT_EQ(errorOf(text),
            "plan format version 1, expected 2: compile the model again with this version's modelpar-opt");
}

TEST(PlanFile, EveryFlippedByteIsFound) {
  std::string text = writePlan(smallPlan());
  for (size_t at = 0; at < text.size(); at += 97) {
    std::string damaged = text;
    damaged[at] ^= 4;
    EXPECT_NE(errorOf(damaged), "") << at;
  }
  std::string damaged = text;
  damaged[text.size() / 2] ^= 1;
  EXPECT_THAT(errorOf(damaged), HasSubstr("plan file is damaged or was edited: content hash "));
}

TEST(PlanFile, Truncated) {
  std::string text = writePlan(smallPlan());
  EXPECT_THAT(errorOf(text.substr(0, text.size() - 10)), HasSubstr("plan file is truncated: content of "));
  EXPECT_THAT(errorOf(text + "x"), HasSubstr("plan file has extra bytes"));
  EXPECT_THAT(errorOf(text.substr(0, 19)), HasSubstr("not a plan file"));
}

TEST(PlanFile, NotAPlan) {
  EXPECT_THAT(errorOf(""), HasSubstr("not a plan file"));
  EXPECT_THAT(errorOf("{\"model_type\": \"gpt2\",\n \"n_layer\": 12}"), HasSubstr("not a plan file"));
  EXPECT_THAT(errorOf("\x89HDF\n"), HasSubstr("not a plan file"));
}

TEST(PlanFile, MissingAndUnknownFields) {
  EXPECT_THAT(errorOf(edited("\"optimizer\":\"sgd\",\n", "")), HasSubstr("/optimizer: required field is missing"));
  EXPECT_THAT(errorOf(edited("\"optimizer\":", "\"optimiser\":")), HasSubstr("/optimiser: unknown field"));
}

TEST(PlanFile, WrongKinds) {
  EXPECT_THAT(errorOf(edited("\"global_batch\":8", "\"global_batch\":\"8\"")),
              HasSubstr("/global_batch: expected an integer of at least 0, found the string \"8\""));
  EXPECT_THAT(errorOf(edited("\"dtype\":\"f64\"", "\"dtype\":\"f8\"")),
              HasSubstr("/types/12/dtype: expected one of f32, "));
  EXPECT_THAT(errorOf(edited("[\"tp\"]", "[\"xp\"]")),
              HasSubstr("expected an axis of the mesh (\"tp\"), a part of one"));
  EXPECT_THAT(errorOf(edited("[\"tp\"]", "[\"tp:(3)2\"]")), HasSubstr("found the string \"tp:(3)2\""));
  EXPECT_THAT(errorOf(edited("\"waits\":[0]", "\"waits\":[-1]")),
              HasSubstr("/blocks/0/instructions/2/waits/0: expected an integer from 0"));
}

TEST(PlanFile, AxesThatAreNone) {
  for (std::string bad : {"tp+2", "tp+", "tp+-1", "tp+1x", "tp{", "tp{}", "tp{1", "tp{1,", "tp{2}", "tp{1,0}", "tp{-2}",
                          "tp:(1)", "xp+1"})
    EXPECT_THAT(errorOf(edited("[\"tp\"]", "[\"" + bad + "\"]")), HasSubstr("expected an axis of the mesh")) << bad;
}

TEST(PlanFile, DuplicateField) {
  EXPECT_THAT(errorOf(edited("\"sequence\":0", "\"sequence\":0,\"sequence\":1")),
              HasSubstr("duplicate key \"sequence\""));
}

TEST(PlanFile, IdsOutOfRange) {
  EXPECT_THAT(errorAfter([](Plan &p) { p.blocks[0].instructions[0].inputs[0] = 99; }),
              HasSubstr("block layer.forward, instruction 0 (matmul, stream 0): value is 99, expected 0 to 5"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.blocks[0].values[1].type = 13; }),
              HasSubstr("value 1: type is 13, expected 0 to 12"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].programs[0].body.instructions[1].block = 2; }),
              HasSubstr("block is 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.blocks[0].instructions[2].waits = {2}; }),
              HasSubstr("waits for event 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].schedule[0].program = 3; }),
              HasSubstr("schedule entry 0: program is 3, expected 0 to 2"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].schedule[0].microBatch = 2; }),
              HasSubstr("micro-batch is 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.outputs[0].second = 50; }), HasSubstr("output loss: buffer is 50"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.parameters[0].zeroRow = p.types[p.parameters[0].type].shape[0]; }),
              HasSubstr("zero_row is 16, the type has 16 rows"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.parameters[0].value = 2; }),
              HasSubstr("of kind gradient, expected parameter"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].programs[0].body.instructions[0].op = "z"; }),
              HasSubstr("loads input 'z'"));
}

TEST(PlanFile, BatchesOfInputs) {
  EXPECT_THAT(errorAfter([](Plan &p) { p.inputs[0].batchDim = 2; }),
              HasSubstr("input x: batch_dim is 2, expected 0 to 1"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.inputs[0].batchDim = 0, p.globalBatch = 7; }),
              HasSubstr("input x: batch_dim 0 has size 8, expected the global batch of 7"));
}

/// One more type, of a dimension over the axes, of which "dp" is balanced.
void addBalanced(Plan &p, int64_t size, std::vector<const char *> axes) {
  TensorType type{DType::I32, {4, size}, sharding::TensorSharding::replicated(2)};
  for (const char *name : axes) {
    type.sharding.dims[1].push_back(p.mesh.axis(name));
    type.sharding.dims[1].back().balanced = std::string_view(name) == "dp";
  }
  p.types.push_back(type);
}

TEST(PlanFile, OrdersOfSequences) {
  EXPECT_THAT(errorAfter([](Plan &p) { addBalanced(p, 6, {"dp"}); }),
              HasSubstr("a sequence of 6 has no balanced split over \"dp\"*, expected a multiple of 4"));
  EXPECT_THAT(errorAfter([](Plan &p) { addBalanced(p, 8, {"tp", "dp"}); }),
              HasSubstr("a sequence of 8 is balanced over \"dp\"*, which only a major axis can be"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.mesh = sharding::Mesh({{"mb", 2}, {"dp", 2}, {"tp", 2}, {"a*", 1}}); }),
              HasSubstr("axis name 'a*' is empty, has one of : * + { or occurs twice"));
}

TEST(PlanFile, BytesOutsideTheArena) {
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].buffers[4].offset = 1 << 20; }),
              HasSubstr("stage 0, buffer h.l0: begins at byte 1048576"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].buffers[4].slots = 2000000000; }), HasSubstr("buffer h.l0"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.blocks[0].values[5].offset = 64; }), HasSubstr("inside the frame of"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.blocks[0].values[5].bytes = 64; }),
              HasSubstr("has 64 bytes, its largest shard needs 128"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].arenaBytes -= 64; }),
              HasSubstr("does not fit the arena's transient part"));
  EXPECT_THAT(errorAfter([](Plan &p) { p.stages[0].programs[0].body.instructions[1].frame = 1 << 20; }),
              HasSubstr("frame of 128 bytes"));
}

TEST(PlanFile, CyclesAreRefused) {
  EXPECT_THAT(errorAfter([](Plan &p) {
                Value &alias = p.stages[0].programs[2].body.values[2];
                ASSERT_EQ(alias.storage, Value::Storage::Alias);
                alias.index = 2;
              }),
              HasSubstr("is an alias of itself"));
  EXPECT_THAT(errorAfter([](Plan &p) {
                Body &block = p.blocks[0];
                Instruction call = p.stages[0].programs[0].body.instructions[1];
                call.inputs = {0, 1, 2}, call.outputs = {3, 4}, call.frame = 0;
                block.instructions.push_back(call);
              }),
              HasSubstr("calls itself"));
}

} // namespace
