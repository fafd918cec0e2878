//===- StageReplicas.h - updates of tied parameters' copies -----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEREPLICAS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEREPLICAS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace modelpar {

/// For every parameter that a stage uses and another one updates: a call, with the stage, of an update function of that
/// parameter alone (made from the owner's), and the writes of its results. Emits an error when the parameter is not
/// updated by a call.
mlir::LogicalResult addReplicaUpdates(mlir::func::FuncOp step);

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEREPLICAS_H
