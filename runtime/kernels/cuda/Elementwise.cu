//===- Elementwise.cu - elementwise CUDA kernels ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One thread per element, in a grid-stride loop. Results may take the place of an
// operand of the same shape.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cuda/Launch.h"

namespace modelpar::runtime::cuda {

namespace {

// Places in the scalars: planformat::Scalar, which device code does not include. CudaKernels.cpp asserts that they
// agree.
enum ScalarField {
  kStep,
  kLearningRate,
  kLabelCount,
  kSeedLow,
  kSeedHigh,
  kClip,
  kBeta1,
  kBeta2,
  kEpsilon,
  kWeightDecay,
  kUpdate
};

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = 65536;

template <typename Function> __global__ void elements(int64_t n, Function function) {
  for (int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x; i < n; i += int64_t(gridDim.x) * blockDim.x)
    function(i);
}

template <typename Function> cudaError_t forElements(cudaStream_t stream, int64_t n, Function function) {
  if (n == 0)
    return cudaSuccess;
  int64_t blocks = (n + kThreads - 1) / kThreads;
  elements<<<static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks), kThreads, 0, stream>>>(n, function);
  return cudaGetLastError();
}

struct Add {
  int64_t period;
  const float *a, *b;
  float *y;
  __device__ void operator()(int64_t i) const { y[i] = a[i] + b[i % period]; }
};

struct Multiply {
  const float *a, *b;
  float *y;
  __device__ void operator()(int64_t i) const { y[i] = a[i] * b[i]; }
};

constexpr float kRoot2OverPi = 0.79788456080286535588f, kGeluCubic = 0.044715f, kRootHalf = 0.70710678118654752440f;

__device__ float sigmoidOf(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ float activationOf(int kind, float x) {
  switch (kind) {
  case 0:
    return x > 0 ? x : 0;
  case 1:
    return 0.5f * x * (1 + erff(x * kRootHalf));
  case 2:
    return 0.5f * x * (1 + tanhf(kRoot2OverPi * (x + kGeluCubic * x * x * x)));
  case 3:
    return x * sigmoidOf(x);
  case 4:
    return tanhf(x);
  default:
    return sigmoidOf(x);
  }
}

__device__ float derivativeOf(int kind, float x) {
  switch (kind) {
  case 0:
    return x > 0 ? 1 : 0;
  case 1:
    return 0.5f * (1 + erff(x * kRootHalf)) + x * 0.39894228040143267794f * expf(-0.5f * x * x);
  case 2: {
    float t = tanhf(kRoot2OverPi * (x + kGeluCubic * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kRoot2OverPi * (1 + 3 * kGeluCubic * x * x);
  }
  case 3: {
    float s = sigmoidOf(x);
    return s * (1 + x * (1 - s));
  }
  case 4: {
    float t = tanhf(x);
    return 1 - t * t;
  }
  default: {
    float s = sigmoidOf(x);
    return s * (1 - s);
  }
  }
}

struct Activation {
  int kind;
  const float *x;
  float *y;
  __device__ void operator()(int64_t i) const { y[i] = activationOf(kind, x[i]); }
};

struct ActivationGrad {
  int kind;
  const float *grad, *x;
  float *y;
  __device__ void operator()(int64_t i) const { y[i] = grad[i] * derivativeOf(kind, x[i]); }
};

struct SquaredErrorGrad {
  float scale;
  const float *a, *b;
  float *y;
  __device__ void operator()(int64_t i) const { y[i] = scale * (a[i] - b[i]); }
};

struct AdamW {
  bool weightDecay;
  const float *p, *g, *m, *v, *scale;
  const double *scalars;
  float *newP, *newM, *newV;
  __device__ void operator()(int64_t i) const {
    const float gradScale = *scale;
    if (gradScale == 0) { // The step is skipped.
      newP[i] = p[i], newM[i] = m[i], newV[i] = v[i];
      return;
    }
    const double beta1 = scalars[kBeta1], beta2 = scalars[kBeta2], lr = scalars[kLearningRate];
    const double update = scalars[kUpdate];
    const float stepSize = static_cast<float>(lr / (1 - pow(beta1, update)));
    const float inverseRoot = static_cast<float>(1 / sqrt(1 - pow(beta2, update)));
    const float decay = static_cast<float>(weightDecay ? 1 - lr * scalars[kWeightDecay] : 1);
    const float b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2);
    const float grad = g[i] * gradScale;
    const float first = b1 * m[i] + (1 - b1) * grad, second = b2 * v[i] + (1 - b2) * grad * grad;
    newM[i] = first;
    newV[i] = second;
    newP[i] = p[i] * decay - stepSize * first / (sqrtf(second) * inverseRoot + static_cast<float>(scalars[kEpsilon]));
  }
};

struct Sgd {
  bool weightDecay;
  const float *p, *g, *scale;
  const double *scalars;
  float *newP;
  __device__ void operator()(int64_t i) const {
    const double lr = scalars[kLearningRate];
    const float decay = static_cast<float>(weightDecay ? 1 - lr * scalars[kWeightDecay] : 1);
    newP[i] = *scale == 0 ? p[i] : p[i] * decay - static_cast<float>(lr * *scale) * g[i];
  }
};

struct TokenLossGrad {
  const int32_t *targets;
  const double *scalars;
  float *lseGrad, *targetGrad;
  __device__ void operator()(int64_t i) const {
    const double count = scalars[kLabelCount];
    const float scale = targets[i] >= 0 && count > 0 ? static_cast<float>(1 / count) : 0;
    lseGrad[i] = scale;
    targetGrad[i] = -scale;
  }
};

struct Embedding {
  int64_t width, first, tableRows;
  const int32_t *ids;
  const float *table;
  float *rows;
  __device__ void operator()(int64_t i) const {
    const int64_t row = ids[i / width] - first;
    rows[i] = row >= 0 && row < tableRows ? table[row * width + i % width] : 0;
  }
};

/// One thread per column walks the tokens.
struct EmbeddingGrad {
  int64_t tokens, width, first, tableRows, padding;
  const float *grad;
  const int32_t *ids;
  float *table;
  __device__ void operator()(int64_t column) const {
    for (int64_t i = 0; i < tokens; ++i) {
      const int64_t row = ids[i] - first;
      if (row >= 0 && row < tableRows && ids[i] != padding)
        table[row * width + column] += grad[i * width + column];
    }
  }
};

} // namespace

cudaError_t add(cudaStream_t stream, int64_t n, int64_t period, const float *a, const float *b, float *y) {
  return forElements(stream, n, Add{period, a, b, y});
}
cudaError_t multiply(cudaStream_t stream, int64_t n, const float *a, const float *b, float *y) {
  return forElements(stream, n, Multiply{a, b, y});
}
cudaError_t activation(cudaStream_t stream, int kind, int64_t n, const float *x, float *y) {
  return forElements(stream, n, Activation{kind, x, y});
}
cudaError_t activationGrad(cudaStream_t stream, int kind, int64_t n, const float *grad, const float *x, float *y) {
  return forElements(stream, n, ActivationGrad{kind, grad, x, y});
}
cudaError_t squaredErrorGrad(cudaStream_t stream, int64_t n, float scale, const float *a, const float *b, float *y) {
  return forElements(stream, n, SquaredErrorGrad{scale, a, b, y});
}
cudaError_t adamw(cudaStream_t stream, int64_t n, bool weightDecay, const float *p, const float *g, const float *m,
                  const float *v, const float *scale, const double *scalars, float *newP, float *newM, float *newV) {
  return forElements(stream, n, AdamW{weightDecay, p, g, m, v, scale, scalars, newP, newM, newV});
}
cudaError_t sgd(cudaStream_t stream, int64_t n, bool weightDecay, const float *p, const float *g, const float *scale,
                const double *scalars, float *newP) {
  return forElements(stream, n, Sgd{weightDecay, p, g, scale, scalars, newP});
}
cudaError_t tokenLossGrad(cudaStream_t stream, int64_t n, const int32_t *targets, const double *scalars, float *lseGrad,
                          float *targetGrad) {
  return forElements(stream, n, TokenLossGrad{targets, scalars, lseGrad, targetGrad});
}
cudaError_t embedding(cudaStream_t stream, int64_t tokens, int64_t width, int64_t first, int64_t tableRows,
                      const int32_t *ids, const float *table, float *rows) {
  return forElements(stream, tokens * width, Embedding{width, first, tableRows, ids, table, rows});
}
cudaError_t embeddingGrad(cudaStream_t stream, int64_t tokens, int64_t width, int64_t first, int64_t tableRows,
                          int64_t padding, const float *grad, const int32_t *ids, float *table) {
  if (tableRows * width == 0)
    return cudaSuccess;
  if (cudaError_t error = cudaMemsetAsync(table, 0, sizeof(float) * tableRows * width, stream); error != cudaSuccess)
    return error;
  return forElements(stream, width, EmbeddingGrad{tokens, width, first, tableRows, padding, grad, ids, table});
}

} // namespace modelpar::runtime::cuda
