//===- Scan.h - one pass over the elements of a file ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Data sets are looked through once before the first step. They may be larger than the memory, so a pass goes over the
// map window by window, the cores share each window, and its pages are given back before the next.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_SCAN_H
#define MODELPAR_RUNTIME_DATA_SCAN_H

#include "runtime/checkpoint/Safetensors.h"

#include <functional>

namespace modelpar::runtime::data {

/// Told of each stretch of bytes that a scan is done with.
using Release = std::function<void(std::span<const std::byte>)>;

/// Returns the first offending element of [begin, end), or -1.
using ScanRange = std::function<int64_t(int64_t begin, int64_t end)>;

/// The first offending element of `bytes`, of `elementBytes` each, or -1. `scan` is called by several threads on
/// disjoint parts.
int64_t findFirst(std::span<const std::byte> bytes, int64_t elementBytes, const ScanRange &scan,
                  const Release &release);

/// What elements may be: integers or reals in [low, high]; labels may be negative too, which ignores them.
struct Allowed {
  double low = 0, high = 0;
  bool negative = false;
  bool nan = false; ///< Reals: what is no number is in no range, but may be there.
};

/// The first element of that type that is not allowed, or -1. A bound of reals is as good as its
/// rounding to the file's type: a file of F32 may hold the float next to a bound of 0.1.
int64_t findOutside(FileType type, std::span<const std::byte> bytes, const Allowed &allowed, const Release &release);

/// A float or double in as few digits as tell it from its neighbours.
template <typename T> std::string realText(T value);
/// An element as text, in full.
std::string elementText(FileType type, std::span<const std::byte> bytes, int64_t index);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_SCAN_H
