//===- Gemm.h - matrix product on strided operands -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// C = alpha · A·B, or C += alpha · A·B, for any strides. Panels are packed on the
// stack, nothing is allocated. An element of C is summed over k in one order that
// depends on k alone, so callers may cut m and n as they like.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_GEMM_H
#define MODELPAR_RUNTIME_KERNELS_CPU_GEMM_H

#include "runtime/base/ThreadPool.h"

namespace modelpar::runtime::cpu {

/// A matrix in memory: element (i, j) is data[i·rowStride + j·columnStride].
template <typename T> struct Matrix {
  T *data = nullptr;
  int64_t rowStride = 0, columnStride = 1;
  Matrix transposed() const { return {data, columnStride, rowStride}; }
  Matrix at(int64_t row, int64_t column) const {
    return {data + row * rowStride + column * columnStride, rowStride, columnStride};
  }
};

/// On the calling thread.
template <typename T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, bool accumulate, Matrix<T> c);

/// Over the threads of `pool` (may be null), cut into tiles by m and n alone.
template <typename T>
void parallelGemm(ThreadPool *pool, int64_t m, int64_t n, int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b,
                  bool accumulate, Matrix<T> c);

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_GEMM_H
