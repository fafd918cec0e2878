//===- CudaKernels.h - kernels for NVIDIA GPUs -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels of an MLP and of embeddings, f32. Target RuntimeKernelsCuda, in the
// build only where the CUDA toolkit is.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CUDA_CUDAKERNELS_H
#define MODELPAR_RUNTIME_KERNELS_CUDA_CUDAKERNELS_H

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// Registers all CUDA kernels under device "cuda". Needs no GPU.
void registerCudaKernels(KernelRegistry &registry);

namespace cuda {
/// Creates nn.matmul on cuBLASLt.
Status createMatmul(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel);
} // namespace cuda

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_KERNELS_CUDA_CUDAKERNELS_H
