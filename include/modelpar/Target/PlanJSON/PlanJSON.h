//===- PlanJSON.h - from the plan dialect to the plan file ------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A module of phase `scheduled` as the structs that lib/PlanFormat writes as JSON.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_PLANJSON_PLANJSON_H
#define MODELPAR_TARGET_PLANJSON_PLANJSON_H

#include "modelpar/PlanFormat/Plan.h"

#include "mlir/IR/BuiltinOps.h"

namespace modelpar {

/// Fills everything but what only the command line knows (tool, command, texts, device kind, summary). Fails, with a
/// diagnostic, on a module that has no schedule or no offsets yet.
mlir::LogicalResult exportPlan(mlir::ModuleOp module, planformat::Plan &plan);

} // namespace modelpar

#endif // MODELPAR_TARGET_PLANJSON_PLANJSON_H
