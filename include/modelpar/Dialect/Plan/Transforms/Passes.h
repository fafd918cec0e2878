//===- Passes.h - passes on the plan dialect --------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Schedule, events and memory of a plan; Passes.td says what each pass does.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES_H
#define MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace modelpar::plan {

#define GEN_PASS_DECL
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

} // namespace modelpar::plan

#endif // MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES_H
