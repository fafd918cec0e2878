//===- Transfers.h - sends that meet their receives -------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_TRANSFERS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_TRANSFERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace modelpar {

/// Each send has the receive of the same names and types in its peer, and each receive its send; one of both between
/// two stages. Emits an error otherwise.
mlir::LogicalResult checkTransfers(mlir::ArrayRef<mlir::func::FuncOp> programs);

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_TRANSFERS_H
