//===- Reductions.cu - sums over all elements and over rows on CUDA --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sum over all elements has kPartials parts, one block each; a last block adds the
// parts in order. Inside a block the tree's shape is fixed, so results repeat.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cuda/BlockSum.cuh"
#include "runtime/kernels/cuda/Launch.h"

namespace modelpar::runtime::cuda {

namespace {

constexpr int kLabelCountField = 2, kClipField = 5; // planformat::Scalar, as in Elementwise.cu.

template <typename Term> __global__ void partialSums(int64_t n, bool first, Term term, double *partials) {
  double sum = 0;
  for (int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x; i < n; i += int64_t(gridDim.x) * blockDim.x)
    sum += term(i);
  sum = blockSum(sum);
  if (threadIdx.x == 0)
    partials[blockIdx.x] = first ? sum : partials[blockIdx.x] + sum;
}

template <typename Term>
cudaError_t launchPartials(cudaStream_t stream, int64_t n, bool first, Term term, double *partials) {
  partialSums<<<kPartials, kBlockThreads, 0, stream>>>(n, first, term, partials);
  return cudaGetLastError();
}

struct Square {
  const float *x;
  __device__ double operator()(int64_t i) const { return double(x[i]) * double(x[i]); }
};

struct SquaredError {
  const float *a, *b;
  __device__ double operator()(int64_t i) const {
    double d = double(a[i]) - double(b[i]);
    return d * d;
  }
};

struct TokenLoss {
  const float *lse, *targetLogit;
  const int32_t *targets;
  __device__ double operator()(int64_t i) const {
    return targets[i] >= 0 ? double(lse[i]) - double(targetLogit[i]) : 0;
  }
};

__global__ void finish(const double *partials, double factor, const double *scalars, float *y) {
  double sum = 0;
  for (int i = threadIdx.x; i < kPartials; i += blockDim.x)
    sum += partials[i];
  sum = blockSum(sum);
  if (threadIdx.x != 0)
    return;
  if (scalars)
    factor = scalars[kLabelCountField] > 0 ? factor / scalars[kLabelCountField] : 0;
  *y = factor == 0 ? 0 : static_cast<float>(sum * factor);
}

__global__ void clip(const float *sumSquares, const double *scalars, float *norm, float *scale) {
  const double value = sqrt(double(*sumSquares)), limit = scalars[kClipField];
  *norm = static_cast<float>(value);
  *scale = !isfinite(value) ? 0 : limit > 0 && value > limit ? static_cast<float>(limit / value) : 1;
}

/// One thread per column, in the order of the rows; threads of a warp read neighbours.
__global__ void sumColumns(int64_t rows, int64_t columns, const float *x, float *y) {
  const int64_t column = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (column >= columns)
    return;
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r)
    sum += x[r * columns + column];
  y[column] = static_cast<float>(sum);
}

} // namespace

cudaError_t columnSums(cudaStream_t stream, int64_t rows, int64_t columns, const float *x, float *y) {
  if (columns == 0)
    return cudaSuccess;
  constexpr int kThreads = 64;
  sumColumns<<<static_cast<unsigned>((columns + kThreads - 1) / kThreads), kThreads, 0, stream>>>(rows, columns, x, y);
  return cudaGetLastError();
}

cudaError_t squarePartials(cudaStream_t stream, int64_t n, bool first, const float *x, double *partials) {
  return launchPartials(stream, n, first, Square{x}, partials);
}
cudaError_t squaredErrorPartials(cudaStream_t stream, int64_t n, const float *a, const float *b, double *partials) {
  return launchPartials(stream, n, true, SquaredError{a, b}, partials);
}
cudaError_t tokenLossPartials(cudaStream_t stream, int64_t n, const float *lse, const float *targetLogit,
                              const int32_t *targets, double *partials) {
  return launchPartials(stream, n, true, TokenLoss{lse, targetLogit, targets}, partials);
}

cudaError_t finishSum(cudaStream_t stream, const double *partials, double factor, const double *scalars, float *y) {
  finish<<<1, kBlockThreads, 0, stream>>>(partials, factor, scalars, y);
  return cudaGetLastError();
}

cudaError_t clipScale(cudaStream_t stream, const float *sumSquares, const double *scalars, float *norm, float *scale) {
  clip<<<1, 1, 0, stream>>>(sumSquares, scalars, norm, scale);
  return cudaGetLastError();
}

} // namespace modelpar::runtime::cuda
