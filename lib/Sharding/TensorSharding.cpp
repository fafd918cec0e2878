//===- TensorSharding.cpp - how a tensor lives on a mesh ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text, extents and well-formedness of tensor shardings.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/TensorSharding.h"

#include <algorithm>

namespace modelpar::sharding {

std::string_view name(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return "sum";
  case ReduceKind::Max:
    return "max";
  case ReduceKind::Lse:
    return "lse";
  }
  return "sum";
}

std::optional<ReduceKind> parseReduceKind(std::string_view text) {
  for (ReduceKind kind : {ReduceKind::Sum, ReduceKind::Max, ReduceKind::Lse})
    if (name(kind) == text)
      return kind;
  return std::nullopt;
}

std::string modifiersOf(const AxisRef &axis) {
  std::string text = axis.balanced ? "*" : "";
  if (axis.shift)
    text += "+" + std::to_string(axis.shift);
  for (size_t i = 0; i < axis.subset.size(); ++i)
    text += (i ? "," : "{") + std::to_string(axis.subset[i] == axis.size - 1 ? -1 : axis.subset[i]);
  return axis.subset.empty() ? text : text + "}";
}

std::string toString(const AxisRef &axis, const Mesh *mesh) {
  std::string text = "\"" + axis.name + "\"";
  bool whole = axis.preSize == 1 && (!mesh || axis.size == 0 || axis.size == mesh->size(axis.name));
  if (!whole)
    text += ":(" + std::to_string(axis.preSize) + ")" + std::to_string(axis.size);
  return text + modifiersOf(axis);
}

std::string toString(const TensorSharding &sharding, const Mesh *mesh) {
  std::string text = "[";
  for (size_t d = 0; d < sharding.dims.size(); ++d) {
    text += d ? ", {" : "{";
    for (size_t i = 0; i < sharding.dims[d].size(); ++i)
      text += (i ? ", " : "") + toString(sharding.dims[d][i], mesh);
    text += "}";
  }
  text += "]";
  if (sharding.partial.empty())
    return text;
  text += ", partial={";
  for (size_t i = 0; i < sharding.partial.size(); ++i) {
    const PartialAxis &partial = sharding.partial[i];
    text += (i ? ", " : "") + toString(partial.axis, mesh) + ":" + std::string(name(partial.kind));
  }
  return text + "}";
}

std::string groupName(const std::vector<AxisRef> &axes, const Mesh &mesh) {
  std::string text;
  for (const AxisRef &axis : axes) {
    text += (text.empty() ? "" : ",") + axis.name;
    if (axis.preSize != 1 || axis.size != mesh.size(axis.name))
      text += ":(" + std::to_string(axis.preSize) + ")" + std::to_string(axis.size);
    text += modifiersOf(axis);
  }
  return text;
}

std::string toString(const TensorSharding &sharding) { return toString(sharding, nullptr); }

std::vector<int64_t> maxShardShape(const std::vector<int64_t> &globalShape, const TensorSharding &sharding) {
  std::vector<int64_t> shape = globalShape;
  for (size_t d = 0; d < shape.size() && d < sharding.dims.size(); ++d)
    shape[d] = maxShardExtent(shape[d], sharding.dims[d]);
  return shape;
}

std::vector<Range> shardRanges(const Mesh &mesh, const std::vector<int64_t> &globalShape,
                               const TensorSharding &sharding, const Coordinates &coordinates) {
  std::vector<Range> ranges;
  ranges.reserve(globalShape.size());
  for (size_t d = 0; d < globalShape.size(); ++d)
    ranges.push_back(d < sharding.dims.size() ? shardRange(mesh, globalShape[d], sharding.dims[d], coordinates)
                                              : Range{0, globalShape[d]});
  return ranges;
}

SequenceOrder orderOf(int64_t size, const DimSharding &dim) {
  return {size, dim.empty() || !dim.front().balanced ? 1 : dim.front().size};
}

std::optional<std::string> whyNoOrder(int64_t size, const DimSharding &dim, const Mesh *mesh) {
  for (const AxisRef &axis : dim)
    if (axis.balanced && &axis != &dim.front())
      return "is balanced over " + toString(axis, mesh) + ", which only a major axis can be";
  const SequenceOrder order = orderOf(size, dim);
  if (SequenceOrder::divides(size, order.parts))
    return std::nullopt;
  return "has no balanced split over " + toString(dim.front(), mesh) + ", expected a multiple of " +
         std::to_string(2 * order.parts);
}

bool overlap(const AxisRef &a, const AxisRef &b) {
  if (a.name != b.name)
    return false;
  // A box (pre, size, post) is the digits from pre to pre·size of a mixed-radix number. Two boxes are apart when all of
  // one's digits come before the other's in one common number.
  const AxisRef &major = a.preSize <= b.preSize ? a : b;
  const AxisRef &minor = a.preSize <= b.preSize ? b : a;
  return minor.preSize % (major.preSize * major.size) != 0;
}

bool permute(DimSharding &dim, const AxisRef &axis, int64_t shift) {
  for (AxisRef &other : dim)
    if (other.name == axis.name && other.preSize == axis.preSize && other.size == axis.size) {
      other.shift = (other.shift + shift) % other.size;
      return true;
    }
  return false;
}

std::optional<TensorSharding> permuted(TensorSharding sharding, const AxisRef &axis, int64_t shift) {
  for (DimSharding &dim : sharding.dims)
    if (permute(dim, axis, shift))
      return sharding;
  return std::nullopt;
}

bool before(const Mesh &mesh, const AxisRef &a, const AxisRef &b) {
  if (a.name == b.name)
    return a.preSize < b.preSize;
  for (const MeshAxis &axis : mesh.axes()) {
    if (axis.name == a.name)
      return true;
    if (axis.name == b.name)
      return false;
  }
  return a.name < b.name;
}

void sortPartials(const Mesh &mesh, std::vector<PartialAxis> &partial) {
  std::stable_sort(partial.begin(), partial.end(),
                   [&](const PartialAxis &a, const PartialAxis &b) { return before(mesh, a.axis, b.axis); });
}

std::optional<std::string> validate(const Mesh &mesh, const std::vector<int64_t> &shape,
                                    const TensorSharding &sharding) {
  if (sharding.dims.size() != shape.size())
    return "sharding of " + std::to_string(sharding.dims.size()) + " dimensions on a tensor of " +
           std::to_string(shape.size());
  std::vector<AxisRef> seen;
  auto add = [&](const AxisRef &axis) -> std::optional<std::string> {
    if (!mesh.has(axis.name))
      return "unknown axis " + toString(axis, &mesh);
    if (!mesh.isValid(axis))
      return "axis " + toString(axis, &mesh) + " is no part of axis \"" + axis.name + "\" of size " +
             std::to_string(mesh.size(axis.name));
    for (const AxisRef &other : seen)
      if (overlap(axis, other))
        return "axis " + toString(axis, &mesh) + " occurs twice";
    seen.push_back(axis);
    return std::nullopt;
  };
  for (const DimSharding &dim : sharding.dims)
    for (const AxisRef &axis : dim) {
      if (auto error = add(axis))
        return error;
      if (!axis.subset.empty())
        return "a dimension is split over a subset of an axis, " + toString(axis, &mesh);
    }
  for (size_t d = 0; d < shape.size(); ++d)
    if (auto error = whyNoOrder(shape[d], sharding.dims[d], &mesh))
      return "a sequence of " + std::to_string(shape[d]) + " " + *error;
  for (const PartialAxis &partial : sharding.partial) {
    if (auto error = add(partial.axis))
      return error;
    if (plain(partial.axis) != partial.axis)
      return "partial over a " + std::string(partial.axis.shift ? "shifted" : "balanced") + " axis, " +
             toString(partial.axis, &mesh);
  }
  for (size_t i = 1; i < sharding.partial.size(); ++i)
    if (!before(mesh, sharding.partial[i - 1].axis, sharding.partial[i].axis))
      return "partial axes are not in the mesh's order";
  return std::nullopt;
}

} // namespace modelpar::sharding
