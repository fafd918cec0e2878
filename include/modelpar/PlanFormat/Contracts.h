//===- Contracts.h - what kernels take and give -----------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table says for every kernel how many tensors it takes and gives, of which elements, which of their dimensions are
// the same, and what attributes it reads. The verifier holds plans to it, so kernels never see other operands.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_CONTRACTS_H
#define MODELPAR_PLANFORMAT_CONTRACTS_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// True when the table has the kernel.
bool hasContract(std::string_view op);

/// What is wrong with a kernel's operands or attributes; empty when nothing is, or when the table does not have the
/// kernel: the registry of a device refuses what it does not know.
std::string contractError(const Instruction &instruction, const std::vector<const TensorType *> &inputs,
                          const std::vector<const TensorType *> &outputs);

/// Sums over micro-batches are f32 or f64.
bool canAccumulate(DType input, DType sum);

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_CONTRACTS_H
