//===- DataMovement.cpp - what a member of a collective computes ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums go through a small block of accumulators, so that the target may be one of the sources and the loops vectorise.
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/DataMovement.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace modelpar::runtime {

using planformat::DType;
using sharding::ReduceKind;

namespace {

/// Accumulators at a time: 4 to 8 KiB on the stack, in the first cache.
constexpr int64_t kBlock = 1024;

struct BFloat16 {
  uint16_t bits;
};
inline float load(const float *p) { return *p; }
inline double load(const double *p) { return *p; }
inline float load(const BFloat16 *p) { return std::bit_cast<float>(uint32_t{p->bits} << 16); }
inline void store(float *p, float value) { *p = value; }
inline void store(double *p, double value) { *p = value; }
inline void store(BFloat16 *p, float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    p->bits = static_cast<uint16_t>((bits >> 16) | 0x40); // Keeps a NaN one.
  else
    p->bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16); // To nearest, ties to even.
}

/// log(Σ exp xᵢ) by the maximum; −∞ where all are.
template <typename Element> double logSumExp(std::span<const std::byte *const> sources, int64_t index) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const std::byte *source : sources) {
    double x = load(reinterpret_cast<const Element *>(source) + index);
    largest = x > largest || x != x ? x : largest;
  }
  if (std::isinf(largest) || std::isnan(largest))
    return largest;
  double sum = 0;
  for (const std::byte *source : sources)
    sum += std::exp(static_cast<double>(load(reinterpret_cast<const Element *>(source) + index)) - largest);
  return largest + std::log(sum);
}

template <typename Element, typename Accumulator>
void reduceBlock(ReduceKind kind, std::span<const std::byte *const> sources, int64_t offset, int64_t count,
                 Element *target) {
  Accumulator sum[kBlock];
  for (size_t s = 0; s < sources.size(); ++s) {
    const Element *source = reinterpret_cast<const Element *>(sources[s]) + offset;
    if (kind == ReduceKind::Lse) {
      for (int64_t i = 0; i < count; ++i)
        sum[i] = static_cast<Accumulator>(logSumExp<Element>(sources, offset + i));
      break;
    }
    if (s == 0)
      for (int64_t i = 0; i < count; ++i)
        sum[i] = load(source + i);
    else if (kind == ReduceKind::Sum)
      for (int64_t i = 0; i < count; ++i)
        sum[i] += load(source + i);
    else
      for (int64_t i = 0; i < count; ++i) {
        Accumulator x = load(source + i);
        sum[i] = x > sum[i] || x != x ? x : sum[i];
      }
  }
  for (int64_t i = 0; i < count; ++i)
    store(target + i, sum[i]);
}

template <typename Element, typename Accumulator>
void reduceAs(ReduceKind kind, std::span<const std::byte *const> sources, int64_t offset, int64_t count,
              std::byte *target) {
  auto *out = reinterpret_cast<Element *>(target);
  for (int64_t begin = 0; begin < count; begin += kBlock)
    reduceBlock<Element, Accumulator>(kind, sources, offset + begin, std::min(kBlock, count - begin), out + begin);
}

int64_t before(const std::vector<int64_t> &extents, int64_t member) {
  int64_t offset = 0;
  for (int64_t i = 0; i < member; ++i)
    offset += extents[static_cast<size_t>(i)];
  return offset;
}

inline void copy(std::byte *target, const std::byte *source, int64_t bytes) {
  if (bytes > 0)
    std::memcpy(target, source, static_cast<size_t>(bytes));
}

} // namespace

void reduce(ReduceKind kind, DType dtype, std::span<const std::byte *const> sources, int64_t offset, int64_t count,
            std::byte *target) {
  if (count <= 0)
    return;
  if (dtype == DType::F64)
    reduceAs<double, double>(kind, sources, offset, count, target);
  else if (dtype == DType::BF16)
    reduceAs<BFloat16, float>(kind, sources, offset, count, target);
  else
    reduceAs<float, float>(kind, sources, offset, count, target);
}

Chunk chunkOf(int64_t count, int64_t member, int64_t size) {
  constexpr int64_t kLine = 16; // Elements: owners write whole cache lines, or nearly.
  int64_t chunk = ((count + size - 1) / size + kLine - 1) / kLine * kLine;
  int64_t begin = std::min(member * chunk, count);
  return {begin, std::min(chunk, count - begin)};
}

void reduceScatter(ReduceKind kind, const CollectivePart &part, int64_t member,
                   std::span<const std::byte *const> inputs, std::byte *output) {
  int64_t whole = total(part.extents) * part.inner;
  int64_t mine = part.extents[static_cast<size_t>(member)] * part.inner,
          offset = before(part.extents, member) * part.inner;
  for (int64_t o = 0; o < part.outer; ++o)
    reduce(kind, part.dtype, inputs, o * whole + offset, mine, output + o * mine * planformat::byteSize(part.dtype));
}

void gatherFrom(const CollectivePart &part, int64_t source, const std::byte *input, std::byte *output) {
  int64_t unit = part.inner * planformat::byteSize(part.dtype);
  int64_t whole = total(part.extents) * unit;
  int64_t bytes = part.extents[static_cast<size_t>(source)] * unit, offset = before(part.extents, source) * unit;
  for (int64_t o = 0; o < part.outer; ++o)
    copy(output + o * whole + offset, input + o * bytes, bytes);
}

void exchangeFrom(const CollectivePart &part, int64_t member, int64_t source, const std::byte *input,
                  std::byte *output) {
  int64_t unit = part.inner * planformat::byteSize(part.dtype);
  int64_t split = total(part.extents), mine = part.extents[static_cast<size_t>(member)],
          skip = before(part.extents, member);
  int64_t whole = total(part.gathered), theirs = part.gathered[static_cast<size_t>(source)],
          place = before(part.gathered, source);
  if (part.splitFirst) { // [outer, split, middle, theirs, inner] to [outer, mine, middle, whole, inner]
    for (int64_t o = 0; o < part.outer; ++o)
      for (int64_t row = 0; row < mine * part.middle; ++row)
        copy(output + ((o * mine * part.middle + row) * whole + place) * unit,
             input + (o * split * part.middle + skip * part.middle + row) * theirs * unit, theirs * unit);
    return;
  }
  // [outer, theirs, middle, split, inner] to [outer, whole, middle, mine, inner]
  for (int64_t o = 0; o < part.outer; ++o)
    for (int64_t row = 0; row < theirs * part.middle; ++row)
      copy(output + ((o * whole + place) * part.middle + row) * mine * unit,
           input + ((o * theirs * part.middle + row) * split + skip) * unit, mine * unit);
}

} // namespace modelpar::runtime
