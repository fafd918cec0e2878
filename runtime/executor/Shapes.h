//===- Shapes.h - shapes and collectives by micro-batch -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a launch depends on beside its pointers, as a function of the micro-batch.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_SHAPES_H
#define MODELPAR_RUNTIME_EXECUTOR_SHAPES_H

#include "runtime/comm/Communicator.h"
#include "runtime/kernels/Kernel.h"

#include <vector>

namespace modelpar::runtime {

/// The shapes of all types. Only what differs between micro-batches is worked out for each launch, so nothing here
/// grows with their number.
class TypeViews {
public:
  Status build(const planformat::Plan &plan, int64_t rank);
  /// Without pointer. Does not allocate.
  TensorView view(planformat::TypeId type, int64_t microBatch) const;
  /// Memory of this.
  size_t bytes() const;

private:
  /// A dimension that is split over the micro-batches.
  struct Varying {
    size_t type = 0;
    int dim = 0;
    sharding::RankShard shard;
  };
  struct Entry {
    TensorView view; ///< In micro-batch 0.
    size_t firstVarying = 0, numVarying = 0;
  };
  std::vector<Entry> entries_;
  std::vector<Varying> varying_;
};

/// A collective in every micro-batch. Most have the same shards, as all have but the last ones of an uneven split, so
/// each description is kept once.
class Collectives {
public:
  void add(Collective collective); ///< Of the next micro-batch; the last one's holds for all that follow.
  const Collective &at(int64_t microBatch) const;
  const std::vector<Collective> &different() const { return different_; }
  size_t numRuns() const { return runs_.size(); }

private:
  struct Run {
    int64_t first = 0; ///< Micro-batch.
    size_t index = 0;  ///< In `different_`.
  };
  std::vector<Collective> different_;
  std::vector<Run> runs_;
  int64_t next_ = 0;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_SHAPES_H
