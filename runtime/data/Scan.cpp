//===- Scan.cpp - one pass over the elements of a file --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Scan.h"

#include "runtime/base/ThreadPool.h"
#include "runtime/checkpoint/Elements.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::data;

namespace {
constexpr int64_t kWindowBytes = int64_t{64} << 20; ///< What of a file is in memory at a time.
constexpr int64_t kGrainBytes = int64_t{1} << 20;   ///< Less is not worth a thread.
} // namespace

int64_t data::findFirst(std::span<const std::byte> bytes, int64_t elementBytes, const ScanRange &scan,
                        const Release &release) {
  const int64_t count = static_cast<int64_t>(bytes.size()) / elementBytes, window = kWindowBytes / elementBytes;
  const int64_t grains = 1 + std::min(count, window) * elementBytes / kGrainBytes;
  const int64_t cores = grains > 1 ? std::max<int64_t>(1, std::thread::hardware_concurrency()) : 1;
  ThreadPool pool(static_cast<int>(std::min(grains, cores)));
  for (int64_t first = 0; first < count; first += window) {
    const int64_t size = std::min(window, count - first);
    std::atomic<int64_t> found{count};
    pool.parallelFor(size, kGrainBytes / elementBytes, [&](int64_t begin, int64_t end) {
      if (first + begin >= found.load(std::memory_order_relaxed))
        return;
      const int64_t at = scan(first + begin, first + end);
      for (int64_t least = found.load(); at >= 0 && at < least && !found.compare_exchange_weak(least, at);)
        ;
    });
    if (release)
      release(bytes.subspan(static_cast<size_t>(first * elementBytes), static_cast<size_t>(size * elementBytes)));
    if (found.load() < count)
      return found.load();
  }
  return -1;
}

template <typename T> static T load(const std::byte *bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

/// The first element of type T in [begin, end) that is outside. Blocks without any, which are nearly all, are told by a
/// loop without branches, which the compiler makes vector code of.
template <typename T, typename Outside>
static int64_t findIn(const std::byte *bytes, int64_t begin, int64_t end, Outside outside) {
  using Mask = std::conditional_t<
      sizeof(T) == 1, uint8_t,
      std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;
  constexpr int64_t kBlock = 4096;
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t last = std::min(block + kBlock, end);
    Mask any = 0;
    for (int64_t i = block; i < last; ++i)
      any |= outside(load<T>(bytes, i)) ? Mask(~Mask(0)) : Mask(0);
    if (!any)
      continue;
    for (int64_t i = block; i < last; ++i)
      if (outside(load<T>(bytes, i)))
        return i;
  }
  return -1;
}

template <typename T>
static int64_t findInteger(std::span<const std::byte> bytes, const Allowed &allowed, const Release &release) {
  using Limits = std::numeric_limits<T>;
  // As a double the largest of 64 bits rounds up: hence the >= below.
  const double lowest = static_cast<double>(Limits::min()), highest = static_cast<double>(Limits::max());
  const double lowBound = std::ceil(allowed.low), highBound = std::floor(allowed.high);
  T low = 1, high = 0; // None.
  if (lowBound <= highBound && lowBound <= highest && highBound >= lowest) {
    low = lowBound <= lowest ? Limits::min() : lowBound >= highest ? Limits::max() : static_cast<T>(lowBound);
    high = highBound >= highest ? Limits::max() : static_cast<T>(highBound);
  }
  const T ignored = allowed.negative ? T(0) : Limits::min(); // Values below it are fine.
  if (low <= ignored && high == Limits::max())
    return -1;
  auto outside = [=](T value) { return (value >= ignored) & ((value < low) | (value > high)); };
  return findFirst(
      bytes, sizeof(T), [&](int64_t begin, int64_t end) { return findIn<T>(bytes.data(), begin, end, outside); },
      release);
}

/// A bound as a finite value of a type whose largest is `largest`.
static double finite(double bound, double largest) { return std::clamp(bound, -largest, largest); }

template <typename T>
static int64_t findReal(std::span<const std::byte> bytes, const Allowed &allowed, const Release &release) {
  constexpr double kLargest = static_cast<double>(std::numeric_limits<T>::max());
  const T low = static_cast<T>(finite(allowed.low, kLargest)), high = static_cast<T>(finite(allowed.high, kLargest));
  auto find = [&](auto outside) {
    return findFirst(
        bytes, sizeof(T), [&](int64_t begin, int64_t end) { return findIn<T>(bytes.data(), begin, end, outside); },
        release);
  };
  if (allowed.nan)
    return find([=](T value) { return (value < low) | (value > high); });
  return find([=](T value) { return !((value >= low) & (value <= high)); });
}

/// Types of 16 bits, whatever they mean: a table says of each of their values whether it is outside.
static int64_t findHalf(FileType type, std::span<const std::byte> bytes, const Allowed &allowed,
                        const Release &release) {
  const bool brain = type == FileType::BF16;
  auto toFloat = [&](uint16_t bits) { return brain ? bfloat16ToFloat(bits) : halfToFloat(bits); };
  const double largest = toFloat(brain ? 0x7f7f : 0x7bff);
  auto rounded = [&](double bound) {
    const auto value = static_cast<float>(finite(bound, largest));
    return toFloat(brain ? floatToBfloat16(value) : floatToHalf(value));
  };
  const float low = rounded(allowed.low), high = rounded(allowed.high);
  std::vector<uint8_t> table(1 << 16);
  for (uint32_t bits = 0; bits < table.size(); ++bits) {
    const float value = toFloat(static_cast<uint16_t>(bits));
    table[bits] = std::isnan(value) ? !allowed.nan : value < low || value > high;
  }
  return findFirst(
      bytes, 2,
      [&](int64_t begin, int64_t end) {
        return findIn<uint16_t>(bytes.data(), begin, end, [&](uint16_t bits) { return table[bits] != 0; });
      },
      release);
}

/// Calls body with a value of the C++ type of an integer type or F32, F64.
template <typename Body> static auto dispatch(FileType type, Body &&body) {
  switch (type) {
  case FileType::I8:
    return body(int8_t());
  case FileType::I16:
    return body(int16_t());
  case FileType::U16:
    return body(uint16_t());
  case FileType::I32:
    return body(int32_t());
  case FileType::U32:
    return body(uint32_t());
  case FileType::I64:
    return body(int64_t());
  case FileType::U64:
    return body(uint64_t());
  case FileType::F32:
    return body(float());
  case FileType::F64:
    return body(double());
  default:
    return body(uint8_t());
  }
}

int64_t data::findOutside(FileType type, std::span<const std::byte> bytes, const Allowed &allowed,
                          const Release &release) {
  if (type == FileType::F16 || type == FileType::BF16)
    return findHalf(type, bytes, allowed, release);
  return dispatch(type, [&]<typename T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      return findReal<T>(bytes, allowed, release);
    else
      return findInteger<T>(bytes, allowed, release);
  });
}

template <typename T> std::string data::realText(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}
template std::string data::realText(float value);
template std::string data::realText(double value);

std::string data::elementText(FileType type, std::span<const std::byte> bytes, int64_t index) {
  if (type == FileType::F16 || type == FileType::BF16) {
    const auto bits = load<uint16_t>(bytes.data(), index);
    return realText(type == FileType::BF16 ? bfloat16ToFloat(bits) : halfToFloat(bits));
  }
  return dispatch(type, [&]<typename T>(T) {
    const T value = load<T>(bytes.data(), index);
    if constexpr (std::is_floating_point_v<T>)
      return realText(value);
    else
      return std::to_string(value);
  });
}
