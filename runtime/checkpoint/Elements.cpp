//===- Elements.cpp - conversion between element types --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::DType;

FileType runtime::fileType(DType type) {
  switch (type) {
  case DType::F32:
    return FileType::F32;
  case DType::F64:
    return FileType::F64;
  case DType::BF16:
    return FileType::BF16;
  case DType::F16:
    return FileType::F16;
  case DType::I32:
    return FileType::I32;
  case DType::I64:
    return FileType::I64;
  }
  return FileType::F32;
}

bool runtime::isConvertibleFloat(FileType type) {
  return type == FileType::F16 || type == FileType::BF16 || type == FileType::F32 || type == FileType::F64;
}

bool runtime::isInteger(FileType type) {
  switch (type) {
  case FileType::Bool:
  case FileType::U8:
  case FileType::I8:
  case FileType::I16:
  case FileType::U16:
  case FileType::I32:
  case FileType::U32:
  case FileType::I64:
  case FileType::U64:
    return true;
  default:
    return false;
  }
}

bool runtime::canConvert(FileType from, DType to) {
  bool toInteger = to == DType::I32 || to == DType::I64;
  return isInteger(from) || (isConvertibleFloat(from) && !toInteger);
}

float runtime::bfloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t runtime::floatToBfloat16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40); // A quiet NaN of the same sign.
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float runtime::halfToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0x1f) // Infinity or NaN.
    return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) { // Zero or subnormal: mantissa · 2^-24, exact in a float.
    float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t runtime::floatToHalf(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7e00;
  float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f) // Halfway between the largest half and the next power of two.
    return sign | 0x7c00;
  if (magnitude == 0)
    return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  // One unit in the last place: 2^(exponent - 11), at least that of the subnormals. nearbyint rounds to even.
  int ulp = std::max(exponent - 11, -24);
  auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -ulp)));
  // `units` is mantissa with the hidden bit; adding it to the exponent field carries as it should.
  uint32_t bits = ulp == -24 ? units : (static_cast<uint32_t>(ulp + 24) << 10) + units;
  return static_cast<uint16_t>(sign | bits);
}

template <typename T> static T load(const std::byte *source, int64_t index) {
  T value;
  std::memcpy(&value, source + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T> static void store(std::byte *target, int64_t index, T value) {
  std::memcpy(target + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

static double loadDouble(FileType type, const std::byte *source, int64_t index) {
  switch (type) {
  case FileType::F16:
    return halfToFloat(load<uint16_t>(source, index));
  case FileType::BF16:
    return bfloat16ToFloat(load<uint16_t>(source, index));
  case FileType::F32:
    return load<float>(source, index);
  default:
    return load<double>(source, index);
  }
}

static int64_t loadInteger(FileType type, const std::byte *source, int64_t index) {
  switch (type) {
  case FileType::Bool:
  case FileType::U8:
    return load<uint8_t>(source, index);
  case FileType::I8:
    return load<int8_t>(source, index);
  case FileType::I16:
    return load<int16_t>(source, index);
  case FileType::U16:
    return load<uint16_t>(source, index);
  case FileType::I32:
    return load<int32_t>(source, index);
  case FileType::U32:
    return load<uint32_t>(source, index);
  case FileType::U64:
    return static_cast<int64_t>(std::min<uint64_t>(load<uint64_t>(source, index), std::numeric_limits<int64_t>::max()));
  default:
    return load<int64_t>(source, index);
  }
}

static void storeDouble(DType type, std::byte *target, int64_t index, double value) {
  switch (type) {
  case DType::F64:
    return store<double>(target, index, value);
  case DType::BF16:
    return store<uint16_t>(target, index, floatToBfloat16(static_cast<float>(value)));
  case DType::F16:
    return store<uint16_t>(target, index, floatToHalf(static_cast<float>(value)));
  default:
    return store<float>(target, index, static_cast<float>(value));
  }
}

static void storeInteger(DType type, std::byte *target, int64_t index, int64_t value) {
  if (type == DType::I64)
    return store<int64_t>(target, index, value);
  if (type == DType::I32)
    return store<int32_t>(target, index,
                          static_cast<int32_t>(std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(),
                                                                   std::numeric_limits<int32_t>::max())));
  storeDouble(type, target, index, static_cast<double>(value));
}

void runtime::convertElements(FileType from, const std::byte *source, DType to, std::byte *target, int64_t count) {
  if (from == fileType(to)) {
    if (count > 0)
      std::memcpy(target, source, static_cast<size_t>(count * planformat::byteSize(to)));
    return;
  }
  if (isInteger(from)) {
    for (int64_t i = 0; i < count; ++i)
      storeInteger(to, target, i, loadInteger(from, source, i));
  } else {
    for (int64_t i = 0; i < count; ++i)
      storeDouble(to, target, i, loadDouble(from, source, i));
  }
}
