//===- CrossAttentionTest.cpp - keys of another sequence, on many ranks ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A decoder of two layers with causal self attention, whose second attention has keys of something else: an input, an
// encoder's output, a table of parameters, or a second sequence that context parallelism splits too. Every plan
// computes what one rank computes: the order of a sequence is that of its own dimensions.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;

namespace {

constexpr int64_t kSequence = 24;

/// What the keys are made of.
enum class Keys {
  Input,    ///< A real input of `size` elements.
  Encoder,  ///< An encoder's output: self attention (not causal) over `size` embedded tokens, with rotary positions.
  Table,    ///< Parameters, `size` rows of keys for each sample's context.
  Sequence, ///< An encoder's output of the same sequence dimension, which cp splits as well.
};

struct Model {
  std::string name;
  Keys keys = Keys::Input;
  int64_t size = kSequence;
  bool causal = false;
  double rate = 0;
  bool span = false;          ///< Targets are places of the sequence, one a sample: a loss over its positions.
  const char *mask = nullptr; ///< Range of a mask of the second attention, which is data; none.
};

using Text = std::string;

Text op(const Text &name, const Text &inputs, const Text &outputs, const Text &attributes = "") {
  return R"({"op": ")" + name + R"(", "inputs": [)" + inputs + R"(], "outputs": [)" + outputs + "]" +
         (attributes.empty() ? "" : R"(, "attributes": {)" + attributes + "}") + "},\n";
}

Text normal(const Text &name, const Text &dims) {
  return "\"" + name + R"(": {"dims": [)" + dims + R"(], "init": {"normal": {"std": 0.3}}})";
}

Text attentionAttributes(bool causal, double rate) {
  return "\"causal\": " + Text(causal ? "true" : "false") + ", \"rate\": " + std::to_string(rate);
}

/// Ops that give "memory" (dims: batch, the keys' dimension, hid), the inputs and the parameters that they need.
struct Memory {
  Text dim, inputs, parameters, ops;
};

Memory memoryOf(const Model &m) {
  Memory memory;
  memory.dim = m.keys == Keys::Sequence ? "seq" : "src";
  const Text dims = R"(["batch", ")" + memory.dim + "\"";
  const Text rate = "\"rate\": " + std::to_string(m.rate);
  if (m.keys == Keys::Input) {
    memory.inputs =
        R"(, "source": {"dims": )" + dims + R"(, "hid"], "type": "float", "role": "data", "range": [-1, 1]})";
    memory.ops = op("dropout", R"("source")", R"("memory")", rate);
  } else if (m.keys == Keys::Table) {
    memory.inputs = R"(, "context": {"dims": ["batch", "hid"], "type": "float", "role": "data", "range": [-1, 1]})";
    memory.parameters = ", " + normal("table", R"("hid", "src", "inner")");
    memory.ops = op("matmul", R"("context", "table")", R"("rows")") + op("dropout", R"("rows")", R"("memory")", rate);
    memory.ops.insert(memory.ops.find("\"outputs\": [\"memory\"]"), R"("rename": {"inner": "hid"}, )");
  } else {
    memory.inputs = R"(, "source": {"dims": )" + dims + R"(], "type": "i32", "role": "data", "range": [0, 32]},
      "places": {"dims": [")" +
                    memory.dim + R"("], "type": "i32", "role": "positions", "range": [0, 64]})";
    memory.parameters = ", " + normal("eq", R"("hid", "heads", "w")") + ", " + normal("ek", R"("hid", "heads", "w")") +
                        ", " + normal("ev", R"("hid", "heads", "w")") + ", " + normal("eo", R"("heads", "w", "hid")");
    memory.ops = op("embedding", R"("source", "emb")", R"("e0")") + op("dropout", R"("e0")", R"("e1")", rate) +
                 op("matmul", R"("e1", "eq")", R"("eq0")") + op("rotary", R"("eq0", "places")", R"("eq1")") +
                 op("matmul", R"("e1", "ek")", R"("ek0")") + op("rotary", R"("ek0", "places")", R"("ek1")") +
                 op("matmul", R"("e1", "ev")", R"("ev0")") +
                 op("attention", R"("eq1", "ek1", "ev0")", R"("ea")", attentionAttributes(false, m.rate)) +
                 op("matmul", R"("ea", "eo")", R"("em")") + op("add", R"("em", "e1")", R"("memory")");
  }
  return memory;
}

Text layer(const Model &m) {
  Text parameters;
  for (const char *name : {"q", "k", "v", "cq", "ck", "cv"})
    parameters += normal(Text(name) + ".{i}", R"("hid", "heads", "w")") + ", ";
  parameters += normal("o.{i}", R"("heads", "w", "hid")") + ", " + normal("co.{i}", R"("heads", "w", "hid")");
  Text ops = op("matmul", R"("x", "q.{i}")", R"("q0")") + op("rotary", R"("q0", "positions")", R"("q1")") +
             op("matmul", R"("x", "k.{i}")", R"("k0")") + op("rotary", R"("k0", "positions")", R"("k1")") +
             op("matmul", R"("x", "v.{i}")", R"("v0")") +
             op("attention", R"("q1", "k1", "v0")", R"("a")", attentionAttributes(true, m.rate)) +
             op("matmul", R"("a", "o.{i}")", R"("b")") + op("add", R"("b", "x")", R"("y")") +
             op("matmul", R"("y", "cq.{i}")", R"("q2")") + op("matmul", R"("memory", "ck.{i}")", R"("k2")") +
             op("matmul", R"("memory", "cv.{i}")", R"("v2")") +
             op("attention", R"("q2", "k2", "v2")" + Text(m.mask ? R"(, "mask")" : ""), R"("c")",
                attentionAttributes(m.causal, m.rate)) +
             op("matmul", R"("c", "co.{i}")", R"("d")") +
             op("dropout", R"("d")", R"("f")", "\"rate\": " + std::to_string(m.rate)) +
             op("add", R"("f", "y")", R"("z")");
  ops.erase(ops.rfind(','));
  return R"({"block": "layer", "repeat": 2, "carry": {"x": {"from": "x1", "next": "z", "result": "n"}},
    "parameters": {)" +
         parameters + R"(}, "ops": [)" + ops + "]},\n";
}

Text graph(const Model &m) {
  const Memory memory = memoryOf(m);
  const Text targets = m.span ? R"(["batch"], "type": "i32", "role": "targets", "range": [0, 24])"
                              : R"(["batch", "seq"], "type": "i32", "role": "targets", "range": [0, 32])";
  const Text mask = !m.mask
                        ? ""
                        : R"(, "mask": {"dims": ["batch", "seq", "src"], "type": "float", "role": "data", "range": )" +
                              Text(m.mask) + "}";
  const Text head = m.span ? op("matmul", R"("n", "u")", R"("logits")") : op("matmul", R"("n", "emb")", R"("logits")");
  return R"({"modelpar": 1, "name": "cross",
    "dims": {"batch": {"role": "batch"}, "seq": {"role": "sequence", "size": 24}, "src": )" +
         std::to_string(m.size) +
         R"(, "hid": 16, "inner": 16, "heads": 2, "w": 8, "vocab": 32, "places": 64},
    "inputs": {"tokens": {"dims": ["batch", "seq"], "type": "i32", "role": "tokens", "range": [0, 32]},
      "positions": {"dims": ["seq"], "type": "i32", "role": "positions", "range": [0, 64]},
      "labels": {"dims": )" +
         targets + "}" + memory.inputs + mask + R"(},
    "parameters": {)" +
         normal("emb", R"("vocab", "hid")") + ", " + normal("pos", R"("places", "hid")") +
         (m.span ? ", " + normal("u", R"("hid")") : "") + memory.parameters + R"(},
    "ops": [)" +
         memory.ops + op("embedding", R"("tokens", "emb")", R"("x0")") +
         op("embedding", R"("positions", "pos")", R"("p0")") + op("add", R"("x0", "p0")", R"("x1")") + layer(m) + head +
         R"({"op": "cross_entropy", "inputs": ["logits", "labels"], "outputs": ["loss"]}], "loss": "loss"})";
}

struct Plan {
  std::string name;
  int64_t cp = 1, tp = 1, dp = 1, pp = 1, microBatch = 8;
  bool sequenceParallel = false;
};

RunResult runGraph(const Model &model, const Plan &plan) {
  pipelines::CompileOptions options = compileOptions("cross.json", plan.cp * plan.tp * plan.dp * plan.pp);
  options.cp = plan.cp;
  options.tp = plan.tp;
  options.dp = plan.dp;
  options.pp = plan.pp;
  options.globalBatch = 8;
  options.microBatch = plan.microBatch;
  options.sequenceParallel = plan.sequenceParallel;
  options.optimizer = "sgd";
  RunOptions runOptions;
  runOptions.learningRate = 0.5;
  return compileAndRun(graph(model), options, runOptions);
}

/// Runs of one rank, made once for each model.
const RunResult &reference(const Model &model) {
  static std::map<std::string, RunResult> results;
  auto it = results.find(model.name);
  if (it == results.end())
    it = results.emplace(model.name, runGraph(model, {"one"})).first;
  return it->second;
}

void PrintTo(const Model &model, std::ostream *stream) { *stream << model.name; }
void PrintTo(const Plan &plan, std::ostream *stream) { *stream << plan.name; }

class CrossAttention : public ::testing::TestWithParam<std::tuple<Model, Plan>> {};

TEST_P(CrossAttention, AsOneRank) {
  const auto &[model, plan] = GetParam();
  const RunResult &one = reference(model);
  ASSERT_EQ(one.error, "");
  const RunResult many = runGraph(model, plan);
  ASSERT_EQ(many.error, "");
  const Agreement agreement = compare(one, many);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

/// 2·cp divides 24 and 12 for cp = 2 and 3, and neither 7 nor, for cp = 4, 12.
const Model kModels[] = {
    {.name = "input", .size = 12},
    {.name = "input_causal", .size = 12, .causal = true},
    {.name = "input_as_long", .causal = true, .rate = 0.2},
    {.name = "input_of_7", .size = 7, .causal = true, .rate = 0.2},
    {.name = "encoder_of_7", .keys = Keys::Encoder, .size = 7, .rate = 0.2},
    {.name = "encoder_as_long", .keys = Keys::Encoder, .causal = true, .rate = 0.2},
    {.name = "encoder_longer", .keys = Keys::Encoder, .size = 36, .causal = true},
    {.name = "table", .keys = Keys::Table, .causal = true, .rate = 0.2},
    {.name = "table_of_5", .keys = Keys::Table, .size = 5},
    {.name = "sequence", .keys = Keys::Sequence, .rate = 0.2},
    {.name = "sequence_causal", .keys = Keys::Sequence, .causal = true, .rate = 0.2},
    {.name = "masked", .size = 12, .causal = true, .rate = 0.2, .mask = "[-6, 0]"},
    {.name = "masked_far", .keys = Keys::Encoder, .size = 7, .causal = true, .mask = "[-1e9, -1e9]"},
    {.name = "span", .size = 12, .causal = true, .rate = 0.2, .span = true}};
const Plan kPlans[] = {{.name = "cp2", .cp = 2},
                       {.name = "cp3", .cp = 3},
                       {.name = "cp4", .cp = 4},
                       {.name = "cp5", .cp = 5}, // Contiguous, and uneven.
                       {.name = "cp2_dp2", .cp = 2, .dp = 2, .microBatch = 2},
                       {.name = "cp2_tp2", .cp = 2, .tp = 2},
                       {.name = "cp2_tp2_sp", .cp = 2, .tp = 2, .sequenceParallel = true},
                       {.name = "cp2_pp2", .cp = 2, .pp = 2, .microBatch = 4}};

INSTANTIATE_TEST_SUITE_P(Plans, CrossAttention,
                         ::testing::Combine(::testing::ValuesIn(kModels), ::testing::ValuesIn(kPlans)),
                         [](const auto &info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

/// What the comparison above rests on: a causal mask and dropout of the second attention reach the gradients.
TEST(CrossAttentionValues, ReachTheGradients) {
  const Model plain{.name = "plain", .size = 12}, causal{.name = "causal", .size = 12, .causal = true},
      dropout{.name = "dropout", .size = 12, .rate = 0.2};
  ASSERT_EQ(reference(plain).error + reference(causal).error + reference(dropout).error, "");
  EXPECT_GT(compare(reference(plain), reference(causal)).gradients, 100);
  EXPECT_GT(compare(reference(plain), reference(dropout)).gradients, 100);
}

} // namespace
