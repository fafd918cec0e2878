//===- AttentionGrad.cpp - attention backward on CPU -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Probabilities are recomputed from lse tile by tile. One piece of work is a group of
// heads that share keys and values: it alone writes its gradients, in a fixed order.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/AttentionMask.h"
#include "runtime/kernels/cpu/VectorLoops.h"

namespace modelpar::runtime::cpu {

namespace {

template <typename T> void zeroRows(int64_t rows, int64_t columns, Matrix<T> matrix) {
  for (int64_t i = 0; i < rows; ++i)
    std::fill_n(matrix.at(i, 0).data, columns, T(0));
}

/// One head: the gradient of its queries, and its part of the gradients of its group's keys and values.
template <typename T> struct BackwardHead {
  const AttentionShape &shape;
  const Dropout &dropout;
  const AttentionMask<T> &mask;
  T scale;
  Matrix<const T> grad, q, k, v, out;
  const T *lse;
  Matrix<T> queryGrad, keyGrad, valueGrad;
  int64_t ib, ig, ir;

  /// From scores and dO·Vᵀ of one row, the query's at `position`, to the probabilities after dropout and the gradient
  /// of the unscaled scores.
  void row(int64_t position, const Tile &keys, T rowLse, T rowDot, T *score, T *scoreGrad) const {
    const int64_t n = keys.count, visible = shape.visible(position, keys);
    std::fill(score + visible, score + n, T(0));
    std::fill(scoreGrad + visible, scoreGrad + n, T(0));
    if (rowLse == -kInfinity<T>) {
      std::fill_n(score, visible, T(0));
      std::fill_n(scoreGrad, visible, T(0));
      return;
    }
    vectorLoops<T>().expScale(visible, score, rowLse, T(1), score);
    const int64_t index = shape.dropoutIndex(ib, position, ig, ir, keys.position);
    if (dropout.active())
      dropout.apply(visible, index, scoreGrad, scoreGrad);
#pragma omp simd
    for (int64_t j = 0; j < visible; ++j)
      scoreGrad[j] = score[j] * (scoreGrad[j] - rowDot);
    if (dropout.active())
      dropout.apply(visible, index, score, score);
  }

  void run() const {
    alignas(64) T scores[kQueryBlock * kKeyBlock], scoreGrads[kQueryBlock * kKeyBlock];
    const Matrix<T> tile{scores, kKeyBlock, 1}, gradTile{scoreGrads, kKeyBlock, 1};
    const Matrix<const T> readTile{scores, kKeyBlock, 1}, readGradTile{scoreGrads, kKeyBlock, 1};
    T rowDots[kQueryBlock], shifts[kQueryBlock];
    zeroRows(shape.s, shape.d, queryGrad);
    for (Tile queries = shape.queries(0); queries.count > 0; queries = shape.queries(queries.first + queries.count)) {
      const int64_t first = queries.first, rows = queries.count;
      bool seesAny = false;
      shape.forVisibleKeys(queries, [&](const Tile &keys) {
        const int64_t key = keys.first, n = keys.count;
        if (!seesAny) { // A tile that is wholly masked costs nothing.
          for (int64_t i = 0; i < rows; ++i)
            rowDots[i] =
                static_cast<T>(vectorLoops<T>().dot(shape.d, grad.at(first + i, 0).data, out.at(first + i, 0).data));
          mask.shifts(shape, ib, queries, shifts);
          seesAny = true;
        }
        gemm<T>(rows, n, shape.d, scale, q.at(first, 0), k.at(key, 0).transposed(), false, tile);
        mask.add(ib, queries, keys, shifts, scores);
        gemm<T>(rows, n, shape.d, T(1), grad.at(first, 0), v.at(key, 0).transposed(), false, gradTile);
        for (int64_t i = 0; i < rows; ++i)
          row(queries.position + i, keys, lse[shape.row(ib, first + i, ig, ir)], rowDots[i], scores + i * kKeyBlock,
              scoreGrads + i * kKeyBlock);
        gemm<T>(n, shape.d, rows, T(1), readTile.transposed(), grad.at(first, 0), true, valueGrad.at(key, 0));
        gemm<T>(rows, shape.d, n, scale, readGradTile, k.at(key, 0), true, queryGrad.at(first, 0));
        gemm<T>(n, shape.d, rows, scale, readGradTile.transposed(), q.at(first, 0), true, keyGrad.at(key, 0));
      });
    }
  }
};

struct AttentionGradOp : AttentionAttributes {
  static constexpr const char *kName = "attention_grad";
  static constexpr int kRequired = 7, kOutputs = 3;
  template <typename T> Status run(const KernelArgs &args) {
    MODELPAR_RETURN_IF_ERROR(checkInputs(kName, args, kRequired, kOutputs));
    for (const TensorView *view : {&args.inputs[1], &args.inputs[2]})
      MODELPAR_RETURN_IF_ERROR(checkOrders(kName, *view));
    const AttentionShape shape(args.inputs[1], args.inputs[2], *this);
    const AttentionMask<T> mask(shape, args, kRequired);
    MODELPAR_RETURN_IF_ERROR(mask.check(kName, shape, args.outputs[0].dtype));
    const Dropout dropout(args.inputs[6].as<const double>(), rate, key, args.instance);
    const T *grad = args.inputs[0].as<const T>(), *q = args.inputs[1].as<const T>(), *k = args.inputs[2].as<const T>(),
            *v = args.inputs[3].as<const T>(), *out = args.inputs[4].as<const T>(), *lse = args.inputs[5].as<const T>();
    T *queryGrad = args.outputs[0].as<T>(), *keyGrad = args.outputs[1].as<T>(), *valueGrad = args.outputs[2].as<T>();
    parallelFor(args.pool, shape.b * shape.g, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t ib = i / shape.g, ig = i % shape.g;
        zeroRows(shape.t, shape.d, shape.keyHead(keyGrad, ib, ig));
        zeroRows(shape.t, shape.d, shape.keyHead(valueGrad, ib, ig));
        for (int64_t ir = 0; ir < shape.r; ++ir)
          BackwardHead<T>{shape,
                          dropout,
                          mask,
                          static_cast<T>(scale),
                          shape.queryHead(grad, ib, ig, ir),
                          shape.queryHead(q, ib, ig, ir),
                          shape.keyHead(k, ib, ig),
                          shape.keyHead(v, ib, ig),
                          shape.queryHead(out, ib, ig, ir),
                          lse,
                          shape.queryHead(queryGrad, ib, ig, ir),
                          shape.keyHead(keyGrad, ib, ig),
                          shape.keyHead(valueGrad, ib, ig),
                          ib,
                          ig,
                          ir}
              .run();
      }
    });
    return Status();
  }
};

} // namespace

void registerAttentionGrad(KernelRegistry &registry) { add<AttentionGradOp>(registry); }

} // namespace modelpar::runtime::cpu
