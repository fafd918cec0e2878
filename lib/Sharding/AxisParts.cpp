//===- AxisParts.cpp - axes cut into parts, and parts joined --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/AxisParts.h"

namespace modelpar::sharding {

static bool isPlain(const AxisRef &axis) { return !axis.shift && axis.subset.empty() && !axis.balanced; }

std::vector<AxisRef> cutAxis(const AxisRef &axis, const std::vector<int64_t> &boundaries) {
  // Only a whole shard travels around a ring, only whole coordinates make a subset, and a sequence is dealt out at
  // once.
  if (!isPlain(axis))
    return {axis};
  std::vector<AxisRef> pieces;
  int64_t begin = axis.preSize, end = axis.preSize * axis.size;
  for (int64_t boundary : boundaries)
    if (boundary > begin && boundary < end && boundary % begin == 0 && end % boundary == 0) {
      pieces.push_back({axis.name, begin, boundary / begin});
      begin = boundary;
    }
  pieces.push_back({axis.name, begin, end / begin});
  return pieces;
}

bool follows(const AxisRef &major, const AxisRef &minor) {
  return major.name == minor.name && major.preSize * major.size == minor.preSize && isPlain(major) && isPlain(minor);
}

std::vector<AxisRef> joinedAxes(const std::vector<AxisRef> &axes) {
  std::vector<AxisRef> result;
  for (const AxisRef &axis : axes) {
    if (!result.empty() && follows(result.back(), axis))
      result.back().size *= axis.size;
    else
      result.push_back(axis);
  }
  return result;
}

} // namespace modelpar::sharding
