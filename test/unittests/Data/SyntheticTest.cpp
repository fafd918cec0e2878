//===- SyntheticTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DataTesting.h"

#include <map>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using testing::HasSubstr;

namespace {

std::unique_ptr<DataSource> synthetic(const planformat::Plan &plan, uint64_t seed = 1) {
  std::unique_ptr<DataSource> source;
  DataOptions options;
  options.seed = seed;
  Status status = createDataSource(plan, options, source);
  EXPECT_TRUE(status.ok()) << status.message();
  return source;
}

TEST(Synthetic, TargetsAreTheNextTokens) {
  planformat::Plan plan = tokenPlan(4, 16, 256);
  auto source = synthetic(plan);
  auto tokens = fillAll<int32_t>(*source, plan, plan.inputs[0], 3);
  auto targets = fillAll<int32_t>(*source, plan, plan.inputs[1], 3);
  for (int row = 0; row < 4; ++row)
    for (int i = 0; i + 1 < 16; ++i)
      EXPECT_EQ(targets[row * 16 + i], tokens[row * 16 + i + 1]);
  EXPECT_THAT(tokens, testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(256))));
  EXPECT_EQ(source->labelCount(3), 64);
}

TEST(Synthetic, TheRuleHoldsMostOfTheTime) {
  planformat::Plan plan = tokenPlan(8, 64, 256);
  auto source = synthetic(plan);
  auto tokens = fillAll<int32_t>(*source, plan, plan.inputs[0], 1);
  auto targets = fillAll<int32_t>(*source, plan, plan.inputs[1], 1);
  std::map<int32_t, std::map<int32_t, int>> next;
  for (size_t i = 0; i < tokens.size(); ++i)
    ++next[tokens[i]][targets[i]];
  int best = 0;
  for (const auto &[token, followers] : next) {
    int most = 0;
    for (const auto &[follower, count] : followers)
      most = std::max(most, count);
    best += most;
  }
  EXPECT_GT(best, static_cast<int>(tokens.size()) * 8 / 10);
  EXPECT_LT(best, static_cast<int>(tokens.size()));
}

TEST(Synthetic, DependsOnSeedAndStepAlone) {
  planformat::Plan plan = tokenPlan(4, 16, 50257);
  auto a = synthetic(plan, 1), b = synthetic(plan, 1), c = synthetic(plan, 2);
  auto first = fillAll<int32_t>(*a, plan, plan.inputs[0], 1);
  EXPECT_EQ(first, fillAll<int32_t>(*b, plan, plan.inputs[0], 1));
  EXPECT_NE(first, fillAll<int32_t>(*a, plan, plan.inputs[0], 2));
  EXPECT_NE(first, fillAll<int32_t>(*c, plan, plan.inputs[0], 1));
}

TEST(Synthetic, PartsAgreeWithTheWhole) {
  planformat::Plan plan = tokenPlan(3, 10, 30);
  auto source = synthetic(plan);
  for (int input : {0, 1, 2})
    expectPartsAgree<int32_t>(*source, plan, plan.inputs[input], 5);
  planformat::Plan regression = regressionPlan(5);
  auto real = synthetic(regression);
  for (int input : {0, 1})
    expectPartsAgree<float>(*real, regression, regression.inputs[input], 5);
}

TEST(Synthetic, RealTargetsAreAFunctionOfTheData) {
  planformat::Plan plan = regressionPlan(64);
  auto source = synthetic(plan);
  auto x = fillAll<float>(*source, plan, plan.inputs[0], 1);
  auto y = fillAll<float>(*source, plan, plan.inputs[1], 1);
  EXPECT_THAT(x, testing::Each(testing::AllOf(testing::Ge(-1), testing::Le(1))));
  EXPECT_THAT(y, testing::Each(testing::AllOf(testing::Ge(-2), testing::Le(4))));
  // y = 1 + 3 Σ c x with multiples of 1/4: some choice of six such coefficients explains the first output of every
  // sample.
  bool explained = false;
  for (int code = 0; code < 9 * 9 * 9 * 9 * 9 * 9 && !explained; ++code) {
    double coefficients[6];
    int rest = code, used = 0;
    for (double &c : coefficients) {
      c = (rest % 9 - 4) / 4.0;
      used += std::abs(rest % 9 - 4);
      rest /= 9;
    }
    if (used > 4)
      continue;
    explained = true;
    for (int s = 0; s < 64 && explained; ++s) {
      double sum = 0;
      for (int i = 0; i < 6; ++i)
        sum += coefficients[i] * x[s * 6 + i];
      explained = std::abs(1 + 3 * sum - y[s * 4]) < 1e-4;
    }
  }
  EXPECT_TRUE(explained);
}

TEST(Synthetic, ClassesOfRealData) {
  planformat::Plan plan;
  plan.globalBatch = 32;
  addInput(plan, "x", "data", DType::F32, {32, 2}, 0, 1);
  addInput(plan, "label", "targets", DType::I32, {32}, 0, 10);
  auto source = synthetic(plan);
  auto x = fillAll<float>(*source, plan, plan.inputs[0], 1);
  auto label = fillAll<int32_t>(*source, plan, plan.inputs[1], 1);
  auto classesOf = [&](int feature) {
    std::vector<int32_t> classes;
    for (int s = 0; s < 32; ++s)
      classes.push_back(static_cast<int32_t>(x[s * 2 + feature] * 10));
    return classes;
  };
  EXPECT_THAT(label, testing::AnyOf(classesOf(0), classesOf(1)));
  EXPECT_EQ(source->labelCount(1), 32);
}

TEST(Synthetic, PositionsCountAlongTheLastDimension) {
  planformat::Plan plan = tokenPlan(2, 3, 256);
  addInput(plan, "line", "positions", DType::I32, {3}, 0, 3, -1);
  auto source = synthetic(plan);
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[2], 1), testing::ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[4], 1), testing::ElementsAre(0, 1, 2));
}

TEST(Synthetic, EmptyShardsAreFine) {
  planformat::Plan plan = tokenPlan(2, 4, 256);
  auto source = synthetic(plan);
  Shard<int32_t> shard(plan, plan.inputs[0], {2, 0}, {0, 4});
  EXPECT_TRUE(source->fill(plan.inputs[0], 1, 0, shard.view).ok());
}

TEST(Synthetic, RefusesInputsThatCannotBeFed) {
  planformat::Plan plan;
  plan.globalBatch = 4;
  addInput(plan, "a", "data", DType::F32, {3}, 0, 1);
  addInput(plan, "b", "tokens", DType::F32, {4, 2}, 0, 1);
  addInput(plan, "c", "labels", DType::I32, {4}, 0, 1);
  addInput(plan, "d", "targets", DType::I32, {4}, 3, 3);
  std::unique_ptr<DataSource> source;
  Status status = createDataSource(plan, {}, source);
  EXPECT_THAT(status.message(), HasSubstr("input 'a' [3] of f32: expected the batch of 4 as its first dimension"));
  EXPECT_THAT(status.message(), HasSubstr("input 'b' [4, 2] of f32: tokens must be integers"));
  EXPECT_THAT(status.message(), HasSubstr("unknown role 'labels'"));
  EXPECT_THAT(status.message(), HasSubstr("its range is empty"));
}

} // namespace
