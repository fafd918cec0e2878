//===- Reshard.h - from one sharding to another ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the shortest sequence of collectives and local slices that turns one
// sharding of a tensor into another. Shortest: fewest collectives, then fewest
// elements sent per rank, then fewest steps.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_RESHARD_H
#define MODELPAR_SHARDING_RESHARD_H

#include "modelpar/Sharding/TensorSharding.h"

namespace modelpar::sharding {

struct ReshardStep {
  enum class Kind { Slice, AllGather, ReduceScatter, AllReduce, AllToAll };
  Kind kind = Kind::Slice;
  /// The axes that move, major to minor.
  std::vector<AxisRef> axes;
  /// Dimension that is sliced, gathered or scattered; all_to_all: the one that becomes sharded.
  int dim = -1;
  /// all_to_all: the dimension that loses the axes.
  int sourceDim = -1;
  ReduceKind reduce = ReduceKind::Sum;
  /// The sharding after the step.
  TensorSharding result;
  bool isCollective() const { return kind != Kind::Slice; }
};
std::string_view name(ReshardStep::Kind kind); ///< "slice", "all_gather", ...

/// The sharding after one step of this kind, or what forbids it: axes that are not where the step takes them from, an
/// axis of time in a collective. `result` of the step is ignored.
struct StepOutcome {
  std::optional<TensorSharding> sharding;
  std::string error;
};
StepOutcome applyStep(const Mesh &mesh, const TensorSharding &from, const ReshardStep &step);

/// Elements that a rank sends in the step, by a ring or pairwise exchange.
double sentElements(const std::vector<int64_t> &shape, const TensorSharding &from, const ReshardStep &step);

struct ReshardPath {
  std::vector<ReshardStep> steps;
  std::string
      error; ///< Why there is no path (the time axis cannot be communicated over, a shifted axis is only permuted).
};
ReshardPath findReshardPath(const Mesh &mesh, const std::vector<int64_t> &shape, const TensorSharding &from,
                            const TensorSharding &to);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_RESHARD_H
