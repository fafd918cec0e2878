//===- Accumulate.h - sums over micro-batches -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On devices whose memory the host reads; others have a kernel "accumulate" in the registry (inputs {x}, outputs {sum},
// sum += x).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_ACCUMULATE_H
#define MODELPAR_RUNTIME_EXECUTOR_ACCUMULATE_H

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// sum += input, or sum = input when `first`. f32, f64 or bf16 into f32; f32 or f64 into f64.
Status accumulate(const TensorView &input, const TensorView &sum, bool first, ThreadPool &pool);
/// Why accumulate does not do these types; Ok when it does.
Status checkAccumulate(planformat::DType input, planformat::DType sum);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_ACCUMULATE_H
