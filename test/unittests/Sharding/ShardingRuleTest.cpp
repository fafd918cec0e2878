//===- ShardingRuleTest.cpp - tests of placements on rules ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/ShardingRule.h"

#include <gtest/gtest.h>

namespace modelpar::sharding {
namespace {

Mesh makeMesh() { return Mesh({{"mb", 2}, {"dp", 2}, {"tp", 4}}); }

/// ([b, h], [h, f]) -> ([b, f])  h: reduction
OpShardingRule matmul() {
  OpShardingRule rule;
  rule.factors = {{"b", 8}, {"h", 16, FactorKind::Reduction}, {"f", 32}};
  rule.operands = {{{{0}, {1}}, 0}, {{{1}, {2}}, 1}};
  rule.results = {{{{0}, {2}}}};
  return rule;
}

/// ([b, v], [b]) -> ([b]:lse, [b])  v: reduction positional
OpShardingRule softmaxStats() {
  OpShardingRule rule;
  rule.factors = {{"b", 8}, {"v", 50, FactorKind::Reduction, true}};
  rule.operands = {{{{0}, {1}}}, {{{0}}}};
  rule.results = {{{{0}}, ReduceKind::Lse}, {{{0}}}};
  return rule;
}

/// Queries s and keys t: ([s], [t]) -> ([s], [t])  s: reduction, of the second result  t: streamed along s
OpShardingRule streamed() {
  OpShardingRule rule;
  rule.factors = {{"s", 16, FactorKind::Reduction}, {"t", 12, FactorKind::Streamed, false, 0}};
  rule.operands = {{{{0}}}, {{{1}}}};
  rule.results = {{{{0}}}, {{{1}}}};
  return rule;
}

TEST(ShardingRule, Prints) {
  EXPECT_EQ(matmul().toString(), "([b, h], [h, f]) -> ([b, f])  h: reduction");
  EXPECT_EQ(softmaxStats().toString(), "([b, v], [b]) -> ([b]:lse, [b])  v: reduction positional");
}

TEST(ShardingRule, ColumnParallelIsLocal) {
  Mesh mesh = makeMesh();
  Placement placement{{"b", {mesh.axis("dp"), mesh.axis("mb")}}, {"f", {mesh.axis("tp")}}};
  EXPECT_EQ(validate(matmul(), placement), std::nullopt);
  EXPECT_EQ(toString(operandSharding(matmul(), placement, 0)), R"([{"dp", "mb"}, {}])");
  EXPECT_EQ(toString(operandSharding(matmul(), placement, 1)), R"([{}, {"tp"}])");
  EXPECT_EQ(toString(resultSharding(matmul(), placement, 0, mesh)), R"([{"dp", "mb"}, {"tp"}])");
}

TEST(ShardingRule, RowParallelIsPartial) {
  Mesh mesh = makeMesh();
  Placement placement{{"h", {mesh.axis("tp"), mesh.axis("dp")}}};
  // Partials stand in the mesh's order whatever the order on the factor.
  EXPECT_EQ(toString(resultSharding(matmul(), placement, 0, mesh)), R"([{}, {}], partial={"dp":sum, "tp":sum})");
}

TEST(ShardingRule, EachResultJoinsByItsKind) {
  Mesh mesh = makeMesh();
  Placement placement{{"v", {mesh.axis("tp")}}};
  EXPECT_EQ(toString(resultSharding(softmaxStats(), placement, 0, mesh)), R"([{}], partial={"tp":lse})");
  EXPECT_EQ(toString(resultSharding(softmaxStats(), placement, 1, mesh)), R"([{}], partial={"tp":sum})");
}

TEST(ShardingRule, ParallelFactorThatAResultLacksLeavesItReplicated) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = matmul();
  rule.results.push_back({{{0}}});
  Placement placement{{"f", {mesh.axis("tp")}}};
  EXPECT_EQ(toString(resultSharding(rule, placement, 1, mesh)), "[{}]");
}

TEST(ShardingRule, BroadcastDimensionsStayWhole) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = matmul();
  rule.operands.push_back({{{}, {2}}});
  Placement placement{{"b", {mesh.axis("dp")}}, {"f", {mesh.axis("tp")}}};
  EXPECT_EQ(toString(operandSharding(rule, placement, 2)), R"([{}, {"tp"}])");
  EXPECT_EQ(rule.toString(), "([b, h], [h, f], [1, f]) -> ([b, f])  h: reduction");
}

TEST(ShardingRule, WhatIsStreamedIsNotPartial) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = streamed();
  EXPECT_EQ(rule.toString(), "([s], [t]) -> ([s], [t])  s: reduction  t: streamed along s");
  // Each rank sees the parts of all ranks of dp: its own part of the second result is whole.
  Placement ring{{"s", {mesh.axis("dp"), mesh.axis("tp")}}, {"t", {mesh.axis("dp")}}};
  EXPECT_EQ(validate(rule, ring), std::nullopt);
  EXPECT_EQ(toString(operandSharding(rule, ring, 1)), R"([{"dp"}])");
  EXPECT_EQ(toString(resultSharding(rule, ring, 0, mesh)), R"([{"dp", "tp"}])");
  EXPECT_EQ(toString(resultSharding(rule, ring, 1, mesh)), R"([{"dp"}], partial={"tp":sum})");
  // Whole, it is reduced over the axis like anything else.
  EXPECT_EQ(toString(resultSharding(rule, {{"s", {mesh.axis("dp")}}}, 1, mesh)), R"([{}], partial={"dp":sum})");
}

/// Queries and keys have orders of their own; what is summed over a sequence is partial over its ranks in any order.
TEST(ShardingRule, OrdersBelongToFactors) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = streamed();
  AxisRef balanced = mesh.axis("dp");
  balanced.balanced = true;
  Placement ring{{"s", {balanced}}, {"t", {mesh.axis("dp")}}};
  EXPECT_EQ(validate(rule, ring), std::nullopt);
  EXPECT_EQ(toString(operandSharding(rule, ring, 0)), R"([{"dp"*}])");
  EXPECT_EQ(toString(operandSharding(rule, ring, 1)), R"([{"dp"}])");
  EXPECT_EQ(toString(resultSharding(rule, ring, 1, mesh)), R"([{"dp"}])");
  EXPECT_EQ(toString(resultSharding(rule, {{"s", {balanced}}}, 1, mesh)), R"([{}], partial={"dp":sum})");
}

TEST(ShardingRule, StreamedFactorsFollowTheOther) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = streamed();
  EXPECT_EQ(*validate(rule, {{"t", {mesh.axis("dp")}}}),
            R"(factor "t" can only be split over axes of factor "s", along which it is streamed, found "dp")");
  EXPECT_NE(validate(rule, {{"s", {mesh.axis("tp")}}, {"t", {mesh.axis("dp")}}}), std::nullopt);
  // A factor beside the two shares no axis with them.
  rule.factors.push_back({"d", 4});
  rule.operands.push_back({{{2}}});
  EXPECT_NE(validate(rule, {{"s", {mesh.axis("dp")}}, {"t", {mesh.axis("dp")}}, {"d", {mesh.axis("dp")}}}),
            std::nullopt);
}

TEST(ShardingRule, PlacementsThatDoNotFit) {
  Mesh mesh = makeMesh();
  OpShardingRule rule = matmul();
  AxisRef tp = mesh.axis("tp");
  EXPECT_EQ(*validate(rule, {{"z", {tp}}}), "no factor \"z\" in the rule ([b, h], [h, f]) -> ([b, f])  h: reduction");
  EXPECT_EQ(*validate(rule, {{"b", {tp}}, {"f", {tp}}}), "axis \"tp\" is on factors \"b\" and \"f\"");
  EXPECT_NE(validate(rule, {{"b", {{"tp", 1, 2}}}, {"f", {tp}}}), std::nullopt);
  EXPECT_EQ(validate(rule, {{"b", {{"tp", 1, 2}}}, {"f", {{"tp", 2, 2}}}}), std::nullopt);
  rule.factors[2].kind = FactorKind::Whole;
  EXPECT_EQ(*validate(rule, {{"f", {tp}}}), "factor \"f\" must stay whole");
  rule.factors[2].kind = FactorKind::Parallel;
  rule.results[0].dims = {{0, 2}};
  EXPECT_EQ(*validate(rule, {{"f", {tp}}}), "factor \"f\" is the minor part of a dimension and must stay whole");
}

} // namespace
} // namespace modelpar::sharding
