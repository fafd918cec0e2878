//===- ElementType.h - element types in IR and in the plan file -*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_IR_ELEMENTTYPE_H
#define MODELPAR_DIALECT_PLAN_IR_ELEMENTTYPE_H

#include "modelpar/PlanFormat/Plan.h"

#include "mlir/IR/Types.h"

namespace modelpar::plan {

/// The element type in the plan file; nothing when it has none.
std::optional<planformat::DType> toDType(mlir::Type elementType);
/// What an error says about a tensor whose elements have none.
inline constexpr llvm::StringLiteral kExpectedElements = "expected elements of type f32, f64, bf16, f16, i32 or i64";

} // namespace modelpar::plan

#endif // MODELPAR_DIALECT_PLAN_IR_ELEMENTTYPE_H
