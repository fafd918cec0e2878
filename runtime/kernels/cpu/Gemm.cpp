//===- Gemm.cpp - matrix product on strided operands -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The usual blocking: a block of A (kBlockRows × kBlockDepth) packed for the second
// cache, one panel of B at a time packed for the first, register tiles over both.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/Gemm.h"
#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/VectorLoops.h"

namespace modelpar::runtime::cpu {

namespace {
constexpr int64_t kBlockDepth = 192;
constexpr int64_t kBlockRows = 192; ///< A multiple of every register tile's rows.
constexpr int64_t kMaxTileColumns = 32;
constexpr int64_t kMaxTile = 12 * kMaxTileColumns;

/// Writes or adds the part of a register tile that lies inside C.
template <typename T>
void storeTile(const VectorLoops<T> &loops, const T *tile, int64_t rows, int64_t columns, T alpha, bool first,
               Matrix<T> c) {
  if (c.columnStride == 1)
    return loops.storeTile(tile, loops.tileColumns, rows, columns, alpha, !first, c.data, c.rowStride);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      T &to = *c.at(i, j).data;
      to = (first ? T(0) : to) + alpha * tile[i * loops.tileColumns + j];
    }
}

/// C (+)= alpha · A·B for at most kBlockRows rows.
template <typename T>
void gemmRows(int64_t m, int64_t n, int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, bool accumulate,
              Matrix<T> c) {
  const VectorLoops<T> &loops = vectorLoops<T>();
  const int64_t mr = loops.tileRows, nr = loops.tileColumns;
  alignas(64) T packedA[kBlockRows * kBlockDepth];
  alignas(64) T packedB[kMaxTileColumns * kBlockDepth];
  alignas(64) T tile[kMaxTile];
  for (int64_t p = 0; p < k; p += kBlockDepth) {
    const int64_t depth = std::min(kBlockDepth, k - p);
    const bool first = p == 0 && !accumulate;
    for (int64_t i = 0; i < m; i += mr)
      loops.packPanel(std::min(mr, m - i), mr, depth, a.at(i, p).data, a.rowStride, a.columnStride,
                      packedA + i * depth);
    for (int64_t j = 0; j < n; j += nr) {
      const int64_t columns = std::min(nr, n - j);
      loops.packPanel(columns, nr, depth, b.at(p, j).data, b.columnStride, b.rowStride, packedB);
      for (int64_t i = 0; i < m; i += mr) {
        loops.gemmTile(depth, packedA + i * depth, packedB, tile);
        storeTile(loops, tile, std::min(mr, m - i), columns, alpha, first, c.at(i, j));
      }
    }
  }
}

template <typename T> void fillZero(int64_t m, int64_t n, Matrix<T> c) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      c.data[i * c.rowStride + j * c.columnStride] = T(0);
}
} // namespace

template <typename T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, bool accumulate,
          Matrix<T> c) {
  if (m <= 0 || n <= 0)
    return;
  if (k <= 0) {
    if (!accumulate)
      fillZero(m, n, c);
    return;
  }
  // Stores want unit columns; the transposed problem sums every element in the same order.
  if (c.columnStride != 1 && c.rowStride == 1)
    return gemm<T>(n, m, k, alpha, b.transposed(), a.transposed(), accumulate, c.transposed());
  for (int64_t i = 0; i < m; i += kBlockRows)
    gemmRows<T>(std::min(kBlockRows, m - i), n, k, alpha, a.at(i, 0), b, accumulate, c.at(i, 0));
}

template <typename T>
void parallelGemm(ThreadPool *pool, int64_t m, int64_t n, int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b,
                  bool accumulate, Matrix<T> c) {
  if (m <= 0 || n <= 0)
    return;
  // Enough tiles for any reasonable number of threads, but none so small that packing dominates.
  int64_t rows = kBlockRows, columns = 1024;
  auto tiles = [&] { return ((m + rows - 1) / rows) * ((n + columns - 1) / columns); };
  while (tiles() < 16 && columns > 128)
    columns /= 2;
  if (tiles() < 16 && m > 96)
    rows = 96;
  const int64_t acrossM = (m + rows - 1) / rows;
  parallelFor(pool, tiles(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t i = t % acrossM * rows, j = t / acrossM * columns;
      gemm<T>(std::min(rows, m - i), std::min(columns, n - j), k, alpha, a.at(i, 0), b.at(0, j), accumulate,
              c.at(i, j));
    }
  });
}

template void gemm(int64_t, int64_t, int64_t, float, Matrix<const float>, Matrix<const float>, bool, Matrix<float>);
template void gemm(int64_t, int64_t, int64_t, double, Matrix<const double>, Matrix<const double>, bool, Matrix<double>);
template void parallelGemm(ThreadPool *, int64_t, int64_t, int64_t, float, Matrix<const float>, Matrix<const float>,
                           bool, Matrix<float>);
template void parallelGemm(ThreadPool *, int64_t, int64_t, int64_t, double, Matrix<const double>, Matrix<const double>,
                           bool, Matrix<double>);

} // namespace modelpar::runtime::cpu
