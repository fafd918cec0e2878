//===- CpuKernels.cpp - all CPU kernels ------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration of every family, and their common error.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/OneDnn.h"

namespace modelpar::runtime {

namespace cpu {

Status unsupportedType(const char *op, planformat::DType dtype) {
  return Status::unavailable(std::string(op) + ": the cpu kernel computes f32 and f64, found " +
                             std::string(planformat::name(dtype)));
}

} // namespace cpu

Status checkKernelEnvironment() { return cpu::OneDnnMatmul::checkEnvironment(); }

void registerCpuKernels(KernelRegistry &registry) {
  cpu::registerMatmul(registry);
  cpu::registerElementwise(registry);
  cpu::registerEmbedding(registry);
  cpu::registerNorm(registry);
  cpu::registerAttention(registry);
  cpu::registerAttentionGrad(registry);
  cpu::registerAttentionMerge(registry);
  cpu::registerLoss(registry);
  cpu::registerRmsNorm(registry);
  cpu::registerRotary(registry);
  cpu::registerSlice(registry);
  cpu::registerUpdate(registry);
}

} // namespace modelpar::runtime
