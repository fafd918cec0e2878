//===- ElementsTest.cpp ---------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Elements.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace modelpar::runtime;
using modelpar::planformat::DType;

namespace {

TEST(Elements, HalfRoundTripsEveryPattern) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = halfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(halfToFloat(floatToHalf(value))));
    else
      EXPECT_EQ(floatToHalf(value), bits) << value;
  }
}

TEST(Elements, BFloat16RoundTripsEveryPattern) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = bfloat16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(bfloat16ToFloat(floatToBfloat16(value))));
    else
      EXPECT_EQ(floatToBfloat16(value), bits) << value;
  }
}

TEST(Elements, HalfRoundsToNearestEven) {
  EXPECT_EQ(halfToFloat(floatToHalf(2049)), 2048); // Between 2048 and 2050: even mantissa.
  EXPECT_EQ(halfToFloat(floatToHalf(2051)), 2052);
  EXPECT_EQ(halfToFloat(floatToHalf(65519)), 65504);
  EXPECT_TRUE(std::isinf(halfToFloat(floatToHalf(65520))));
  EXPECT_EQ(halfToFloat(floatToHalf(std::ldexp(1.0f, -25))), 0); // Half of the least subnormal.
  EXPECT_EQ(halfToFloat(floatToHalf(std::ldexp(1.5f, -25))), std::ldexp(1.0f, -24));
}

TEST(Elements, ConvertsFromUnalignedBytes) {
  std::vector<std::byte> source(1 + 2 * sizeof(double));
  double values[2] = {1.5, -2.25};
  std::copy_n(reinterpret_cast<std::byte *>(values), sizeof(values), source.data() + 1);
  float target[2];
  convertElements(FileType::F64, source.data() + 1, DType::F32, reinterpret_cast<std::byte *>(target), 2);
  EXPECT_EQ(target[0], 1.5f);
  EXPECT_EQ(target[1], -2.25f);
}

TEST(Elements, IntegersSaturate) {
  int64_t values[3] = {-100, int64_t(1) << 40, std::numeric_limits<int64_t>::min()};
  int32_t target[3];
  convertElements(FileType::I64, reinterpret_cast<std::byte *>(values), DType::I32,
                  reinterpret_cast<std::byte *>(target), 3);
  EXPECT_EQ(target[0], -100);
  EXPECT_EQ(target[1], std::numeric_limits<int32_t>::max());
  EXPECT_EQ(target[2], std::numeric_limits<int32_t>::min());
  EXPECT_FALSE(canConvert(FileType::F32, DType::I32));
  EXPECT_FALSE(canConvert(FileType::F8E4M3, DType::F32));
  EXPECT_TRUE(canConvert(FileType::U16, DType::F32));
}

} // namespace
