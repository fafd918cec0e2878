//===- MicroBatchSet.h - a set of micro-batches -----------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SCHEDULE_MICROBATCHSET_H
#define MODELPAR_SCHEDULE_MICROBATCHSET_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace modelpar::schedule {

/// Micro-batches from 0 on. A step has thousands at most and looks each up for every program: a bit for each.
class MicroBatchSet {
public:
  /// False when it is there already.
  bool insert(int64_t microBatch) {
    auto index = static_cast<size_t>(microBatch);
    if (index >= has_.size())
      has_.resize(index + 1);
    if (has_[index])
      return false;
    has_[index] = true;
    ++size_;
    return true;
  }
  void erase(int64_t microBatch) {
    if (!contains(microBatch))
      return;
    has_[static_cast<size_t>(microBatch)] = false;
    --size_;
  }
  void clear() {
    has_.clear();
    size_ = 0;
  }
  bool contains(int64_t microBatch) const {
    return static_cast<size_t>(microBatch) < has_.size() && has_[static_cast<size_t>(microBatch)];
  }
  int64_t size() const { return size_; }

private:
  std::vector<bool> has_;
  int64_t size_ = 0;
};

} // namespace modelpar::schedule

#endif // MODELPAR_SCHEDULE_MICROBATCHSET_H
