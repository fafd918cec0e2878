//===- ArrayValuesTest.cpp - values of arrays and their ranges ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DataTesting.h"

#include <cmath>
#include <fstream>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

/// What is said about these tokens and targets, of three samples of two.
std::string messageOf(const std::vector<int64_t> &tokens, const std::vector<int64_t> &targets) {
  TemporaryDirectory directory;
  writeArrays(directory / "d.safetensors", {{"tokens", FileType::I64, {3, 2}, bytesOf(tokens)},
                                            {"targets", FileType::I64, {3, 2}, bytesOf(targets)}});
  planformat::Plan plan = tokenPlan(1, 2, 100);
  std::unique_ptr<DataSource> source;
  return createArrays(plan, directory / "d.safetensors", source).message();
}

TEST(ArrayValues, TokensAndTargetsAreCheckedAtTheStart) {
  EXPECT_EQ(messageOf({0, 99, 1, 2, 3, 4}, {99, 0, -1, -100, 1, 1}), "");
  EXPECT_THAT(messageOf({0, 0, 0, 0, 0, 100}, {0, 0, 0, 0, 0, 0}),
              HasSubstr("d.safetensors' does not fit the plan's inputs: array 'tokens': sample 2 of 3, element 1 is "
                        "100, input 'tokens' takes 0 to 99"));
  EXPECT_THAT(messageOf({0, 0, 0, -1, 0, 0}, {0, 0, 0, 0, 0, 0}), HasSubstr("sample 1 of 3, element 1 is -1"));
  EXPECT_THAT(messageOf({0, 0, 0, 0, 0, 0}, {0, 0, 100, 0, 200, 0}),
              HasSubstr("array 'targets': sample 1 of 3, element 0 is 100, input 'targets' takes 0 to 99 and negative "
                        "labels to ignore"));
  EXPECT_THAT(messageOf({0, 0, 0, 0, 0, 0}, {0, int64_t{1} << 40, 0, 0, 0, 0}), HasSubstr("is 1099511627776"));
  std::string both = messageOf({0, 0, 0, 0, 500, 0}, {0, 0, 0, 0, 0, 600});
  EXPECT_THAT(both, HasSubstr("\n  array 'tokens': sample 2 of 3, element 0 is 500"));
  EXPECT_THAT(both, HasSubstr("\n  array 'targets': sample 2 of 3, element 1 is 600"));
}

TEST(ArrayValues, PositionsAreCheckedToo) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 100);
  plan.inputs[2].batchDim = -1;
  std::vector<NamedArray> arrays = {{"tokens", FileType::U8, {1, 2}, bytesOf<uint8_t>({1, 2})},
                                    {"targets", FileType::U8, {1, 2}, bytesOf<uint8_t>({1, 2})},
                                    {"positions", FileType::I32, {1, 2}, bytesOf<int32_t>({1, 2})}};
  writeArrays(directory / "d.safetensors", arrays);
  std::unique_ptr<DataSource> source;
  EXPECT_THAT(createArrays(plan, directory / "d.safetensors", source).message(),
              HasSubstr("array 'positions': element [0, 1] is 2, input 'positions' takes 0 to 1"));
}

/// What is said about one value of x, in [-1, 1], that stands in the second sample.
template <typename T> std::string messageOfReal(FileType type, T value, double high = 1) {
  TemporaryDirectory directory;
  planformat::Plan plan = regressionPlan(2);
  plan.inputs[0].rangeHigh = high;
  std::vector<T> x(12);
  x[9] = value;
  writeArrays(directory / "d.safetensors",
              {{"x", type, {2, 3, 2}, bytesOf(x)}, {"y", FileType::F32, {2, 4}, bytesOf(std::vector<float>(8))}});
  std::unique_ptr<DataSource> source;
  return createArrays(plan, directory / "d.safetensors", source).message();
}

TEST(ArrayValues, RealDataIsCheckedAtTheStart) {
  EXPECT_EQ(messageOfReal<float>(FileType::F32, 1), ""); // Reals may be the high end.
  EXPECT_EQ(messageOfReal<double>(FileType::F64, -1), "");
  EXPECT_THAT(messageOfReal<float>(FileType::F32, 7),
              HasSubstr("array 'x': sample 1 of 2, element [1, 1] is 7, input 'x' takes -1 to 1"));
  EXPECT_THAT(messageOfReal<double>(FileType::F64, -1.5), HasSubstr("element [1, 1] is -1.5,"));
  EXPECT_THAT(messageOfReal<double>(FileType::F64, std::nextafter(1.0, 2.0)), HasSubstr("is 1.0000000000000002,"));
  EXPECT_THAT(messageOfReal<uint16_t>(FileType::F16, 0x4000), HasSubstr("is 2,"));   // 2 in half precision.
  EXPECT_THAT(messageOfReal<uint16_t>(FileType::BF16, 0xc040), HasSubstr("is -3,")); // -3 in bfloat16.
  EXPECT_EQ(messageOfReal<uint16_t>(FileType::F16, 0x3c00), "");                     // 1.
  EXPECT_EQ(messageOfReal<int16_t>(FileType::I16, -1), "");
  EXPECT_THAT(messageOfReal<int16_t>(FileType::I16, -2), HasSubstr("is -2,"));
  EXPECT_THAT(messageOfReal<uint64_t>(FileType::U64, ~uint64_t{0}), HasSubstr("is 18446744073709551615,"));
}

// A step that meets a NaN is skipped: the run goes on, so the file is taken, and said to have one.
TEST(ArrayValues, NaNIsWarnedOf) {
  auto warningOf = []<typename T>(FileType type, T value) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(messageOfReal<T>(type, value), "");
    return ::testing::internal::GetCapturedStderr();
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(warningOf(FileType::F32, static_cast<float>(nan)), HasSubstr("warning: "));
  EXPECT_THAT(warningOf(FileType::F32, static_cast<float>(-nan)), HasSubstr("is NaN, and perhaps not alone"));
  EXPECT_THAT(warningOf(FileType::F64, nan), HasSubstr("array 'x': sample "));
  EXPECT_THAT(warningOf(FileType::F16, uint16_t{0x7e00}), HasSubstr("is NaN,"));
  EXPECT_THAT(warningOf(FileType::BF16, uint16_t{0xffc0}), HasSubstr("is NaN,"));
  EXPECT_EQ(warningOf(FileType::F32, 1.0f), "");
}

TEST(ArrayValues, InfinitiesAreRefused) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(messageOfReal<float>(FileType::F32, -infinity), HasSubstr("is -inf,"));
  EXPECT_THAT(messageOfReal<double>(FileType::F64, infinity), HasSubstr("is inf,"));
  EXPECT_THAT(messageOfReal<uint16_t>(FileType::BF16, 0x7f80), HasSubstr("is inf,"));
  // Nor does a range past the type's largest number let them in.
  EXPECT_THAT(messageOfReal<float>(FileType::F32, infinity, 1e300), HasSubstr("is inf,"));
  EXPECT_THAT(messageOfReal<uint16_t>(FileType::F16, 0x7c00, 1e30), HasSubstr("is inf, input 'x' takes -1 to 1e+30"));
  EXPECT_EQ(messageOfReal<uint16_t>(FileType::F16, 0x7bff, 1e30), ""); // 65504, the largest.
}

// 0.1 is no number of binary types: the nearest of F32 is above it, and a file of F32 can hold no nearer one.
TEST(ArrayValues, ABoundIsRoundedToTheFilesType) {
  EXPECT_EQ(messageOfReal<float>(FileType::F32, 0.1f, 0.1), "");
  EXPECT_THAT(messageOfReal<float>(FileType::F32, std::nextafter(0.1f, 1.0f), 0.1),
              HasSubstr("is 0.10000001, input 'x' takes -1 to 0.1"));
  EXPECT_THAT(messageOfReal<double>(FileType::F64, 0.1f, 0.1), HasSubstr("is 0.10000000149011612,"));
}

TEST(ArrayValues, ChangesDuringTheRunAreFound) {
  TemporaryDirectory directory;
  const std::string path = directory / "d.safetensors";
  writeArrays(path, {{"tokens", FileType::U8, {1, 2}, bytesOf<uint8_t>({1, 2})},
                     {"targets", FileType::U8, {1, 2}, bytesOf<uint8_t>({1, 2})}});
  planformat::Plan plan = tokenPlan(1, 2, 100);
  std::unique_ptr<DataSource> source;
  ASSERT_TRUE(createArrays(plan, path, source).ok());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end); // The last byte is the last of the tokens, which stand behind the targets.
  file.put('\xff').flush();
  Shard<int32_t> shard(plan, plan.inputs[0]);
  EXPECT_THAT(
      source->fill(plan.inputs[0], 1, 0, shard.view).message(),
      HasSubstr("was changed during the run: element 1 of array 'tokens' is 255, input 'tokens' takes 0 to 99"));
}

} // namespace
