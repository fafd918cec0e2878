//===- CpuKernels.cpp - all CPU kernels ------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration of every family, and the errors that all kernels share.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"

namespace modelpar::runtime {

namespace cpu {

Status checkArity(const char *op, const KernelArgs &args, int inputs, int outputs) {
  auto wrong = [](size_t found, int expected) {
    return expected < 0 ? found == 0 : found != static_cast<size_t>(expected);
  };
  if (!wrong(args.inputs.size(), inputs) && !wrong(args.outputs.size(), outputs))
    return Status();
  auto count = [](int n) { return n < 0 ? std::string("one or more") : std::to_string(n); };
  return Status::internal(std::string(op) + ": expected " + count(inputs) + " inputs and " + count(outputs) +
                          " outputs, found " + std::to_string(args.inputs.size()) + " and " +
                          std::to_string(args.outputs.size()));
}

Status unsupportedType(const char *op, planformat::DType dtype) {
  return Status::unavailable(std::string(op) + ": the cpu kernel computes f32 and f64, found " +
                             std::string(planformat::name(dtype)));
}

} // namespace cpu

void registerCpuKernels(KernelRegistry &registry) {
  cpu::registerMatmul(registry);
  cpu::registerElementwise(registry);
  cpu::registerEmbedding(registry);
  cpu::registerNorm(registry);
  cpu::registerAttention(registry);
  cpu::registerAttentionGrad(registry);
  cpu::registerLoss(registry);
  cpu::registerUpdate(registry);
}

} // namespace modelpar::runtime
