//===- TensorSharding.h - how a tensor lives on a mesh --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Per mesh axis a tensor is replicated, sharded along one dimension, or partial
// with a kind: every rank holds a contribution, and the kind says how they join.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_TENSORSHARDING_H
#define MODELPAR_SHARDING_TENSORSHARDING_H

#include "modelpar/Sharding/SequenceOrder.h"

namespace modelpar::sharding {

/// How partial values join: by sum, by maximum, or by log-sum-exp
/// (log(Σ exp xᵢ), the identity being −∞).
enum class ReduceKind { Sum, Max, Lse };
std::string_view name(ReduceKind kind); ///< "sum", "max", "lse"
std::optional<ReduceKind> parseReduceKind(std::string_view);

/// Axes of one dimension, major to minor. Empty: the dimension is whole.
using DimSharding = std::vector<AxisRef>;

struct PartialAxis {
  AxisRef axis;
  ReduceKind kind = ReduceKind::Sum;
  bool operator==(const PartialAxis &) const = default;
  auto operator<=>(const PartialAxis &) const = default;
};

/// An axis occurs at most once over all dimensions and partials; an axis that does
/// not occur is replicated.
struct TensorSharding {
  std::vector<DimSharding> dims;
  std::vector<PartialAxis> partial; ///< Sorted by the mesh's order of axes.
  bool operator==(const TensorSharding &) const = default;

  static TensorSharding replicated(size_t rank) { return {std::vector<DimSharding>(rank), {}}; }
  bool isPartial() const { return !partial.empty(); }
};

/// `[{"dp", "mb"}, {}, {"tp"}], partial={"tp":sum}`. Only with a mesh is a major sub-axis told from its whole axis.
std::string toString(const TensorSharding &sharding);
std::string toString(const TensorSharding &sharding, const Mesh *mesh);
/// `"tp"`, `"tp":(1)2`, `"cp"+1` or `"pp"{0,-1}`.
std::string toString(const AxisRef &axis, const Mesh *mesh);
/// What an axis is written with after its name and part: `*`, `+1`, `{0,-1}`, mostly nothing.
std::string modifiersOf(const AxisRef &axis);
/// The axes of a group, as messages, counters and traces name it: `dp,cp`, `tp:(2)4`, `pp{0,-1}`.
std::string groupName(const std::vector<AxisRef> &axes, const Mesh &mesh);

/// The order in which a dimension of `size` that is sharded like this is stored. It belongs to the dimension: two
/// dimensions of one op may have different ones, and a dimension that no balanced axis splits stands as it is stored.
SequenceOrder orderOf(int64_t size, const DimSharding &dim);
/// What is wrong with that order ("has no balanced split over ..."); nothing when it is one.
std::optional<std::string> whyNoOrder(int64_t size, const DimSharding &dim, const Mesh *mesh = nullptr);

/// True when the two are, or share, a part of the same axis.
bool overlap(const AxisRef &a, const AxisRef &b);
/// What a collective_permute by `shift` (at least 1) along the axis makes of a dimension: its shift grows. False when
/// the dimension is not split over just that axis.
bool permute(DimSharding &dim, const AxisRef &axis, int64_t shift);
/// The same for a tensor; nothing when none of its dimensions is split over the axis.
std::optional<TensorSharding> permuted(TensorSharding sharding, const AxisRef &axis, int64_t shift);
/// The mesh's order of axes; parts of one axis major to minor.
bool before(const Mesh &mesh, const AxisRef &a, const AxisRef &b);
void sortPartials(const Mesh &mesh, std::vector<PartialAxis> &partial);

/// The shape of the largest shard (element counts per dimension).
std::vector<int64_t> maxShardShape(const std::vector<int64_t> &globalShape, const TensorSharding &sharding);
/// Offset and extent per dimension of one rank's shard.
std::vector<Range> shardRanges(const Mesh &mesh, const std::vector<int64_t> &globalShape,
                               const TensorSharding &sharding, const Coordinates &coordinates);
/// What is wrong with the sharding of a tensor of this shape on this mesh (unknown axis, axis used twice, wrong number
/// of dimensions, a sequence that cannot be dealt out); nothing when it is well formed.
std::optional<std::string> validate(const Mesh &mesh, const std::vector<int64_t> &shape,
                                    const TensorSharding &sharding);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_TENSORSHARDING_H
