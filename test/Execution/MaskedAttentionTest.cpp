//===- MaskedAttentionTest.cpp - a mask that is data, on many ranks -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A graph of two layers whose attention has a mask among the step's inputs: sharded
// with the batch, and with the queries where these are; every plan computes what one
// rank computes, and what the mask changes shows.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;

namespace {

/// `mask`: the fourth input of attention and its declaration, or nothing.
std::string graph(const std::string &inputs, const std::string &mask) {
  return R"({"modelpar": 1, "name": "masked",
    "dims": {"b": {"role": "batch"}, "s": {"role": "sequence", "size": 6}, "keys": 6, "h": 8, "p": 3, "g": 4, "d": 2, "v": 16},
    "inputs": {"t": {"dims": ["b", "s"], "type": "i32", "role": "tokens", "range": [0, 16]},
               "y": {"dims": ["b", "s"], "type": "i32", "role": "targets", "range": [0, 16]})" +
         inputs + R"(},
    "parameters": {"e": {"dims": ["v", "h"], "init": {"normal": {"std": 0.5}}}},
    "ops": [{"op": "embedding", "inputs": ["t", "e"], "outputs": ["x0"]},
      {"block": "layer", "repeat": 2, "carry": {"x": {"from": "x0", "next": "z", "result": "n"}},
       "parameters": {"w.{i}": {"dims": ["h", "p", "g", "d"], "init": {"normal": {"std": 0.5}}},
                      "o.{i}": {"dims": ["g", "d", "h"], "init": {"normal": {"std": 0.5}}}},
       "ops": [{"op": "matmul", "inputs": ["x", "w.{i}"], "outputs": ["qkv"]},
               {"op": "unpack", "inputs": ["qkv"], "outputs": ["q", "k", "u"], "attributes": {"dim": "p"}},
               {"op": "attention", "inputs": ["q", "k", "u")" +
         mask + R"(], "outputs": ["a"], "attributes": {"causal": true, "rate": 0.2, "scale": 0.7}},
               {"op": "matmul", "inputs": ["a", "o.{i}"], "outputs": ["m"]},
               {"op": "add", "inputs": ["m", "x"], "outputs": ["z"]}]},
      {"op": "matmul", "inputs": ["n", "e"], "outputs": ["l"], "attributes": {"result": ["b", "s", "v"]}},
      {"op": "cross_entropy", "inputs": ["l", "y"], "outputs": ["loss"]}], "loss": "loss"})";
}

std::string masked(const std::string &low, const std::string &high = "0") {
  return graph(R"(, "mask": {"dims": ["b", "s", "keys"], "type": "float", "role": "data", "range": [)" + low + ", " +
                   high + "]}",
               R"(, "mask")");
}

struct Case {
  const char *name;
  int64_t tp = 1, dp = 1, pp = 1, microBatch = 8;
  bool sequenceParallel = false;
};

RunResult runGraph(const std::string &text, const Case &c) {
  pipelines::CompileOptions options = compileOptions("masked.json", c.tp * c.dp * c.pp);
  options.tp = c.tp;
  options.dp = c.dp;
  options.pp = c.pp;
  options.globalBatch = 8;
  options.microBatch = c.microBatch;
  options.sequenceParallel = c.sequenceParallel;
  return compileAndRun(text, options);
}

class MaskedAttention : public ::testing::TestWithParam<Case> {};

TEST_P(MaskedAttention, AsOneRank) {
  const RunResult one = runGraph(masked("-6"), {"one"}), many = runGraph(masked("-6"), GetParam());
  ASSERT_EQ(one.error, "");
  ASSERT_EQ(many.error, "");
  Agreement agreement = compare(one, many);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

const Case kCases[] = {{.name = "tp2", .tp = 2},
                       {.name = "dp2", .dp = 2, .microBatch = 4},
                       {.name = "micro_batches", .microBatch = 2},
                       {.name = "tp2_sp", .tp = 2, .sequenceParallel = true},
                       {.name = "tp2_dp2_pp2", .tp = 2, .dp = 2, .pp = 2, .microBatch = 2}};
INSTANTIATE_TEST_SUITE_P(Plans, MaskedAttention, ::testing::ValuesIn(kCases),
                         [](const auto &info) { return std::string(info.param.name); });

/// One number in all of a row changes nothing, however large: losses and gradients are those without a mask.
class ConstantMask : public ::testing::TestWithParam<std::string> {};

TEST_P(ConstantMask, ChangesNothing) {
  const RunResult none = runGraph(graph("", ""), {"one"}), masks = runGraph(masked(GetParam(), GetParam()), {"one"}),
                  many =
                      runGraph(masked(GetParam(), GetParam()), {.name = "tp2_dp2", .tp = 2, .dp = 2, .microBatch = 2});
  ASSERT_EQ(none.error + masks.error + many.error, "");
  ASSERT_FALSE(none.losses.empty());
  EXPECT_EQ(none.losses, masks.losses);
  EXPECT_EQ(none.gradients, masks.gradients);
  const Agreement agreement = compare(none, many);
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

INSTANTIATE_TEST_SUITE_P(Levels, ConstantMask, ::testing::Values("-2.5", "-1e9", "-1e30", "-3.4e38", "1e9"),
                         [](const auto &info) { return "level" + std::to_string(info.index); });

/// Zeros change nothing, other numbers more than the comparison above would let pass.
TEST(MaskedAttentionValues, ReachTheGradients) {
  const RunResult none = runGraph(graph("", ""), {"one"}), zeros = runGraph(masked("0"), {"one"}),
                  some = runGraph(masked("-6"), {"one"});
  ASSERT_EQ(none.error + zeros.error + some.error, "");
  ASSERT_FALSE(none.losses.empty());
  EXPECT_EQ(none.losses, zeros.losses);
  EXPECT_EQ(none.gradients, zeros.gradients);
  EXPECT_GT(compare(none, some).gradients, 100);
}

} // namespace
