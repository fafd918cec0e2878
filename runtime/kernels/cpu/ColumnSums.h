//===- ColumnSums.h - sums over the rows of a matrix -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What gradients of weights and plain sums share: columns are divided over the threads,
// each is summed in double in the order of the rows, so threads change no bit.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_COLUMNSUMS_H
#define MODELPAR_RUNTIME_KERNELS_CPU_COLUMNSUMS_H

#include "runtime/kernels/cpu/CpuKernels.h"

namespace modelpar::runtime::cpu {

/// Columns at a time.
inline constexpr int64_t kSumColumns = 64;

/// results[k][c] = Σ over rows of what addRow(row, first column, number of columns, sums) adds to sums[k] for column c;
/// sums[k][i] belongs to column first + i.
template <int kSums, typename T, typename AddRow>
void columnSums(ThreadPool *pool, int64_t rows, int64_t columns, T *const (&results)[kSums], AddRow &&addRow) {
  parallelFor(pool, columns, kSumColumns, [&](int64_t begin, int64_t end) {
    double sums[kSums][kSumColumns];
    for (int64_t first = begin; first < end; first += kSumColumns) {
      const int64_t n = std::min(kSumColumns, end - first);
      for (double (&sum)[kSumColumns] : sums)
        std::fill_n(sum, n, 0.0);
      for (int64_t row = 0; row < rows; ++row)
        addRow(row, first, n, sums);
      for (int k = 0; k < kSums; ++k)
        for (int64_t i = 0; i < n; ++i)
          results[k][first + i] = static_cast<T>(sums[k][i]);
    }
  });
}

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_COLUMNSUMS_H
