//===- Launch.h - launches of our CUDA kernels -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain functions that enqueue one kernel each on a stream; they return what
// cudaGetLastError says of the launch. f32 throughout, sums in double. Every sum is
// cut by the sizes alone and added in order, without atomics.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CUDA_LAUNCH_H
#define MODELPAR_RUNTIME_KERNELS_CUDA_LAUNCH_H

#include <cstdint>
#include <cuda_runtime_api.h>

namespace modelpar::runtime::cuda {

/// Partial sums of a reduction over all elements: doubles of workspace that launches need.
inline constexpr int kPartials = 1024;

// Elementwise.
cudaError_t add(cudaStream_t stream, int64_t n, int64_t period, const float *a, const float *b, float *y);
cudaError_t multiply(cudaStream_t stream, int64_t n, const float *a, const float *b, float *y);
/// `kind` in the order of nn::ActivationKind.
cudaError_t activation(cudaStream_t stream, int kind, int64_t n, const float *x, float *y);
cudaError_t activationGrad(cudaStream_t stream, int kind, int64_t n, const float *grad, const float *x, float *y);
cudaError_t squaredErrorGrad(cudaStream_t stream, int64_t n, float scale, const float *a, const float *b, float *y);
/// `scalars`: the step's scalars in device memory. `scale`: the clip scale there.
cudaError_t adamw(cudaStream_t stream, int64_t n, bool weightDecay, const float *p, const float *g, const float *m,
                  const float *v, const float *scale, const double *scalars, float *newP, float *newM, float *newV);
cudaError_t sgd(cudaStream_t stream, int64_t n, bool weightDecay, const float *p, const float *g, const float *scale,
                const double *scalars, float *newP);
cudaError_t tokenLossGrad(cudaStream_t stream, int64_t n, const int32_t *targets, const double *scalars, float *lseGrad,
                          float *targetGrad);
/// rows[i] = table[ids[i] - first], zero where that row is not among `tableRows`.
cudaError_t embedding(cudaStream_t stream, int64_t tokens, int64_t width, int64_t first, int64_t tableRows,
                      const int32_t *ids, const float *table, float *rows);
/// Gradients of a row are added in the order of the tokens; none of the id `padding` (-1: every id counts).
cudaError_t embeddingGrad(cudaStream_t stream, int64_t tokens, int64_t width, int64_t first, int64_t tableRows,
                          int64_t padding, const float *grad, const int32_t *ids, float *table);

// Reductions.
cudaError_t columnSums(cudaStream_t stream, int64_t rows, int64_t columns, const float *x, float *y);
/// partials[i] (+)= part i of Σ x².
cudaError_t squarePartials(cudaStream_t stream, int64_t n, bool first, const float *x, double *partials);
cudaError_t squaredErrorPartials(cudaStream_t stream, int64_t n, const float *a, const float *b, double *partials);
cudaError_t tokenLossPartials(cudaStream_t stream, int64_t n, const float *lse, const float *targetLogit,
                              const int32_t *targets, double *partials);
/// y = factor · Σ partials; with `scalars`, also divided by their label count (0 labels: y = 0).
cudaError_t finishSum(cudaStream_t stream, const double *partials, double factor, const double *scalars, float *y);
cudaError_t clipScale(cudaStream_t stream, const float *sumSquares, const double *scalars, float *norm, float *scale);

// Rows.
cudaError_t softmaxStats(cudaStream_t stream, int64_t rows, int64_t columns, int64_t first, const float *logits,
                         const int32_t *targets, float *lse, float *targetLogit);
cudaError_t softmaxStatsGrad(cudaStream_t stream, int64_t rows, int64_t columns, int64_t first, const float *logits,
                             const int32_t *targets, const float *lse, const float *lseGrad, const float *targetGrad,
                             float *y);
cudaError_t layerNorm(cudaStream_t stream, int64_t rows, int64_t columns, float epsilon, const float *x,
                      const float *weight, const float *bias, float *y, float *mean, float *rstd);
cudaError_t layerNormInputGrad(cudaStream_t stream, int64_t rows, int64_t columns, const float *grad, const float *x,
                               const float *weight, const float *mean, const float *rstd, float *y);
cudaError_t layerNormWeightGrad(cudaStream_t stream, int64_t rows, int64_t columns, const float *grad, const float *x,
                                const float *mean, const float *rstd, float *weightGrad, float *biasGrad);

} // namespace modelpar::runtime::cuda

#endif // MODELPAR_RUNTIME_KERNELS_CUDA_LAUNCH_H
