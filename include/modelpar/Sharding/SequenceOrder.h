//===- SequenceOrder.h - the balanced causal split of a sequence ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Under causal attention the later a token stands, the more keys it sees, so a
// contiguous split of the sequence gives the last rank twice the mean work. The
// step's sequence is therefore stored in another order: of 2·parts equal chunks,
// part r (the rank with coordinate r) holds chunks r and 2·parts-1-r. Everything
// between the step's inputs and its loss works on indices into the stored order;
// what depends on where a token stands asks for its position.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_SEQUENCEORDER_H
#define MODELPAR_SHARDING_SEQUENCEORDER_H

#include "modelpar/Sharding/Mesh.h"

namespace modelpar::sharding {

/// A permutation of [0, size): index (where a token is stored) <-> position (where it stands in the text). The identity
/// when parts <= 1; else `size` is a multiple of 2·parts.
struct SequenceOrder {
  int64_t size = 0;
  int64_t parts = 1;

  /// True when a sequence of this size has a balanced split into so many parts.
  static bool divides(int64_t size, int64_t parts) { return parts <= 1 || (size > 0 && size % (2 * parts) == 0); }

  bool isIdentity() const { return parts <= 1; }
  int64_t position(int64_t index) const;
  /// The inverse of position().
  int64_t index(int64_t position) const;
  /// How many indices from `index` on (itself included) have positions that follow each other.
  int64_t consecutive(int64_t index) const;
  /// True when the positions of a shard ascend: it lies within one part.
  bool ascends(Range shard) const;
  /// How many of the shard's positions are below `limit`: what a causal query at position limit-1 sees of its keys.
  /// Where the positions ascend these are the first ones.
  int64_t countBelow(Range shard, int64_t limit) const;
};

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_SEQUENCEORDER_H
