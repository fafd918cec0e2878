//===- ArrayFileTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DataTesting.h"

#include <numeric>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

TEST(ArrayFile, SamplesAreTakenInOrderAndAgain) {
  TemporaryDirectory directory;
  std::vector<uint16_t> tokens(6);
  std::iota(tokens.begin(), tokens.end(), 0);
  std::vector<int64_t> targets = {0, -100, 1, 2, -1, -100};
  writeArrays(directory / "d.safetensors", {{"tokens", FileType::U16, {3, 2}, bytesOf(tokens)},
                                            {"targets", FileType::I64, {3, 2}, bytesOf(targets)}});
  planformat::Plan plan = tokenPlan(2, 2, 256);
  std::unique_ptr<DataSource> source;
  Status status = createArrays(plan, directory / "d.safetensors", source);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[0], 1), testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[0], 2), testing::ElementsAre(4, 5, 0, 1));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[1], 2), testing::ElementsAre(-100, -100, 0, -100));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[2], 2), testing::ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(source->labelCount(1), 3); // Labels are ignored unevenly: 1 + 2, then 0 + 1.
  EXPECT_EQ(source->labelCount(2), 1);
  EXPECT_EQ(source->labelCount(3), 2);
  for (int input : {0, 1, 2})
    expectPartsAgree<int32_t>(*source, plan, plan.inputs[input], 2);
}

TEST(ArrayFile, RealArraysAreConverted) {
  TemporaryDirectory directory;
  std::vector<double> x(12);
  std::iota(x.begin(), x.end(), -6.0);
  for (double &value : x)
    value /= 8;
  std::vector<float> y(8);
  writeArrays(directory / "d.safetensors",
              {{"x", FileType::F64, {2, 3, 2}, bytesOf(x)}, {"y", FileType::F32, {2, 4}, bytesOf(y)}});
  planformat::Plan plan = regressionPlan(2);
  std::unique_ptr<DataSource> source;
  ASSERT_TRUE(createArrays(plan, directory / "d.safetensors", source).ok());
  EXPECT_EQ(fillAll<float>(*source, plan, plan.inputs[0], 1)[11], 0.625f);
  expectPartsAgree<float>(*source, plan, plan.inputs[0], 1);
  EXPECT_EQ(source->labelCount(1), 2);
}

TEST(ArrayFile, ListsAllThatDoesNotFit) {
  TemporaryDirectory directory;
  writeArrays(directory / "d.safetensors", {{"tokens", FileType::F32, {3, 2}, bytesOf(std::vector<float>(6))},
                                            {"label", FileType::I32, {3}, bytesOf(std::vector<int32_t>(3))}});
  planformat::Plan plan = tokenPlan(2, 2, 256);
  std::unique_ptr<DataSource> source;
  std::string message = createArrays(plan, directory / "d.safetensors", source).message();
  EXPECT_THAT(message, HasSubstr("array 'tokens': cannot convert F32 to i32"));
  EXPECT_THAT(message, HasSubstr("no array 'targets' [2, 2] of i32"));
  EXPECT_THAT(message, HasSubstr("array 'label' [3] of I32 is no input of the plan"));
}

TEST(ArrayFile, RefusesWrongShapesAndCounts) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(2, 2, 256);
  std::unique_ptr<DataSource> source;
  auto message = [&](std::vector<int64_t> tokens, std::vector<int64_t> targets) {
    auto bytes = [](const std::vector<int64_t> &shape) {
      return std::string(
          static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{4}, std::multiplies<>())), '\0');
    };
    writeArrays(directory / "d.safetensors", {{"tokens", FileType::I32, tokens, bytes(tokens)},
                                              {"targets", FileType::I32, targets, bytes(targets)}});
    return createArrays(plan, directory / "d.safetensors", source).message();
  };
  EXPECT_THAT(message({2, 3}, {2, 2}), HasSubstr("array 'tokens': expected shape [samples, 2], found [2, 3] of I32"));
  EXPECT_THAT(message({}, {2, 2}), HasSubstr("array 'tokens': expected shape [samples, 2], found [] of I32"));
  EXPECT_THAT(message({3, 2}, {2, 2}), HasSubstr("array 'targets' has 2 samples, 'tokens' has 3"));
  EXPECT_THAT(message({0, 2}, {0, 2}), HasSubstr("has no samples"));
  EXPECT_EQ(message({3, 2}, {3, 2}), "");
}

/// Tokens and targets of three samples of two, and the given positions.
std::vector<NamedArray> withPositions(const std::vector<int64_t> &shape, const std::vector<int32_t> &positions) {
  return {{"tokens", FileType::U8, {3, 2}, bytesOf<uint8_t>({1, 2, 3, 4, 5, 6})},
          {"targets", FileType::U8, {3, 2}, bytesOf<uint8_t>({1, 2, 3, 4, 5, 6})},
          {"positions", FileType::I32, shape, bytesOf(positions)}};
}

TEST(ArrayFile, AnInputWithoutABatchIsTheSameInEachStep) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(2, 2, 256);
  plan.inputs[2].batchDim = -1;
  plan.types[plan.inputs[2].type].shape = {4};
  plan.inputs[2].rangeHigh = 10;
  writeArrays(directory / "d.safetensors", withPositions({4}, {7, 0, 9, 3}));
  std::unique_ptr<DataSource> source;
  Status status = createArrays(plan, directory / "d.safetensors", source);
  ASSERT_TRUE(status.ok()) << status.message();
  for (int64_t step : {1, 2, 3})
    EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[2], step), testing::ElementsAre(7, 0, 9, 3));
  Shard<int32_t> part(plan, plan.inputs[2], {2}, {2});
  ASSERT_TRUE(source->fill(plan.inputs[2], 2, 0, part.view).ok());
  EXPECT_THAT(part.values, testing::ElementsAre(9, 3));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[0], 2), testing::ElementsAre(5, 6, 1, 2));
}

// The batch of 2 has the size of the sequence: only batch_dim tells one from the other.
TEST(ArrayFile, AnInputWithoutABatchHasItsOwnShape) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(2, 2, 256);
  plan.inputs[2].batchDim = -1;
  std::unique_ptr<DataSource> source;
  auto message = [&](const std::vector<int64_t> &shape, const std::vector<int32_t> &positions) {
    writeArrays(directory / "d.safetensors", withPositions(shape, positions));
    return createArrays(plan, directory / "d.safetensors", source).message();
  };
  EXPECT_EQ(message({2, 2}, {0, 1, 1, 0}), "");
  EXPECT_THAT(message({3, 2}, {0, 1, 0, 1, 0, 1}),
              HasSubstr("array 'positions': expected shape [2, 2] (the same in each sample), found [3, 2] of I32"));
  EXPECT_THAT(message({4}, {0, 1, 0, 1}), HasSubstr("expected shape [2, 2] (the same in each sample), found [4]"));
}

TEST(ArrayFile, TheBatchNeedNotBeTheFirstDimensionOfAnInput) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(2, 2, 256);
  plan.types[plan.inputs[2].type].shape = {3, 2};
  plan.inputs[2].batchDim = 1;
  plan.inputs[2].rangeHigh = 100;
  std::unique_ptr<DataSource> source;
  writeArrays(directory / "d.safetensors", withPositions({3, 3}, {10, 11, 12, 20, 21, 22, 30, 31, 32}));
  Status status = createArrays(plan, directory / "d.safetensors", source);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[2], 1), testing::ElementsAre(10, 20, 11, 21, 12, 22));
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[2], 2), testing::ElementsAre(30, 10, 31, 11, 32, 12));
  writeArrays(directory / "d.safetensors", withPositions({2, 3}, {1, 1, 1, 1, 1, 1}));
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(),
              HasSubstr("array 'positions' has 2 samples, 'targets' has 3"));
  writeArrays(directory / "d.safetensors", withPositions({3, 2}, {1, 1, 1, 1, 1, 1}));
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(),
              HasSubstr("array 'positions': expected shape [samples, 3], found [3, 2] of I32"));
}

TEST(ArrayFile, RefusesBrokenFiles) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 256);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "d.safetensors", "not one");
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(), HasSubstr("not a safetensors file"));
  writeFile(directory / "d.safetensors", "\x1f\x8b\x08" + std::string(20, '\0'));
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(), HasSubstr("; it is a gzip file"));
  writeFile(directory / "d.safetensors", rawSafetensors("{}", ""));
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(), HasSubstr("no array 'tokens'"));
}

} // namespace
