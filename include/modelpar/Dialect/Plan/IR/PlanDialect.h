//===- PlanDialect.h - the plan dialect -------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The dialect, its types, attributes and ops: what one rank does, in order. The one
// header to include; PlanOps.td says what every op means.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_IR_PLANDIALECT_H
#define MODELPAR_DIALECT_PLAN_IR_PLANDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "modelpar/Dialect/Plan/IR/PlanDialect.h.inc"
#include "modelpar/Dialect/Plan/IR/PlanEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanAttrs.h.inc"

#include "modelpar/Dialect/Plan/IR/PlanInterfaces.h.inc"

#define GET_OP_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanOps.h.inc"

namespace modelpar::plan {

// Attributes of the module that the plan file needs and no op carries.
inline constexpr llvm::StringLiteral kModelAttr = "plan.model";
inline constexpr llvm::StringLiteral kOptimizerAttr = "plan.optimizer";
inline constexpr llvm::StringLiteral kGlobalBatchAttr = "plan.global_batch";
inline constexpr llvm::StringLiteral kSequenceAttr = "plan.sequence";
inline constexpr llvm::StringLiteral kScheduleAttr = "plan.schedule_kind";
inline constexpr llvm::StringLiteral kNumMicroBatchesAttr = "plan.num_micro_batches";

} // namespace modelpar::plan

#endif // MODELPAR_DIALECT_PLAN_IR_PLANDIALECT_H
