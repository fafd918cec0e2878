//===- ShardingRuleTest.cpp - factors of every nn op ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rule of each op in its textual form, the operands that it is linear in, and
// that every rule fits the shapes of its op.
//
//===----------------------------------------------------------------------===//

#include "OneOp.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::nn;
using sharding::FactorKind;
using sharding::OpShardingRule;

namespace {

struct RuleCase {
  OpText op;
  std::string rule;
  std::vector<int> linearGroups;
};
void PrintTo(const RuleCase &entry, std::ostream *os) { *os << entry.op.name << " " << entry.rule; }

const std::string kCausal = "{causal = true, scale = 0.5, rate = 0.0, dropout_key = 0}";
const std::string kDropout = "{causal = false, scale = 0.5, rate = 0.1, dropout_key = 0}";

const std::vector<RuleCase> &ruleCases() {
  static const std::vector<RuleCase> cases = {
      {{"nn.matmul", "{subscripts = \"bsh,hf->bsf\"}", {"2x3x4xf32", "4x6xf32"}, {"2x3x6xf32"}},
       "([b, s, h], [h, f]) -> ([b, s, f])  h: reduction",
       {0, 1}},
      {{"nn.matmul", "{subscripts = \"bsgd,gdh->bsh\"}", {"2x3x4x5xf32", "4x5x6xf32"}, {"2x3x6xf32"}},
       "([b, s, g, d], [g, d, h]) -> ([b, s, h])  g: reduction  d: reduction",
       {0, 1}},
      {{"nn.add", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}}, "([d0, d1], [d0, d1]) -> ([d0, d1])", {0, 0}},
      {{"nn.add", "", {"2x3x4xf32", "4xf32"}, {"2x3x4xf32"}}, "([d0, d1, d2], [d2]) -> ([d0, d1, d2])", {0, 0}},
      {{"nn.mul", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}}, "([d0, d1], [d0, d1]) -> ([d0, d1])", {0, 1}},
      {{"nn.reduce_sum", "", {"2x3x4xf32"}, {"4xf32"}}, "([d0, d1, d2]) -> ([d2])  d0: reduction  d1: reduction", {0}},
      {{"nn.sum", "", {"2x3xf32", "2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1], [d0, d1]) -> ([d0, d1])",
       {0, 0, 0}},
      {{"nn.activation", "{kind = #nn.activation<gelu>}", {"2x3xf32"}, {"2x3xf32"}}, "([d0, d1]) -> ([d0, d1])", {-1}},
      {{"nn.activation_grad", "{kind = #nn.activation<gelu>}", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, d1])",
       {0, -1}},
      {{"nn.dropout", "{rate = 0.1, key = 0}", {"2x3xf32", "16xf64"}, {"2x3xf32"}},
       "([d0, d1], [1]) -> ([d0, d1])  d0: positional  d1: positional",
       {0, -1}},
      {{"nn.unpack", "{dim = 1}", {"2x2x4xf32"}, {"2x4xf32", "2x4xf32"}},
       "([d0, n, d1]) -> ([d0, d1], [d0, d1])  n: whole",
       {0}},
      {{"nn.pack", "{dim = 1}", {"2x4xf32", "2x4xf32"}, {"2x2x4xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, n, d1])  n: whole",
       {0, 0}},
      {{"nn.embedding", "", {"2x3xi32", "8x4xf32"}, {"2x3x4xf32"}},
       "([d0, d1], [v, h]) -> ([d0, d1, h])  v: reduction positional",
       {-1, 0}},
      {{"nn.embedding_grad", "", {"2x3x4xf32", "2x3xi32"}, {"8x4xf32"}},
       "([d0, d1, h], [d0, d1]) -> ([v, h])  d0: reduction  d1: reduction  v: positional",
       {0, -1}},
      {{"nn.layer_norm", "{epsilon = 0.0}", {"2x3x4xf32", "4xf32", "4xf32"}, {"2x3x4xf32", "2x3xf32", "2x3xf32"}},
       "([d0, d1, h], [h], [h]) -> ([d0, d1, h], [d0, d1], [d0, d1])  h: whole",
       {-1, -1, -1}},
      {{"nn.layer_norm_input_grad", "", {"2x4xf32", "2x4xf32", "4xf32", "2xf32", "2xf32"}, {"2x4xf32"}},
       "([d0, h], [d0, h], [h], [d0], [d0]) -> ([d0, h])  h: whole",
       {0, -1, -1, -1, -1}},
      {{"nn.layer_norm_weight_grad", "", {"2x4xf32", "2x4xf32", "2xf32", "2xf32"}, {"4xf32", "4xf32"}},
       "([d0, h], [d0, h], [d0], [d0]) -> ([h], [h])  d0: reduction",
       {0, -1, -1, -1}},
      {{"nn.rms_norm", "{epsilon = 0.0}", {"2x3x4xf32", "4xf32"}, {"2x3x4xf32", "2x3xf32"}},
       "([d0, d1, h], [h]) -> ([d0, d1, h], [d0, d1])  h: whole",
       {-1, -1}},
      {{"nn.rms_norm_input_grad", "", {"2x4xf32", "2x4xf32", "4xf32", "2xf32"}, {"2x4xf32"}},
       "([d0, h], [d0, h], [h], [d0]) -> ([d0, h])  h: whole",
       {0, -1, -1, -1}},
      {{"nn.rms_norm_weight_grad", "", {"2x4xf32", "2x4xf32", "2xf32"}, {"4xf32"}},
       "([d0, h], [d0, h], [d0]) -> ([h])  d0: reduction",
       {0, -1, -1}},
      {{"nn.rotary", "{theta = 1.0e4, inverse = true}", {"2x3x5x4xf32", "3xi32"}, {"2x3x5x4xf32"}},
       "([d0, d1, d2, d], [d1]) -> ([d0, d1, d2, d])  d: whole",
       {0, -1}},
      {{"nn.attention", kCausal, {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64"}, {"2x3x2x4xf32", "2x3x2xf32"}},
       "([b, s, g, d], [b, t, g, d], [b, t, g, d], [1]) -> ([b, s, g, d], [b, s, g])"
       "  s: positional  t: streamed along s positional  d: whole",
       {-1, -1, -1, -1}},
      {{"nn.attention",
        kDropout,
        {"2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64"},
        {"2x3x2x6x4xf32", "2x3x2x6xf32"}},
       "([b, s, g, r, d], [b, t, g, d], [b, t, g, d], [1]) -> ([b, s, g, r, d], [b, s, g, r])"
       "  b: positional  s: positional  g: positional  r: positional  t: streamed along s positional  d: whole",
       {-1, -1, -1, -1}},
      {{"nn.attention",
        kCausal,
        {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64", "2x3x5xf32"},
        {"2x3x2x4xf32", "2x3x2xf32"}},
       "([b, s, g, d], [b, t, g, d], [b, t, g, d], [1], [b, s, t]) -> ([b, s, g, d], [b, s, g])"
       "  s: positional  t: whole positional  d: whole",
       {-1, -1, -1, -1, -1}},
      {{"nn.attention_grad",
        kCausal,
        {"2x3x2x4xf32", "2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "2x3x2x4xf32", "2x3x2xf32", "16xf64", "3x5xf32"},
        {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32"}},
       "([b, s, g, d], [b, s, g, d], [b, t, g, d], [b, t, g, d], [b, s, g, d], [b, s, g], [1], [s, t])"
       " -> ([b, s, g, d], [b, t, g, d], [b, t, g, d])"
       "  s: reduction positional  t: whole positional  d: whole",
       {0, -1, -1, -1, -1, -1, -1, -1}},
      {{"nn.attention_grad",
        kCausal,
        {"2x3x2x6x4xf32", "2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "2x3x2x6x4xf32", "2x3x2x6xf32", "16xf64"},
        {"2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32"}},
       "([b, s, g, r, d], [b, s, g, r, d], [b, t, g, d], [b, t, g, d], [b, s, g, r, d], [b, s, g, r], [1])"
       " -> ([b, s, g, r, d], [b, t, g, d], [b, t, g, d])"
       "  s: reduction positional  r: reduction  t: streamed along s positional  d: whole",
       {0, -1, -1, -1, -1, -1, -1}},
      {{"nn.attention_merge", "", {"2x3x4xf32", "2x3xf32", "2x3x4xf32", "2x3xf32"}, {"2x3x4xf32", "2x3xf32"}},
       "([d0, d1, d2], [d0, d1], [d0, d1, d2], [d0, d1]) -> ([d0, d1, d2], [d0, d1])",
       {-1, -1, -1, -1}},
      {{"nn.softmax_stats", "", {"2x3x8xf32", "2x3xi32"}, {"2x3xf32", "2x3xf32"}},
       "([d0, d1, v], [d0, d1]) -> ([d0, d1]:lse, [d0, d1])  v: reduction positional",
       {-1, -1}},
      {{"nn.softmax_stats_grad", "", {"2x8xf32", "2xi32", "2xf32", "2xf32", "2xf32"}, {"2x8xf32"}},
       "([d0, v], [d0], [d0], [d0], [d0]) -> ([d0, v])  v: positional",
       {-1, -1, -1, 0, 0}},
      {{"nn.token_loss", "", {"2x3xf32", "2x3xf32", "2x3xi32", "16xf64"}, {"f32"}},
       "([d0, d1], [d0, d1], [d0, d1], [1]) -> ([])  d0: reduction  d1: reduction",
       {-1, -1, -1, -1}},
      {{"nn.token_loss_grad", "", {"2x3xi32", "16xf64"}, {"2x3xf32", "2x3xf32"}},
       "([d0, d1], [1]) -> ([d0, d1], [d0, d1])",
       {-1, -1}},
      {{"nn.squared_error", "", {"2x3xf32", "2x3xf32"}, {"f32"}},
       "([d0, d1], [d0, d1]) -> ([])  d0: reduction  d1: reduction",
       {-1, -1}},
      {{"nn.squared_error_grad", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, d1])",
       {-1, -1}},
      {{"nn.sum_squares", "", {"2x3xf32", "4xf32"}, {"f32"}},
       "([x0_d0, x0_d1], [x1_d0]) -> ([])  x0_d0: reduction  x0_d1: reduction  x1_d0: reduction",
       {-1, -1}},
      {{"nn.clip_scale", "", {"f32", "16xf64"}, {"f32", "f32"}}, "([], [1]) -> ([], [])", {-1, -1}},
      {{"nn.adamw",
        "{weight_decay = true}",
        {"2x3xf32", "2x3xf32", "2x3xf32", "2x3xf32", "f32", "16xf64"},
        {"2x3xf32", "2x3xf32", "2x3xf32"}},
       "([d0, d1], [d0, d1], [d0, d1], [d0, d1], [], [1]) -> ([d0, d1], [d0, d1], [d0, d1])",
       {-1, -1, -1, -1, -1, -1}},
      {{"nn.sgd", "{weight_decay = true}", {"2x3xf32", "2x3xf32", "f32", "16xf64"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1], [], [1]) -> ([d0, d1])",
       {-1, -1, -1, -1}},
  };
  return cases;
}

class NNRule : public testing::TestWithParam<RuleCase> {};

TEST_P(NNRule, IsAsWritten) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one) << GetParam().op.name;
  OpShardingRule rule = one.rule();
  EXPECT_EQ(rule.toString(), GetParam().rule);
  std::vector<int> groups;
  for (const sharding::OperandRule &operand : rule.operands)
    groups.push_back(operand.linearGroup);
  EXPECT_EQ(groups, GetParam().linearGroups);
}

/// One entry per tensor and dimension, and the factors of a dimension have its size as product.
TEST_P(NNRule, FitsTheShapes) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one);
  OpShardingRule rule = one.rule();
  auto check = [&](mlir::Value value, const std::vector<sharding::DimFactors> &dims) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    ASSERT_EQ(dims.size(), static_cast<size_t>(type.getRank()));
    for (auto [factors, size] : llvm::zip_equal(dims, type.getShape())) {
      int64_t product = 1;
      for (int factor : factors)
        product *= rule.factors.at(factor).size;
      EXPECT_TRUE(factors.empty() || product == size) << product << " for a dimension of " << size;
    }
  };
  ASSERT_EQ(rule.operands.size(), one.op->getNumOperands());
  ASSERT_EQ(rule.results.size(), one.op->getNumResults());
  for (unsigned i = 0; i < one.op->getNumOperands(); ++i)
    check(one.op->getOperand(i), rule.operands[i].dims);
  for (unsigned i = 0; i < one.op->getNumResults(); ++i)
    check(one.op->getResult(i), rule.results[i].dims);
}

INSTANTIATE_TEST_SUITE_P(All, NNRule, testing::ValuesIn(ruleCases()), [](const testing::TestParamInfo<RuleCase> &info) {
  return info.param.op.name.substr(3) + "_" + std::to_string(info.index);
});

TEST(NNRules, EveryComputeOpHasACase) {
  OneOp one({"nn.mul", "", {"2xf32", "2xf32"}, {"2xf32"}});
  std::set<std::string> covered;
  for (const RuleCase &entry : ruleCases())
    covered.insert(entry.op.name);
  for (mlir::RegisteredOperationName name : one.context.getRegisteredOperationsByDialect("nn"))
    EXPECT_EQ(covered.contains(name.getStringRef().str()), name.hasInterface<ShardingRuleOpInterface>())
        << name.getStringRef().str();
}

TEST(NNRules, OnlySumSquaresIsASumOverOperands) {
  for (const RuleCase &entry : ruleCases()) {
    OneOp one(entry.op);
    EXPECT_EQ(mlir::cast<ShardingRuleOpInterface>(one.op).isSumOverOperands(), entry.op.name == "nn.sum_squares");
  }
}

TEST(NNRules, CostsAreThoseOfMatrixProducts) {
  for (const RuleCase &entry : ruleCases()) {
    OneOp one(entry.op);
    auto cost = mlir::cast<CostOpInterface>(one.op);
    bool isMatrix =
        entry.op.name == "nn.matmul" || entry.op.name == "nn.attention" || entry.op.name == "nn.attention_grad";
    EXPECT_EQ(cost.isMatrixOp(), isMatrix) << entry.op.name;
    EXPECT_GE(cost.getFlopsPerPoint(), isMatrix ? 2 : 0);
  }
}

} // namespace
