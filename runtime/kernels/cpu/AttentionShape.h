//===- AttentionShape.h - what forward and backward attention share --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The local extents of an attention op, where its heads lie in memory, which keys a
// query may see, and the dropout index of its probabilities. Queries and keys may be
// different shards of one sequence, or of two, each in natural or in balanced order:
// a shard is walked in tiles of tokens that follow each other in the text, so that a
// causal query sees the first tokens of a tile and dropout indices of a tile are a run.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H
#define MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H

#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/Dropout.h"
#include "runtime/kernels/cpu/Gemm.h"

namespace modelpar::runtime::cpu {

/// Queries and keys per tile; the two tiles of the backward pass stay on the stack and in the second cache.
inline constexpr int64_t kQueryBlock = 128, kKeyBlock = 128;

struct AttentionAttributes {
  static constexpr int kInputs = kAnyNumber; ///< For CpuKernel; checkInputs knows better.
  /// Behind the `required` inputs a mask may follow.
  static Status checkInputs(const char *op, const KernelArgs &args, int required, int outputs) {
    const bool masked = args.inputs.size() == static_cast<size_t>(required) + 1;
    return checkArity(op, args, required + masked, outputs);
  }
  bool causal = true;
  double scale = 1, rate = 0;
  int64_t key = 0;
  Status init(const planformat::Instruction &instruction) {
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "causal", causal));
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "scale", scale));
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "rate", rate));
    return readAttribute(instruction, "dropout_key", key);
  }
};

/// Some neighbours in a shard that are neighbours in the text too.
struct Tile {
  int64_t first, count; ///< In the shard. No tokens: the shard's end.
  int64_t position;     ///< In the text, of the first one.
};

struct AttentionShape {
  int64_t b, s, g, r, d, t;
  int64_t queryOffset, keyOffset;    ///< Global indices of the first query and key.
  int64_t bOffset, gOffset, rOffset; ///< Of the shard, for dropout.
  int64_t gGlobal, rGlobal;
  sharding::SequenceOrder queryOrder, keyOrder;
  bool causal;

  AttentionShape(const TensorView &q, const TensorView &k, const AttentionAttributes &attributes)
      : queryOrder(q.order(1)), keyOrder(k.order(1)), causal(attributes.causal) {
    const bool grouped = q.rank == 5;
    b = q.extents[0], s = q.extents[1], g = q.extents[2], r = grouped ? q.extents[3] : 1, d = q.extents[q.rank - 1];
    t = k.extents[1];
    queryOffset = q.offsets[1], keyOffset = k.offsets[1];
    bOffset = q.offsets[0], gOffset = q.offsets[2], rOffset = grouped ? q.offsets[3] : 0;
    gGlobal = q.globalExtents[2], rGlobal = grouped ? q.globalExtents[3] : 1;
  }
  /// [s, d] of one head of a tensor shaped like the queries, [t, d] of one shaped like the keys.
  template <typename T> Matrix<T> queryHead(T *data, int64_t ib, int64_t ig, int64_t ir) const {
    return {data + ((ib * s * g + ig) * r + ir) * d, g * r * d, 1};
  }
  template <typename T> Matrix<T> keyHead(T *data, int64_t ib, int64_t ig) const {
    return {data + (ib * t * g + ig) * d, g * d, 1};
  }
  /// Index into lse [b, s, g, r].
  int64_t row(int64_t ib, int64_t is, int64_t ig, int64_t ir) const { return ((ib * s + is) * g + ig) * r + ir; }

  /// The tiles that begin at query or key `first` of the shard.
  Tile queries(int64_t first) const { return tile(queryOrder, queryOffset, s, first, kQueryBlock); }
  Tile keys(int64_t first) const { return tile(keyOrder, keyOffset, t, first, kKeyBlock); }
  /// The same over the keys of all shards, however many follow each other.
  Tile allKeys(int64_t first) const { return tile(keyOrder, 0, keyOrder.size, first, keyOrder.size); }
  int64_t numQueryTiles() const {
    int64_t number = 0;
    for (Tile tile = queries(0); tile.count > 0; tile = queries(tile.first + tile.count))
      ++number;
    return number;
  }
  Tile queryTile(int64_t number) const {
    Tile tile = queries(0);
    for (; number > 0; --number)
      tile = queries(tile.first + tile.count);
    return tile;
  }

  /// How many keys of a tile the query at `position` sees: the first ones.
  int64_t visible(int64_t position, const Tile &keys) const {
    return causal ? std::clamp<int64_t>(position + 1 - keys.position, 0, keys.count) : keys.count;
  }
  /// Calls body(tile) for the tiles of keys of which some query of `queries` sees a part; the tile's count is that
  /// part.
  template <typename Body> void forVisibleKeys(const Tile &queries, Body &&body) const {
    for (Tile tile = keys(0); tile.count > 0;) {
      const int64_t next = tile.first + tile.count;
      tile.count = visible(queries.position + queries.count - 1, tile);
      if (tile.count > 0)
        body(tile);
      tile = keys(next);
    }
  }
  /// Global index (b, s, g, r, t), by positions, of a query's probability of the key at `key`.
  int64_t dropoutIndex(int64_t ib, int64_t query, int64_t ig, int64_t ir, int64_t key) const {
    int64_t index = (bOffset + ib) * queryOrder.size + query;
    index = (index * gGlobal + gOffset + ig) * rGlobal + rOffset + ir;
    return index * keyOrder.size + key;
  }

private:
  static Tile tile(const sharding::SequenceOrder &order, int64_t offset, int64_t extent, int64_t first,
                   int64_t largest) {
    if (first >= extent)
      return {extent, 0, 0};
    return {first, std::min({largest, extent - first, order.consecutive(offset + first)}),
            order.position(offset + first)};
  }
};

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H
