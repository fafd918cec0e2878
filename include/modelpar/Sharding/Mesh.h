//===- Mesh.h - named device axes, rank coordinates, shard extents --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mesh is an ordered list of named axes, major to minor. Axes of space count
// ranks; the one axis of time ("mb") counts the micro-batches of a step and is
// what a dimension of the batch is split over inside the micro-batch loop.
// Plain C++ without MLIR: the compiler, the plan file and the runtime share it,
// so a shard has one definition.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_MESH_H
#define MODELPAR_SHARDING_MESH_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelpar::sharding {

/// The name of the time axis.
inline constexpr std::string_view kMicroBatchAxis = "mb";
/// The name of the axis whose coordinate is the pipeline stage.
inline constexpr std::string_view kStageAxis = "pp";

struct MeshAxis {
  std::string name;
  int64_t size = 1;
  bool operator==(const MeshAxis &) const = default;
  /// True for the axis of time: it has coordinates but no ranks.
  bool isTime() const { return name == kMicroBatchAxis; }
};

/// A mesh axis or a part of it. The axis of size n is seen as a row-major box
/// (preSize, size, postSize) with preSize·size·postSize = n; the sub-axis is the
/// middle one. A whole axis has preSize 1 and size n. Printed like Shardy:
/// `"tp"` or `"tp":(preSize)size`.
struct AxisRef {
  std::string name;
  int64_t preSize = 1;
  int64_t size = 0; ///< Always filled in (never 0) in a resolved sharding.
  /// Of a dimension of a rotated tensor (ring attention): the rank with coordinate c holds the shard of coordinate (c −
  /// shift) mod size. 0 ≤ shift < size. Printed `"cp"+1`.
  int64_t shift = 0;
  /// Of a group, or of what a value is partial over: only these coordinates take part, in ascending order; empty: all.
  /// Printed
  /// `"pp"{0,-1}`, the last coordinate as -1.
  std::vector<int64_t> subset = {};
  /// Of a dimension, its major axis: the dimension is a sequence that is dealt out for equal work, so the order in
  /// which it is stored is another than the one in which it stands (SequenceOrder.h). Printed `"cp"*`.
  bool balanced = false;
  /// How many coordinates take part.
  int64_t groupSize() const { return subset.empty() ? size : static_cast<int64_t>(subset.size()); }
  bool operator==(const AxisRef &) const = default;
  auto operator<=>(const AxisRef &) const = default;
};

/// Named axes, major to minor. The ranks of the space axes are numbered
/// row-major, so the last axis varies fastest ("tp" is innermost).
class Mesh {
public:
  Mesh() = default;
  explicit Mesh(std::vector<MeshAxis> axes) : axes_(std::move(axes)) {}

  const std::vector<MeshAxis> &axes() const { return axes_; }
  /// Size of the named axis; 1 when the mesh does not have it.
  int64_t size(std::string_view name) const;
  bool has(std::string_view name) const;
  /// Number of ranks: the product of the space axes.
  int64_t numRanks() const;
  /// Number of micro-batches: the size of the time axis, 1 without one.
  int64_t numMicroBatches() const { return size(kMicroBatchAxis); }
  /// A reference to a whole axis. The axis must exist.
  AxisRef axis(std::string_view name) const;
  /// True when the reference names an axis of this mesh and a proper box of it, with a shift and a subset inside it.
  bool isValid(const AxisRef &ref) const;
  bool operator==(const Mesh &) const = default;

private:
  std::vector<MeshAxis> axes_;
};

/// Where in the mesh a piece of work happens: one coordinate per mesh axis, in
/// the mesh's order (the time axis included).
struct Coordinates {
  std::vector<int64_t> values;
};

/// The axis as ranks along it see it: not shifted, not balanced.
AxisRef plain(AxisRef axis);

/// Coordinates of `rank` (0 ≤ rank < numRanks) in micro-batch `microBatch`.
Coordinates coordinatesOf(const Mesh &mesh, int64_t rank, int64_t microBatch = 0);
/// Inverse of coordinatesOf for the space axes.
int64_t rankOf(const Mesh &mesh, const Coordinates &coordinates);
/// Coordinate along an axis or sub-axis, whatever its shift.
int64_t coordinateAlong(const Mesh &mesh, const Coordinates &coordinates, const AxisRef &axis);

/// The ranks that differ from `rank` only along `axes` (space axes or parts of them), in row-major order of `axes`; of
/// an axis with a subset only its coordinates. `rank` is a member unless a subset leaves it out.
std::vector<int64_t> groupOf(const Mesh &mesh, int64_t rank, const std::vector<AxisRef> &axes);

/// A contiguous part of a dimension.
struct Range {
  int64_t offset = 0;
  int64_t extent = 0;
  bool operator==(const Range &) const = default;
};

/// The part of a dimension of `size` that belongs to `coordinates` when it is
/// sharded over `axes`, major to minor: split by ceil over the first, each part by
/// ceil over the next, and so on, so that gathering the minor axis gives exactly
/// the sharding of the major ones. Parts may be short or empty.
Range shardRange(const Mesh &mesh, int64_t size, const std::vector<AxisRef> &axes, const Coordinates &coordinates);
/// shardRange of one rank as a function of the micro-batch alone: what does not depend on it is worked out once.
class RankShard {
public:
  RankShard(const Mesh &mesh, int64_t size, const std::vector<AxisRef> &axes, int64_t rank);
  /// Does not allocate.
  Range range(int64_t microBatch) const;
  size_t heapBytes() const { return splits_.capacity() * sizeof(Split); }

private:
  /// One axis of the dimension: the rank's coordinate along it is `coordinate`, along the axis of time the
  /// micro-batch's.
  struct Split {
    int64_t size = 1, shift = 0, coordinate = 0;
    int64_t postSize = 0; ///< Of the axis of time; 0: another axis.
  };
  int64_t size_;
  std::vector<Split> splits_;
};
/// The largest extent over all coordinates: what a buffer must hold.
int64_t maxShardExtent(int64_t size, const std::vector<AxisRef> &axes);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_MESH_H
