//===- Passes.h - from sharded functions to the plan dialect ----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one lowering across levels; Passes.td says what each pass does.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_CONVERSION_DISTTOPLAN_PASSES_H
#define MODELPAR_CONVERSION_DISTTOPLAN_PASSES_H

#include "mlir/Pass/Pass.h"

namespace modelpar {

// Attributes of phase `staged` (docs/Pipeline.md).
inline constexpr llvm::StringLiteral kProgramAttr = "dist.program";
inline constexpr llvm::StringLiteral kBufferAttr = "dist.buffer";
inline constexpr llvm::StringLiteral kPerMicroBatchAttr = "dist.per_micro_batch";

#define GEN_PASS_DECL
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

} // namespace modelpar

#endif // MODELPAR_CONVERSION_DISTTOPLAN_PASSES_H
