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

struct NamedArray {
  std::string name;
  FileType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

void writeArrays(const std::string &path, const std::vector<NamedArray> &arrays) {
  std::vector<TensorSpec> specs;
  for (const NamedArray &array : arrays)
    specs.push_back({array.name, array.type, array.shape});
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(path, specs, writer).ok());
  for (const NamedArray &array : arrays)
    std::memcpy(writer.bytes(*writer.find(array.name)).data(), array.bytes.data(), array.bytes.size());
  ASSERT_TRUE(writer.finish().ok());
}

Status create(const planformat::Plan &plan, const std::string &path, std::unique_ptr<DataSource> &source) {
  return createDataSource(plan, {path, DataFormat::Auto, 1}, source);
}

TEST(ArrayFile, SamplesAreTakenInOrderAndAgain) {
  TemporaryDirectory directory;
  std::vector<uint16_t> tokens(6);
  std::iota(tokens.begin(), tokens.end(), 0);
  std::vector<int64_t> targets = {0, -100, 1, 2, -1, -100};
  writeArrays(directory / "d.safetensors", {{"tokens", FileType::U16, {3, 2}, bytesOf(tokens)},
                                            {"targets", FileType::I64, {3, 2}, bytesOf(targets)}});
  planformat::Plan plan = tokenPlan(2, 2, 256);
  std::unique_ptr<DataSource> source;
  Status status = create(plan, directory / "d.safetensors", source);
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
  std::iota(x.begin(), x.end(), 0.5);
  std::vector<float> y(8);
  writeArrays(directory / "d.safetensors",
              {{"x", FileType::F64, {2, 3, 2}, bytesOf(x)}, {"y", FileType::F32, {2, 4}, bytesOf(y)}});
  planformat::Plan plan = regressionPlan(2);
  std::unique_ptr<DataSource> source;
  ASSERT_TRUE(create(plan, directory / "d.safetensors", source).ok());
  EXPECT_EQ(fillAll<float>(*source, plan, plan.inputs[0], 1)[11], 11.5f);
  expectPartsAgree<float>(*source, plan, plan.inputs[0], 1);
  EXPECT_EQ(source->labelCount(1), 2);
}

TEST(ArrayFile, ListsAllThatDoesNotFit) {
  TemporaryDirectory directory;
  writeArrays(directory / "d.safetensors", {{"tokens", FileType::F32, {3, 2}, bytesOf(std::vector<float>(6))},
                                            {"label", FileType::I32, {3}, bytesOf(std::vector<int32_t>(3))}});
  planformat::Plan plan = tokenPlan(2, 2, 256);
  std::unique_ptr<DataSource> source;
  std::string message = create(plan, directory / "d.safetensors", source).message();
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
    return create(plan, directory / "d.safetensors", source).message();
  };
  EXPECT_THAT(message({2, 3}, {2, 2}), HasSubstr("array 'tokens': expected shape [samples, 2], found [2, 3] of I32"));
  EXPECT_THAT(message({}, {2, 2}), HasSubstr("array 'tokens': expected shape [samples, 2], found [] of I32"));
  EXPECT_THAT(message({3, 2}, {2, 2}), HasSubstr("array 'targets' has 2 samples, 'tokens' has 3"));
  EXPECT_THAT(message({0, 2}, {0, 2}), HasSubstr("has no samples"));
  EXPECT_EQ(message({3, 2}, {3, 2}), "");
}

TEST(ArrayFile, ValuesOutsideTheRangeNameTheirPlace) {
  TemporaryDirectory directory;
  writeArrays(directory / "d.safetensors",
              {{"tokens", FileType::I32, {1, 2}, bytesOf<int32_t>({1, -3})},
               {"targets", FileType::I64, {1, 2}, bytesOf<int64_t>({-3, int64_t{1} << 40})}});
  planformat::Plan plan = tokenPlan(1, 2, 256);
  std::unique_ptr<DataSource> source;
  ASSERT_TRUE(create(plan, directory / "d.safetensors", source).ok());
  Shard<int32_t> shard(plan, plan.inputs[0]);
  EXPECT_THAT(source->fill(plan.inputs[0], 1, 0, shard.view).message(),
              HasSubstr("element 1 of array 'tokens' is -3, input 'tokens' takes 0 to 255"));
  EXPECT_THAT(source->fill(plan.inputs[1], 1, 0, shard.view).message(),
              HasSubstr("element 1 of array 'targets' is 1099511627776"));
}

TEST(ArrayFile, RefusesBrokenFiles) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 256);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "d.safetensors", "not one");
  EXPECT_THAT(create(plan, directory / "d.safetensors", source).message(), HasSubstr("not a safetensors file"));
  writeFile(directory / "d.safetensors", rawSafetensors("{}", ""));
  EXPECT_THAT(create(plan, directory / "d.safetensors", source).message(), HasSubstr("no array 'tokens'"));
}

} // namespace
