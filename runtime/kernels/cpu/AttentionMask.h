//===- AttentionMask.h - the additive mask of attention --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor [s, t] or [b, s, t] that is added to the scaled scores of all heads. It is
// looked up by stored indices, as queries and keys are: in whatever order the
// sequence is, the mask is in the same.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H
#define MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H

#include "runtime/kernels/cpu/AttentionShape.h"

#include <string>

namespace modelpar::runtime::cpu {

template <typename T> class AttentionMask {
public:
  /// The input behind the `required` ones of an attention op, if there is one.
  AttentionMask(const AttentionShape &shape, const KernelArgs &args, size_t required) {
    if (args.inputs.size() <= required)
      return;
    view = &args.inputs[required];
    const int last = view->rank - 1;
    if (view->rank != 2 && view->rank != 3)
      return; // check() says so.
    keys = view->extents[last];
    const int64_t sample = view->extents[last - 1] * keys;
    data = view->as<const T>() + (shape.queryOffset - view->offsets[last - 1]) * keys + shape.keyOffset -
           view->offsets[last];
    if (view->rank == 3) {
      sampleStride = sample;
      data += (shape.bOffset - view->offsets[0]) * sample;
    }
  }

  /// Error: a mask that has not all of the shard's queries and keys.
  Status check(const char *op, const AttentionShape &shape, planformat::DType dtype) const {
    if (!view)
      return Status();
    const int last = view->rank - 1;
    auto has = [&](int dim, int64_t offset, int64_t extent) {
      return view->offsets[dim] <= offset && offset + extent <= view->offsets[dim] + view->extents[dim];
    };
    if ((view->rank != 2 && view->rank != 3) || view->dtype != dtype)
      return Status::internal(std::string(op) + ": expected a mask of " + std::string(planformat::name(dtype)) +
                              " with 2 or 3 dimensions, found one of " + std::string(planformat::name(view->dtype)) +
                              " with " + std::to_string(view->rank));
    if (!has(last - 1, shape.queryOffset, shape.s) || !has(last, shape.keyOffset, shape.t) ||
        (view->rank == 3 && !has(0, shape.bOffset, shape.b)))
      return Status::internal(std::string(op) + ": the mask's shard does not have all of the queries and keys");
    return Status();
  }

  /// Adds the entries of a tile of queries and of keys of a sample to their scores, of rows kKeyBlock apart.
  void add(int64_t ib, const Tile &queries, const Tile &keyTile, T *scores) const {
    if (!view)
      return;
    const T *row = data + ib * sampleStride + queries.first * keys + keyTile.first;
    for (int64_t i = 0; i < queries.count; ++i, row += keys, scores += kKeyBlock)
#pragma omp simd
      for (int64_t j = 0; j < keyTile.count; ++j)
        scores[j] += row[j];
  }

private:
  const TensorView *view = nullptr; ///< None: no mask.
  const T *data = nullptr;          ///< Of the shard's first sample, query and key.
  int64_t sampleStride = 0;         ///< 0: one for all samples.
  int64_t keys = 0;                 ///< Elements from query to query.
};

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H
