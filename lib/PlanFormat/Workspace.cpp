//===- Workspace.cpp - scratch that kernels may use ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Workspace.h"

namespace modelpar::planformat {

/// cuBLASLt picks faster algorithms when it may use some scratch; the size is NVIDIA's recommendation for recent GPUs.
static constexpr int64_t kCudaMatmulBytes = int64_t{32} << 20;
/// Partial sums of the blocks of a reduction over all elements: one double per block.
static constexpr int64_t kCudaReductionBytes = int64_t{1024} * 8;

int64_t workspaceBytes(std::string_view op, std::string_view deviceKind, const Attributes &attributes,
                       const std::vector<TensorType> &inputs, const std::vector<TensorType> &outputs) {
  // CPU kernels keep packed panels and tiles of scores on their threads' stacks.
  if (deviceKind != "cuda")
    return 0;
  if (op == "matmul")
    return kCudaMatmulBytes;
  if (op == "sum_squares" || op == "token_loss" || op == "squared_error")
    return kCudaReductionBytes;
  return 0;
}

} // namespace modelpar::planformat
