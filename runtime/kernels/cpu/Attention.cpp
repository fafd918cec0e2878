//===- Attention.cpp - attention forward on CPU ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Per head and block of queries, over blocks of keys: scores by a small matrix
// product into a tile on the stack, a running maximum and sum per row (Milakov and
// Gimelshein, arXiv:1805.02867), the result accumulated in place. No score matrix is
// ever in memory.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/AttentionMask.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cmath>

namespace modelpar::runtime::cpu {

namespace {

template <typename T> struct ForwardBlock {
  const AttentionShape &shape;
  const Dropout &dropout;
  const AttentionMask<T> &mask;
  T scale;
  Matrix<const T> q, k, v; ///< Of this head.
  Matrix<T> out;
  T *lse;
  int64_t ib, ig, ir;

  /// Rescales what is accumulated, turns the scores of the row of the query at `position` into probabilities up to the
  /// row's sum.
  void softmaxRow(int64_t position, const Tile &keys, T *score, T *outRow, T &top, double &sum) const {
    const VectorLoops<T> &loops = vectorLoops<T>();
    const int64_t n = keys.count, visible = shape.visible(position, keys);
    const T newTop = std::max(top, loops.max(visible, score));
    if (newTop == -kInfinity<T>) { // Nothing seen so far.
      std::fill_n(score, n, T(0));
      return;
    }
    if (newTop != top) {
      const T factor = static_cast<T>(std::exp(top - newTop)); // 0 for the first keys.
      sum *= factor;
#pragma omp simd
      for (int64_t c = 0; c < shape.d; ++c)
        outRow[c] *= factor;
      top = newTop;
    }
    sum += loops.expSum(visible, score, top, score);
    std::fill(score + visible, score + n, T(0));
    if (dropout.active())
      dropout.apply(visible, shape.dropoutIndex(ib, position, ig, ir, keys.position), score, score);
  }

  void run(const Tile &queries) const {
    const int64_t first = queries.first, rows = queries.count;
    alignas(64) T scores[kQueryBlock * kKeyBlock];
    T top[kQueryBlock], shifts[kQueryBlock];
    mask.shifts(shape, ib, queries, shifts);
    double sum[kQueryBlock];
    std::fill_n(top, rows, -kInfinity<T>);
    std::fill_n(sum, rows, 0.0);
    for (int64_t i = 0; i < rows; ++i)
      std::fill_n(out.at(first + i, 0).data, shape.d, T(0));
    shape.forVisibleKeys(queries, [&](const Tile &keys) {
      gemm<T>(rows, keys.count, shape.d, scale, q.at(first, 0), k.at(keys.first, 0).transposed(), false,
              {scores, kKeyBlock, 1});
      mask.add(ib, queries, keys, shifts, scores);
      for (int64_t i = 0; i < rows; ++i)
        softmaxRow(queries.position + i, keys, scores + i * kKeyBlock, out.at(first + i, 0).data, top[i], sum[i]);
      gemm<T>(rows, shape.d, keys.count, T(1), {scores, kKeyBlock, 1}, v.at(keys.first, 0), true, out.at(first, 0));
    });
    for (int64_t i = 0; i < rows; ++i) {
      const bool empty = top[i] == -kInfinity<T>;
      const T inverse = empty ? T(0) : static_cast<T>(1 / sum[i]);
      T *outRow = out.at(first + i, 0).data;
#pragma omp simd
      for (int64_t c = 0; c < shape.d; ++c)
        outRow[c] *= inverse;
      lse[shape.row(ib, first + i, ig, ir)] = empty ? -kInfinity<T> : static_cast<T>(top[i] + std::log(sum[i]));
    }
  }
};

struct AttentionOp : AttentionAttributes {
  static constexpr const char *kName = "attention";
  static constexpr int kRequired = 4, kOutputs = 2;
  template <typename T> Status run(const KernelArgs &args) {
    MODELPAR_RETURN_IF_ERROR(checkInputs(kName, args, kRequired, kOutputs));
    for (const TensorView *view : {&args.inputs[0], &args.inputs[1]})
      MODELPAR_RETURN_IF_ERROR(checkOrders(kName, *view));
    const AttentionShape shape(args.inputs[0], args.inputs[1], *this);
    const AttentionMask<T> mask(shape, args, kRequired);
    MODELPAR_RETURN_IF_ERROR(mask.check(kName, shape, args.outputs[0].dtype));
    const Dropout dropout(args.inputs[3].as<const double>(), rate, key, args.instance);
    const T *q = args.inputs[0].as<const T>(), *k = args.inputs[1].as<const T>(), *v = args.inputs[2].as<const T>();
    T *out = args.outputs[0].as<T>(), *lse = args.outputs[1].as<T>();
    const int64_t blocks = shape.numQueryTiles();
    // One piece: a tile of queries of one head.
    parallelFor(args.pool, shape.b * shape.g * shape.r * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t head = i / blocks;
        const int64_t ir = head % shape.r, ig = head / shape.r % shape.g, ib = head / shape.r / shape.g;
        ForwardBlock<T>{shape,
                        dropout,
                        mask,
                        static_cast<T>(scale),
                        shape.queryHead(q, ib, ig, ir),
                        shape.keyHead(k, ib, ig),
                        shape.keyHead(v, ib, ig),
                        shape.queryHead(out, ib, ig, ir),
                        lse,
                        ib,
                        ig,
                        ir}
            .run(shape.queryTile(i % blocks));
      }
    });
    return Status();
  }
};

} // namespace

void registerAttention(KernelRegistry &registry) { add<AttentionOp>(registry); }

} // namespace modelpar::runtime::cpu
