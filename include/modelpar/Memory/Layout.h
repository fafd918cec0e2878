//===- Layout.h - happens-before, liveness and memory layout --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Offsets for values that live inside one body of instructions. Instructions are
// issued to streams; only the order within a stream and events order them, so two
// values may share bytes only when every access of one happens before the first
// access of the other on that order, never because of list position. Plain C++:
// the cost model and the lowering both call it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_MEMORY_LAYOUT_H
#define MODELPAR_MEMORY_LAYOUT_H

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace modelpar::memory {

/// One instruction as the order sees it: waits before it runs, records after it ran.
struct Step {
  int32_t stream = 0;
  std::vector<int32_t> waits;
  int32_t record = -1;
};

/// The happens-before order of a list of steps, as one clock per step: how many steps of each stream are known to have
/// finished before it starts. An event that is waited for must be recorded earlier in the list.
class HappensBefore {
public:
  HappensBefore() = default;
  explicit HappensBefore(const std::vector<Step> &steps);

  size_t size() const { return streams_.size(); }
  int32_t numStreams() const { return numStreams_; }
  int32_t stream(size_t step) const { return streams_[step]; }
  /// True when `earlier` has finished before `later` starts.
  bool before(size_t earlier, size_t later) const {
    return clocks_[later * numStreams_ + streams_[earlier]] > positions_[earlier];
  }

private:
  int32_t numStreams_ = 0;
  std::vector<int32_t> streams_;
  std::vector<int32_t> positions_; ///< Index of the step within its stream.
  std::vector<int32_t> clocks_;    ///< size() × numStreams().
};

/// Bytes that are written first by step `first` and accessed by no step before that one on the order.
struct Item {
  int64_t bytes = 0;
  int32_t first = 0;
  std::vector<int32_t> accesses; ///< All steps that read or write it; may be in any order, `first` may be left out.
};

struct Layout {
  std::vector<int64_t> offsets; ///< One per item, multiples of the alignment.
  int64_t bytes = 0;            ///< Of the whole region, a multiple of the alignment.
  int64_t lowerBound = 0;       ///< No layout is smaller: the largest sum of items live at one list position.
};

/// Which pairs of items may not share a byte. Items of zero bytes conflict with none.
class Conflicts {
public:
  Conflicts(const HappensBefore &order, const std::vector<Item> &items);
  bool operator()(size_t a, size_t b) const { return std::binary_search(others_[a].begin(), others_[a].end(), b); }
  /// All that conflict with an item, ascending.
  const std::vector<size_t> &of(size_t item) const { return others_[item]; }

private:
  std::vector<std::vector<size_t>> others_; ///< Per item. Most live shortly, so these are few of all pairs.
};

/// Places the items. Deterministic: several greedy orders (by size, by size × lifetime, by first use), each with best
/// fit; the smallest result wins, the first of equals.
Layout layOut(const HappensBefore &order, const std::vector<Item> &items, int64_t alignment);
/// What is wrong with a layout (overlap of conflicting items, alignment, size); nothing when it is valid.
std::optional<std::string> verify(const HappensBefore &order, const std::vector<Item> &items, const Layout &layout,
                                  int64_t alignment);

/// `bytes` rounded up to a multiple of `alignment`.
inline int64_t alignTo(int64_t bytes, int64_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

} // namespace modelpar::memory

#endif // MODELPAR_MEMORY_LAYOUT_H
