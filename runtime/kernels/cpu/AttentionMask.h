//===- AttentionMask.h - the additive mask of attention --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor [s, t] or [b, s, t] that is added to the scaled scores of all heads. It is
// looked up by stored indices, as queries and keys are: in whatever orders these are,
// the mask's dimensions are in the same.
//
// The softmax of a row does not change when the same number is taken off all of its
// mask, and takes off the largest entry that the query sees: beside -1e9 in f32 a
// score would be lost. What is left is 0 at some key, so the row's maximum and its
// log-sum-exp are as large as scores are, whatever the mask says. Both passes find the
// number by the mask alone.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H
#define MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H

#include "runtime/kernels/cpu/AttentionShape.h"
#include "runtime/kernels/cpu/VectorLoops.h"

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
    firstKey = shape.keyOffset;
    const int64_t sample = view->extents[last - 1] * keys;
    data = view->as<const T>() + (shape.queryOffset - view->offsets[last - 1]) * keys;
    if (view->rank == 3) {
      sampleStride = sample;
      data += (shape.bOffset - view->offsets[0]) * sample;
    }
  }

  /// Error: a mask that has not all of the shard's queries and keys, or has them in another order.
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
    if (view->extents[last] != shape.keyOrder.size)
      return Status::internal(std::string(op) + ": expected a mask with all " + std::to_string(shape.keyOrder.size) +
                              " keys, found one with " + std::to_string(view->extents[last]));
    MODELPAR_RETURN_IF_ERROR(checkOrder(op, "queries", view->order(last - 1), shape.queryOrder));
    return checkOrder(op, "keys", view->order(last), shape.keyOrder);
  }

  /// Per query of the tile what is taken off its row: the largest entry of the keys that the query sees, 0 where all of
  /// them are hidden. Of all keys, so that it is the same for every part of them.
  void shifts(const AttentionShape &shape, int64_t ib, const Tile &queries, T *shifts) const {
    if (!view)
      return;
    std::fill_n(shifts, queries.count, -kInfinity<T>);
    const T *rows = data + ib * sampleStride + queries.first * keys;
    for (Tile tile = shape.allKeys(0); tile.count > 0; tile = shape.allKeys(tile.first + tile.count))
      for (int64_t i = 0; i < queries.count; ++i)
        if (const int64_t visible = shape.visible(queries.position + i, tile); visible > 0)
          shifts[i] = std::max(shifts[i], vectorLoops<T>().max(visible, rows + i * keys + tile.first));
    for (int64_t i = 0; i < queries.count; ++i)
      if (shifts[i] == -kInfinity<T>)
        shifts[i] = T(0);
  }

  /// Adds the entries of a tile of queries and of keys of a sample, less the queries' shifts, to their scores, of rows
  /// kKeyBlock apart.
  void add(int64_t ib, const Tile &queries, const Tile &keyTile, const T *shifts, T *scores) const {
    if (!view)
      return;
    const T *row = data + ib * sampleStride + queries.first * keys + firstKey + keyTile.first;
    for (int64_t i = 0; i < queries.count; ++i, row += keys, scores += kKeyBlock) {
      const T shift = shifts[i];
#pragma omp simd
      for (int64_t j = 0; j < keyTile.count; ++j)
        scores[j] += row[j] - shift;
    }
  }

private:
  static Status checkOrder(const char *op, const char *what, const sharding::SequenceOrder &mask,
                           const sharding::SequenceOrder &expected) {
    auto parts = [](const sharding::SequenceOrder &order) { return order.isIdentity() ? 1 : order.parts; };
    if (parts(mask) == parts(expected))
      return Status();
    return Status::internal(std::string(op) + ": the mask has its " + what + " in " + std::to_string(parts(mask)) +
                            " parts, the " + what + " are in " + std::to_string(parts(expected)));
  }

  const TensorView *view = nullptr; ///< None: no mask.
  const T *data = nullptr;          ///< Of the shard's first sample and query, and the mask's first key.
  int64_t firstKey = 0;             ///< Of the shard; the mask has all keys.
  int64_t sampleStride = 0;         ///< 0: one for all samples.
  int64_t keys = 0;                 ///< Elements from query to query.
};

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_ATTENTIONMASK_H
