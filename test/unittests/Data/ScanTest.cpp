//===- ScanTest.cpp -------------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Scan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

using namespace modelpar::runtime;
using namespace modelpar::runtime::data;

namespace {

template <typename T> int64_t outside(FileType type, const std::vector<T> &values, const Allowed &allowed) {
  return findOutside(type, std::as_bytes(std::span(values)), allowed, {});
}

/// Every value of a type of eight bits against every range with whole bounds near its limits, by the definition.
template <typename T> void expectAllRanges(FileType type) {
  for (int low = -130; low <= 258; low += 7)
    for (int high = low - 1; high <= 258; high += 11)
      for (bool negative : {false, true})
        for (int value = std::numeric_limits<T>::min(); value <= std::numeric_limits<T>::max(); ++value) {
          const bool allowed = (value >= low && value <= high) || (negative && value < 0);
          ASSERT_EQ(outside<T>(type, {static_cast<T>(value)}, {double(low), double(high), negative}), allowed ? -1 : 0)
              << value << " in " << low << " to " << high << (negative ? " or negative" : "");
        }
}

TEST(Scan, EveryByteAgainstManyRanges) {
  expectAllRanges<int8_t>(FileType::I8);
  expectAllRanges<uint8_t>(FileType::U8);
}

TEST(Scan, BoundsPastTheLimitsOfAType) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(outside<int64_t>(FileType::I64, {kLeast, 0, kMost}, {-1e30, 1e30}), -1);
  EXPECT_EQ(outside<int64_t>(FileType::I64, {kLeast, 0, kMost}, {-1e30, 5}), 2);
  EXPECT_EQ(outside<int64_t>(FileType::I64, {kMost, kLeast}, {0, 1e30}), 1);
  EXPECT_EQ(outside<uint64_t>(FileType::U64, {0, ~uint64_t{0}}, {0, 1e18}), 1);
  EXPECT_EQ(outside<uint16_t>(FileType::U16, {3}, {-10, -1}), 0);
  EXPECT_EQ(outside<int32_t>(FileType::I32, {3}, {1e10, 2e10}), 0);
  EXPECT_EQ(outside<int32_t>(FileType::I32, {1, 2, 3}, {0.5, 2.5}), 2);
  EXPECT_EQ(outside<int32_t>(FileType::I32, {}, {0, 0}), -1);
}

// The scan is shared by threads and goes window by window; the first place is found all the same, at any.
TEST(Scan, FindsTheFirstOfLargeArrays) {
  std::vector<int32_t> values(20'000'001, 5); // 80 MB: more than a window.
  for (size_t place :
       {size_t{0}, size_t{4095}, size_t{4096}, size_t{16'777'215}, size_t{16'777'216}, size_t{20'000'000}}) {
    values[place] = 6;
    values[20'000'000] = 7;
    EXPECT_EQ(outside<int32_t>(FileType::I32, values, {0, 5}), static_cast<int64_t>(place));
    values[place] = values[20'000'000] = 5;
  }
}

TEST(Scan, NeedNotBeAligned) {
  std::vector<double> values = {1, 2, 3};
  std::string bytes(1 + sizeof(double) * 3, '\0');
  std::memcpy(bytes.data() + 1, values.data(), sizeof(double) * 3);
  EXPECT_EQ(findOutside(FileType::F64, std::as_bytes(std::span(bytes)).subspan(1), {0, 2}, {}), 2);
}

TEST(Scan, ReleasesEachByteOnce) {
  std::vector<uint8_t> values(150'000'000, 1);
  const std::byte *next = std::as_bytes(std::span(values)).data();
  EXPECT_EQ(findOutside(FileType::U8, std::as_bytes(std::span(values)), {0, 1},
                        [&](std::span<const std::byte> part) {
                          EXPECT_EQ(part.data(), next);
                          next += part.size();
                        }),
            -1);
  EXPECT_EQ(next, std::as_bytes(std::span(values)).data() + values.size());
}

TEST(Scan, ElementsAsText) {
  auto text = []<typename T>(FileType type, T value) {
    return elementText(type, std::as_bytes(std::span(&value, 1)), 0);
  };
  EXPECT_EQ(text(FileType::I8, int8_t{-5}), "-5");
  EXPECT_EQ(text(FileType::U64, ~uint64_t{0}), "18446744073709551615");
  EXPECT_EQ(text(FileType::F32, 0.1f), "0.1");
  EXPECT_EQ(text(FileType::F64, 1e300), "1e+300");
  EXPECT_EQ(text(FileType::BF16, uint16_t{0x3f80}), "1");
}

} // namespace
