//===- DerivedWeightTest.cpp - weights that are computed of parameters ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A value that does not depend on the batch, computed once and used by several blocks (a
// product of two parameters, a normalised one, rows of a table): its gradient is a sum over
// the batch and is passed on to the parameters behind it. Every plan computes what one rank
// computes, and one rank what central differences say.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;

namespace {

/// How M [f, h] and E [s, h], or a row of it, come to be: ops in front of the layers and their parameters.
struct Derivation {
  const char *name, *parameters, *ops;
  const char *shift = "e"; ///< What is added in every layer.
};

const Derivation kDerivations[] = {
    {"product", R"("A": ["f", "r"], "B": ["r", "h"], "e": ["h"])",
     R"({"block": "pre", "ops": [{"op": "matmul", "inputs": ["A", "B"], "outputs": ["M"]}]})"},
    {"lowRank", R"("W": ["f", "h"], "A": ["f", "r"], "B": ["r", "h"], "e": ["h"])",
     R"({"block": "pre", "ops": [{"op": "matmul", "inputs": ["A", "B"], "outputs": ["P"]},
                                 {"op": "add", "inputs": ["W", "P"], "outputs": ["M"]}]})"},
    {"lowRankApart", R"("W": ["f", "h"], "A": ["f", "r"], "B": ["r", "h"], "e": ["h"])",
     R"({"block": "product", "ops": [{"op": "matmul", "inputs": ["A", "B"], "outputs": ["P"]}]},
        {"block": "sum", "ops": [{"op": "add", "inputs": ["W", "P"], "outputs": ["M"]}]})"},
    // One value is the gradient of W and what the product's block is given.
    {"lowRankSquashed", R"("W": ["f", "h"], "A": ["f", "r"], "B": ["r", "h"], "e": ["h"])",
     R"({"block": "product", "ops": [{"op": "matmul", "inputs": ["A", "B"], "outputs": ["P"]}]},
        {"block": "squash", "ops": [
          {"op": "add", "inputs": ["P", "W"], "outputs": ["S"]},
          {"op": "activation", "inputs": ["S"], "outputs": ["M"], "attributes": {"kind": "tanh"}}]})"},
    {"sum", R"("W": ["f", "h"], "S": ["f", "h"], "b0": ["h"], "b1": ["h"])",
     R"({"block": "pre", "ops": [{"op": "add", "inputs": ["W", "S"], "outputs": ["M"]},
                                 {"op": "add", "inputs": ["b0", "b1"], "outputs": ["e"]}]})"},
    {"rmsNorm", R"("W": ["f", "h"], "g": ["h"], "e": ["h"])",
     R"({"block": "pre", "ops": [
          {"op": "rms_norm", "inputs": ["W", "g"], "outputs": ["M"], "attributes": {"epsilon": 1e-5}}]})"},
    {"layerNorm", R"("W": ["f", "h"], "g": ["h"], "b0": ["h"], "e": ["h"])",
     R"({"block": "pre", "ops": [
          {"op": "layer_norm", "inputs": ["W", "g", "b0"], "outputs": ["M"], "attributes": {"epsilon": 1e-5}}]})"},
    {"scaledAndSquashed", R"("W": ["f", "h"], "S": ["f", "h"], "e": ["h"])",
     R"({"block": "pre", "ops": [
          {"op": "mul", "inputs": ["W", "S"], "outputs": ["m"]},
          {"op": "activation", "inputs": ["m"], "outputs": ["M"], "attributes": {"kind": "tanh"}}]})"},
    {"transposed", R"("W": ["h", "f"], "e": ["h"], "I": ["f", "k"], "J": ["k", "h"])",
     R"({"block": "pre", "ops": [
          {"op": "matmul", "inputs": ["W", "I"], "outputs": ["T"], "attributes": {"result": ["k", "h"]}},
          {"op": "mul", "inputs": ["T", "J"], "outputs": ["U"]},
          {"op": "matmul", "inputs": ["I", "U"], "outputs": ["M"], "attributes": {"result": ["f", "h"]}}]})"},
    {"dropped", R"("W": ["f", "h"], "e": ["h"])",
     R"({"block": "pre", "ops": [
          {"op": "dropout", "inputs": ["W"], "outputs": ["M"], "attributes": {"rate": 0.25}}]})"},
    // The same parameter as it is and derived.
    {"both", R"("A": ["f", "r"], "B": ["r", "h"], "e": ["h"])",
     R"({"block": "first", "ops": [{"op": "matmul", "inputs": ["A", "B"], "outputs": ["m"]}]},
        {"block": "second", "ops": [
          {"op": "activation", "inputs": ["m"], "outputs": ["o"], "attributes": {"kind": "tanh"}},
          {"op": "matmul", "inputs": ["A", "B"], "outputs": ["p"]},
          {"op": "add", "inputs": ["o", "p"], "outputs": ["q"]},
          {"op": "add", "inputs": ["q", "m"], "outputs": ["M"]}]})"},
    // Outside of blocks, beside an op of the batch.
    {"loose", R"("A": ["f", "r"], "B": ["r", "h"], "e": ["h"], "i": ["f"])",
     R"({"op": "add", "inputs": ["x", "i"], "outputs": ["x1"]},
        {"op": "matmul", "inputs": ["A", "B"], "outputs": ["M"]})"},
    // Rows of a table by position: no batch, but a sequence.
    {"positions", R"("M": ["f", "h"], "T": ["rows", "h"])",
     R"({"block": "pre", "ops": [{"op": "embedding", "inputs": ["pos", "T"], "outputs": ["e"]}]})"},
    {"positionsThroughProduct", R"("A": ["f", "r"], "B": ["r", "h"], "T": ["rows", "r"])",
     R"({"block": "rows", "ops": [{"op": "embedding", "inputs": ["pos", "T"], "outputs": ["t"]}]},
        {"block": "pre", "ops": [{"op": "matmul", "inputs": ["t", "B"], "outputs": ["e"]},
                                 {"op": "matmul", "inputs": ["A", "B"], "outputs": ["M"]}]})"}};

std::string modelText(const Derivation &d) {
  std::string parameters;
  for (char c : std::string(d.parameters))
    parameters += c == '[' ? R"({"dims": [)" : c == ']' ? R"(], "init": {"normal": {"std": 0.1}}})" : std::string(1, c);
  const std::string first = std::string(d.ops).find("x1") == std::string::npos ? "x" : "x1";
  const bool usesPositions = std::string(d.ops).find("pos") != std::string::npos;
  return R"({"modelpar": 1, "name": "derived",
    "dims": {"batch": {"role": "batch"}, "s": {"role": "sequence", "size": 8}, "f": 6, "h": 8, "r": 2, "k": 5, "rows": 16},
    "inputs": {"x": {"dims": ["batch", "s", "f"], "type": "float", "role": "data", "range": [-1, 1]},)" +
         std::string(usesPositions ? R"("pos": {"dims": ["s"], "type": "i32", "role": "positions", "range": [0, 16]},)"
                                   : "") +
         R"("y": {"dims": ["batch", "s", "f"], "type": "float", "role": "data", "range": [-1, 1]}},
    "parameters": {)" +
         parameters + R"(},
    "ops": [)" +
         d.ops + R"(,
      {"block": "layer", "repeat": 4, "carry": {"h0": {"from": ")" +
         first + R"(", "next": "n", "result": "z"}},
       "parameters": {"V.{i}": {"dims": ["h", "f"], "init": {"normal": {"std": 0.1}}}},
       "ops": [{"op": "matmul", "inputs": ["h0", "M"], "outputs": ["a"]},
               {"op": "add", "inputs": ["a", "e"], "outputs": ["b"]},
               {"op": "activation", "inputs": ["b"], "outputs": ["c"], "attributes": {"kind": "silu"}},
               {"op": "matmul", "inputs": ["c", "V.{i}"], "outputs": ["d"]},
               {"op": "add", "inputs": ["d", "h0"], "outputs": ["n"]}]},
      {"op": "matmul", "inputs": ["z", "M"], "outputs": ["u"]},
      {"op": "activation", "inputs": ["u"], "outputs": ["w"], "attributes": {"kind": "tanh"}},
      {"op": "matmul", "inputs": ["w", "M"], "outputs": ["out"], "attributes": {"result": ["batch", "s", "f"]}},
      {"op": "squared_error", "inputs": ["out", "y"], "outputs": ["loss"]}], "loss": "loss"})";
}

struct Plan {
  const char *name;
  int64_t tp = 1, dp = 1, pp = 1, cp = 1, microBatch = 8, globalBatch = 8;
  bool sequenceParallel = false;
  const char *schedule = "1f1b";
};

const Plan kPlans[] = {
    {.name = "micro", .microBatch = 1},
    {.name = "unevenMicro", .microBatch = 3},
    {.name = "dp2", .dp = 2, .microBatch = 4},
    {.name = "dp3micro", .dp = 3, .microBatch = 1, .globalBatch = 7},
    {.name = "tp2", .tp = 2},
    {.name = "tp3micro", .tp = 3, .microBatch = 4},
    {.name = "tp2sp", .tp = 2, .microBatch = 4, .sequenceParallel = true},
    {.name = "pp2", .pp = 2},
    {.name = "pp2micro", .pp = 2, .microBatch = 2},
    {.name = "pp4gpipe", .pp = 4, .microBatch = 2, .schedule = "gpipe"},
    {.name = "pp5micro", .pp = 5, .microBatch = 1},
    // Shares of 3 and 2: the last micro-batch of one rank is empty, and the weight crosses all the same.
    {.name = "dp2pp2uneven", .dp = 2, .pp = 2, .microBatch = 1, .globalBatch = 5},
    {.name = "cp2", .cp = 2},
    {.name = "cp2micro", .cp = 2, .microBatch = 2},
    {.name = "cp2tp2sp", .tp = 2, .cp = 2, .microBatch = 4, .sequenceParallel = true},
    {.name = "dp2tp2pp2", .tp = 2, .dp = 2, .pp = 2, .microBatch = 2},
    {.name = "dp2cp2pp2tp2", .tp = 2, .dp = 2, .pp = 2, .cp = 2, .microBatch = 1, .sequenceParallel = true},
};

pipelines::CompileOptions optionsOf(const Plan &plan, const std::string &optimizer) {
  pipelines::CompileOptions options = compileOptions("derived.json", plan.tp * plan.dp * plan.pp * plan.cp);
  options.tp = plan.tp;
  options.dp = plan.dp;
  options.pp = plan.pp;
  options.cp = plan.cp;
  options.sequenceParallel = plan.sequenceParallel;
  options.schedule = plan.schedule;
  options.microBatch = plan.microBatch;
  options.globalBatch = plan.globalBatch;
  options.optimizer = optimizer;
  return options;
}

RunOptions runOptions(const std::string &optimizer) {
  RunOptions options;
  options.steps = 3;
  options.learningRate = optimizer == "sgd" ? 0.5 : 1e-3;
  return options;
}

/// One rank with one micro-batch, run once for each model, optimizer and batch.
const RunResult &reference(const Derivation &d, const std::string &optimizer, int64_t globalBatch) {
  static std::map<std::string, RunResult> results;
  const std::string key = d.name + optimizer + std::to_string(globalBatch);
  auto it = results.find(key);
  if (it == results.end()) {
    const Plan one{.name = "one", .microBatch = globalBatch, .globalBatch = globalBatch};
    it = results.emplace(key, run(compileText(modelText(d), optionsOf(one, optimizer)).plan, runOptions(optimizer)))
             .first;
  }
  return it->second;
}

using Parameters = std::tuple<Derivation, Plan>;
class DerivedWeight : public ::testing::TestWithParam<Parameters> {};
void PrintTo(const Derivation &d, std::ostream *stream) { *stream << d.name; }
void PrintTo(const Plan &plan, std::ostream *stream) { *stream << plan.name; }

TEST_P(DerivedWeight, EqualsOneRank) {
  const auto &[d, plan] = GetParam();
  for (const std::string optimizer : {"sgd", "adamw"}) {
    const RunResult &one = reference(d, optimizer, plan.globalBatch);
    ASSERT_EQ(one.error, "");
    pipelines::CompileResult compiled = compileText(modelText(d), optionsOf(plan, optimizer));
    ASSERT_TRUE(compiled.ok);
    RunResult parallel = run(compiled.plan, runOptions(optimizer));
    ASSERT_EQ(parallel.error, "");
    EXPECT_EQ(parallel.replicaMismatch, "");
    Agreement agreement = compare(one, parallel);
    EXPECT_LE(agreement.worst(), 1.0) << optimizer << ": " << agreement.toString();
  }
}

INSTANTIATE_TEST_SUITE_P(Plans, DerivedWeight,
                         ::testing::Combine(::testing::ValuesIn(kDerivations), ::testing::ValuesIn(kPlans)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

} // namespace
