//===- Mesh.cpp - named device axes, rank coordinates, shard extents ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Coordinates, groups and shard ranges. Everything that varies by rank is computed
// from coordinates here, so the compiler, the plan verifier and the runtime agree.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/Mesh.h"

#include <algorithm>
#include <cassert>

namespace modelpar::sharding {

namespace {

/// Position of the named axis in the mesh, or -1.
int axisIndex(const Mesh &mesh, std::string_view name) {
  for (size_t i = 0; i < mesh.axes().size(); ++i)
    if (mesh.axes()[i].name == name)
      return static_cast<int>(i);
  return -1;
}

/// How far apart neighbours along the sub-axis are, in coordinates of the whole axis.
int64_t postSize(const Mesh &mesh, const AxisRef &ref) { return mesh.size(ref.name) / (ref.preSize * ref.size); }

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The part of `range` at a coordinate of an axis that splits it.
Range split(const Range &range, int64_t size, int64_t shift, int64_t coordinate) {
  int64_t chunk = ceilDiv(range.extent, size);
  int64_t part = (coordinate + size - shift) % size;
  int64_t begin = std::min(chunk * part, range.extent);
  int64_t end = std::min(begin + chunk, range.extent);
  return {range.offset + begin, end - begin};
}

} // namespace

int64_t Mesh::size(std::string_view name) const {
  int index = axisIndex(*this, name);
  return index < 0 ? 1 : axes_[index].size;
}

bool Mesh::has(std::string_view name) const { return axisIndex(*this, name) >= 0; }

int64_t Mesh::numRanks() const {
  int64_t ranks = 1;
  for (const MeshAxis &axis : axes_)
    if (!axis.isTime())
      ranks *= axis.size;
  return ranks;
}

AxisRef Mesh::axis(std::string_view name) const {
  assert(has(name) && "the mesh has no such axis");
  return {std::string(name), 1, size(name)};
}

bool Mesh::isValid(const AxisRef &ref) const {
  if (!has(ref.name) || ref.preSize < 1 || ref.size < 1)
    return false;
  int64_t whole = size(ref.name);
  if (ref.preSize > whole || ref.size > whole || whole % (ref.preSize * ref.size) != 0)
    return false;
  for (size_t i = 0; i < ref.subset.size(); ++i)
    if (ref.subset[i] < 0 || ref.subset[i] >= ref.size || (i > 0 && ref.subset[i] <= ref.subset[i - 1]))
      return false;
  return ref.shift >= 0 && ref.shift < ref.size;
}

AxisRef plain(AxisRef axis) {
  axis.shift = 0;
  axis.balanced = false;
  return axis;
}

Coordinates coordinatesOf(const Mesh &mesh, int64_t rank, int64_t microBatch) {
  Coordinates coordinates;
  coordinates.values.resize(mesh.axes().size());
  for (size_t i = mesh.axes().size(); i-- > 0;) {
    const MeshAxis &axis = mesh.axes()[i];
    if (axis.isTime()) {
      coordinates.values[i] = microBatch;
      continue;
    }
    coordinates.values[i] = rank % axis.size;
    rank /= axis.size;
  }
  return coordinates;
}

int64_t rankOf(const Mesh &mesh, const Coordinates &coordinates) {
  int64_t rank = 0;
  for (size_t i = 0; i < mesh.axes().size(); ++i)
    if (!mesh.axes()[i].isTime())
      rank = rank * mesh.axes()[i].size + coordinates.values[i];
  return rank;
}

int64_t coordinateAlong(const Mesh &mesh, const Coordinates &coordinates, const AxisRef &axis) {
  int index = axisIndex(mesh, axis.name);
  if (index < 0)
    return 0;
  return coordinates.values[index] / postSize(mesh, axis) % axis.size;
}

std::vector<int64_t> groupOf(const Mesh &mesh, int64_t rank, const std::vector<AxisRef> &axes) {
  int64_t members = 1;
  for (const AxisRef &axis : axes)
    members *= axis.groupSize();
  Coordinates base = coordinatesOf(mesh, rank);
  std::vector<int64_t> group;
  group.reserve(members);
  for (int64_t member = 0; member < members; ++member) {
    Coordinates coordinates = base;
    int64_t rest = member;
    for (size_t i = axes.size(); i-- > 0;) {
      const AxisRef &axis = axes[i];
      int64_t wanted = rest % axis.groupSize();
      rest /= axis.groupSize();
      if (!axis.subset.empty())
        wanted = axis.subset[static_cast<size_t>(wanted)];
      int64_t current = coordinateAlong(mesh, coordinates, axis);
      int index = axisIndex(mesh, axis.name);
      if (index >= 0)
        coordinates.values[index] += (wanted - current) * postSize(mesh, axis);
    }
    group.push_back(rankOf(mesh, coordinates));
  }
  return group;
}

Range shardRange(const Mesh &mesh, int64_t size, const std::vector<AxisRef> &axes, const Coordinates &coordinates) {
  Range range{0, size};
  for (const AxisRef &axis : axes)
    range = split(range, axis.size, axis.shift, coordinateAlong(mesh, coordinates, axis));
  return range;
}

RankShard::RankShard(const Mesh &mesh, int64_t size, const std::vector<AxisRef> &axes, int64_t rank) : size_(size) {
  const Coordinates coordinates = coordinatesOf(mesh, rank);
  for (const AxisRef &axis : axes)
    splits_.push_back({axis.size, axis.shift, coordinateAlong(mesh, coordinates, axis),
                       axis.name == kMicroBatchAxis ? postSize(mesh, axis) : 0});
}

Range RankShard::range(int64_t microBatch) const {
  Range range{0, size_};
  for (const Split &each : splits_)
    range = split(range, each.size, each.shift,
                  each.postSize > 0 ? microBatch / each.postSize % each.size : each.coordinate);
  return range;
}

int64_t maxShardExtent(int64_t size, const std::vector<AxisRef> &axes) {
  // The first part of every split is a largest one.
  for (const AxisRef &axis : axes)
    size = ceilDiv(size, axis.size);
  return size;
}

} // namespace modelpar::sharding
