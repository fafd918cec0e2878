//===- AttentionShape.h - what forward and backward attention share --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The local extents of an attention op, where its heads lie in memory, which keys a
// query may see, and the dropout index of its probabilities.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H
#define MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H

#include "runtime/kernels/cpu/Dropout.h"
#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/Gemm.h"

namespace modelpar::runtime::cpu {

/// Queries and keys per tile; the two tiles of the backward pass stay on the stack and in the second cache.
inline constexpr int64_t kQueryBlock = 128, kKeyBlock = 128;

struct AttentionAttributes {
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

struct AttentionShape {
  int64_t b, s, g, r, d, t;
  int64_t queryOffset, keyOffset;    ///< Global positions of the first query and key.
  int64_t bOffset, gOffset, rOffset; ///< Of the shard, for dropout.
  int64_t sGlobal, gGlobal, rGlobal, tGlobal;
  bool causal;

  AttentionShape(const TensorView &q, const TensorView &k, bool isCausal) : causal(isCausal) {
    const bool grouped = q.rank == 5;
    b = q.extents[0], s = q.extents[1], g = q.extents[2], r = grouped ? q.extents[3] : 1, d = q.extents[q.rank - 1];
    t = k.extents[1];
    queryOffset = q.offsets[1], keyOffset = k.offsets[1];
    bOffset = q.offsets[0], gOffset = q.offsets[2], rOffset = grouped ? q.offsets[3] : 0;
    sGlobal = q.globalExtents[1], gGlobal = q.globalExtents[2], rGlobal = grouped ? q.globalExtents[3] : 1;
    tGlobal = k.globalExtents[1];
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

  /// How many of the local keys query `is` sees: the first ones.
  int64_t visibleKeys(int64_t is) const {
    return causal ? std::clamp<int64_t>(queryOffset + is + 1 - keyOffset, 0, t) : t;
  }
  /// Global index (b, s, g, r, t) of key 0 of the shard's query row.
  int64_t dropoutIndex(int64_t ib, int64_t is, int64_t ig, int64_t ir) const {
    int64_t index = (bOffset + ib) * sGlobal + queryOffset + is;
    index = (index * gGlobal + gOffset + ig) * rGlobal + rOffset + ir;
    return index * tGlobal + keyOffset;
  }
};

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONSHAPE_H
