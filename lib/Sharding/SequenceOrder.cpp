//===- SequenceOrder.cpp - the balanced causal split of a sequence --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stored chunk 2r is chunk r of the text, stored chunk 2r+1 is chunk 2·parts-1-r.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/SequenceOrder.h"

#include <algorithm>
#include <cassert>

namespace modelpar::sharding {

/// Tokens per chunk of a sequence that is not in its natural order.
static int64_t chunkSize(const SequenceOrder &order) {
  assert(order.size > 0 && SequenceOrder::divides(order.size, order.parts) && "no balanced split");
  return order.size / (2 * order.parts);
}

int64_t SequenceOrder::position(int64_t index) const {
  if (isIdentity())
    return index;
  const int64_t chunk = chunkSize(*this), stored = index / chunk, part = stored / 2;
  return (stored % 2 == 0 ? part : 2 * parts - 1 - part) * chunk + index % chunk;
}

int64_t SequenceOrder::index(int64_t position) const {
  if (isIdentity())
    return position;
  const int64_t chunk = chunkSize(*this), text = position / chunk;
  return (text < parts ? 2 * text : 2 * (2 * parts - 1 - text) + 1) * chunk + position % chunk;
}

int64_t SequenceOrder::consecutive(int64_t index) const {
  if (isIdentity())
    return size - index;
  const int64_t chunk = chunkSize(*this), toBorder = chunk - index % chunk;
  // The two chunks of the last part are neighbours in the text too.
  return index / chunk == 2 * parts - 2 ? toBorder + chunk : toBorder;
}

bool SequenceOrder::ascends(Range shard) const {
  if (isIdentity() || shard.extent <= 1)
    return true;
  const int64_t part = 2 * chunkSize(*this);
  return shard.offset / part == (shard.offset + shard.extent - 1) / part;
}

int64_t SequenceOrder::countBelow(Range shard, int64_t limit) const {
  int64_t count = 0;
  for (int64_t index = shard.offset, end = shard.offset + shard.extent; index < end;) {
    const int64_t run = std::min(consecutive(index), end - index);
    count += std::clamp<int64_t>(limit - position(index), 0, run);
    index += run;
  }
  return count;
}

} // namespace modelpar::sharding
