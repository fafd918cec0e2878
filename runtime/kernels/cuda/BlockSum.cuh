//===- BlockSum.cuh - sum and maximum over a block -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Trees of fixed shape over kBlockThreads threads; every thread gets the result.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CUDA_BLOCKSUM_CUH
#define MODELPAR_RUNTIME_KERNELS_CUDA_BLOCKSUM_CUH

namespace modelpar::runtime::cuda {

constexpr int kBlockThreads = 256;

/// All threads of a block of kBlockThreads call it.
template <typename T, typename Join> __device__ T blockJoin(T value, Join join) {
  __shared__ T shared[kBlockThreads];
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int half = kBlockThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  T result = shared[0];
  __syncthreads(); // Before the next use of `shared`.
  return result;
}

struct Plus {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

__device__ inline double blockSum(double value) { return blockJoin(value, Plus()); }
__device__ inline float blockMax(float value) { return blockJoin(value, Larger()); }

} // namespace modelpar::runtime::cuda

#endif // MODELPAR_RUNTIME_KERNELS_CUDA_BLOCKSUM_CUH
