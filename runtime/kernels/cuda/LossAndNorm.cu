//===- LossAndNorm.cu - kernels with one block per row ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax statistics and their gradient, layer norm and its gradients. Statistics are
// summed in double.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cuda/BlockSum.cuh"
#include "runtime/kernels/cuda/Launch.h"

namespace modelpar::runtime::cuda {

namespace {

__global__ void softmaxStatsRows(int64_t columns, int64_t first, const float *logits, const int32_t *targets,
                                 float *lse, float *targetLogit) {
  const int64_t row = blockIdx.x;
  const float *x = logits + row * columns;
  float top = -INFINITY;
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
    top = fmaxf(top, x[i]);
  top = blockMax(top);
  double sum = 0;
  if (top != -INFINITY)
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
      sum += expf(x[i] - top);
  sum = blockSum(sum);
  if (threadIdx.x != 0)
    return;
  lse[row] = top == -INFINITY ? top : static_cast<float>(top + log(sum));
  const int64_t at = targets[row] - first;
  targetLogit[row] = targets[row] >= 0 && at >= 0 && at < columns ? x[at] : 0;
}

__global__ void softmaxStatsGradRows(int64_t columns, int64_t first, const float *logits, const int32_t *targets,
                                     const float *lse, const float *lseGrad, const float *targetGrad, float *result) {
  const int64_t row = blockIdx.x;
  const float *x = logits + row * columns;
  float *y = result + row * columns;
  const float shift = lse[row], scale = lseGrad[row];
  const bool zero = scale == 0 || shift == -INFINITY;
  const int64_t target = targets[row] >= 0 ? targets[row] - first : -1;
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
    y[i] = (zero ? 0 : expf(x[i] - shift) * scale) + (i == target ? targetGrad[row] : 0);
}

__global__ void layerNormRows(int64_t columns, float epsilon, const float *input, const float *weight,
                              const float *bias, float *result, float *means, float *rstds) {
  const int64_t row = blockIdx.x;
  const float *x = input + row * columns;
  double sum = 0, squares = 0;
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
    sum += x[i];
  const float mean = static_cast<float>(blockSum(sum) / columns);
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
    double d = x[i] - mean;
    squares += d * d;
  }
  const float rstd = static_cast<float>(1 / sqrt(blockSum(squares) / columns + epsilon));
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
    result[row * columns + i] = (x[i] - mean) * rstd * weight[i] + bias[i];
  if (threadIdx.x == 0) {
    means[row] = mean;
    rstds[row] = rstd;
  }
}

__global__ void layerNormInputGradRows(int64_t columns, const float *grads, const float *input, const float *weight,
                                       const float *means, const float *rstds, float *result) {
  const int64_t row = blockIdx.x;
  const float *g = grads + row * columns, *x = input + row * columns;
  const float mean = means[row], rstd = rstds[row];
  double sum = 0, sumHat = 0;
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
    const float gw = g[i] * weight[i];
    sum += gw;
    sumHat += gw * ((x[i] - mean) * rstd);
  }
  const float meanGrad = static_cast<float>(blockSum(sum) / columns);
  const float meanHat = static_cast<float>(blockSum(sumHat) / columns);
  for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
    result[row * columns + i] = rstd * (g[i] * weight[i] - meanGrad - (x[i] - mean) * rstd * meanHat);
}

/// One thread per column, in the order of the rows.
__global__ void layerNormWeightGradColumns(int64_t rows, int64_t columns, const float *grads, const float *input,
                                           const float *means, const float *rstds, float *weightGrad, float *biasGrad) {
  const int64_t column = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (column >= columns)
    return;
  double weightSum = 0, biasSum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float g = grads[r * columns + column];
    weightSum += g * ((input[r * columns + column] - means[r]) * rstds[r]);
    biasSum += g;
  }
  weightGrad[column] = static_cast<float>(weightSum);
  biasGrad[column] = static_cast<float>(biasSum);
}

/// A grid of one block per row.
template <typename... Parameters, typename... Arguments>
cudaError_t perRow(void (*kernel)(Parameters...), cudaStream_t stream, int64_t rows, Arguments... arguments) {
  if (rows == 0)
    return cudaSuccess;
  kernel<<<static_cast<unsigned>(rows), kBlockThreads, 0, stream>>>(arguments...);
  return cudaGetLastError();
}

} // namespace

cudaError_t softmaxStats(cudaStream_t stream, int64_t rows, int64_t columns, int64_t first, const float *logits,
                         const int32_t *targets, float *lse, float *targetLogit) {
  return perRow(softmaxStatsRows, stream, rows, columns, first, logits, targets, lse, targetLogit);
}
cudaError_t softmaxStatsGrad(cudaStream_t stream, int64_t rows, int64_t columns, int64_t first, const float *logits,
                             const int32_t *targets, const float *lse, const float *lseGrad, const float *targetGrad,
                             float *y) {
  return perRow(softmaxStatsGradRows, stream, rows, columns, first, logits, targets, lse, lseGrad, targetGrad, y);
}
cudaError_t layerNorm(cudaStream_t stream, int64_t rows, int64_t columns, float epsilon, const float *x,
                      const float *weight, const float *bias, float *y, float *mean, float *rstd) {
  return perRow(layerNormRows, stream, rows, columns, epsilon, x, weight, bias, y, mean, rstd);
}
cudaError_t layerNormInputGrad(cudaStream_t stream, int64_t rows, int64_t columns, const float *grad, const float *x,
                               const float *weight, const float *mean, const float *rstd, float *y) {
  return perRow(layerNormInputGradRows, stream, rows, columns, grad, x, weight, mean, rstd, y);
}
cudaError_t layerNormWeightGrad(cudaStream_t stream, int64_t rows, int64_t columns, const float *grad, const float *x,
                                const float *mean, const float *rstd, float *weightGrad, float *biasGrad) {
  if (columns == 0)
    return cudaSuccess;
  constexpr int kThreads = 64;
  layerNormWeightGradColumns<<<static_cast<unsigned>((columns + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
      rows, columns, grad, x, mean, rstd, weightGrad, biasGrad);
  return cudaGetLastError();
}

} // namespace modelpar::runtime::cuda
