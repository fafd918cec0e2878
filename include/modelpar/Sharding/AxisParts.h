//===- AxisParts.h - axes cut into parts, and parts joined ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_AXISPARTS_H
#define MODELPAR_SHARDING_AXISPARTS_H

#include "modelpar/Sharding/Mesh.h"

namespace modelpar::sharding {

/// The axis cut at every boundary (a size from the axis's major end) that lies properly inside it, major to minor.
/// Ascending boundaries.
std::vector<AxisRef> cutAxis(const AxisRef &axis, const std::vector<int64_t> &boundaries);
/// True when `minor` is the part of an axis that follows on `major`, and both can be written as one.
bool follows(const AxisRef &major, const AxisRef &minor);
/// Neighbours that are consecutive parts of one axis as one: "tp":(1)2, "tp":(2)2 is "tp":(1)4. The same group of ranks
/// in the same order (but not the same uneven shards).
std::vector<AxisRef> joinedAxes(const std::vector<AxisRef> &axes);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_AXISPARTS_H
