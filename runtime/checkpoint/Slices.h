//===- Slices.h - a shard as runs of the whole tensor ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_CHECKPOINT_SLICES_H
#define MODELPAR_RUNTIME_CHECKPOINT_SLICES_H

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// Calls body(global, local, count) for every run of elements that is contiguous in the whole tensor and in the shard.
template <typename Body> void forEachRun(const TensorView &view, Body &&body) {
  if (view.numElements() == 0)
    return;
  // Trailing dimensions that the shard has whole merge into one run with the last that it has in part.
  int outer = view.rank;
  int64_t inner = 1; ///< Elements of the dimensions [outer, rank).
  while (outer > 0 && view.extents[outer - 1] == view.globalExtents[outer - 1])
    inner *= view.extents[--outer];
  int64_t run = inner, runOffset = 0;
  if (outer > 0) {
    --outer;
    run = view.extents[outer] * inner;
    runOffset = view.offsets[outer] * inner;
    inner *= view.globalExtents[outer];
  }
  int64_t index[kMaxRank] = {};
  for (int64_t local = 0;; local += run) {
    int64_t global = 0;
    for (int i = 0; i < outer; ++i)
      global = global * view.globalExtents[i] + view.offsets[i] + index[i];
    body(global * inner + runOffset, local, run);
    int dim = outer - 1;
    while (dim >= 0 && ++index[dim] == view.extents[dim])
      index[dim--] = 0;
    if (dim < 0)
      return;
  }
}

inline int64_t globalElements(const TensorView &view) {
  int64_t count = 1;
  for (int i = 0; i < view.rank; ++i)
    count *= view.globalExtents[i];
  return count;
}

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_CHECKPOINT_SLICES_H
