//===- StageParts.h - sums over pipeline stages in @step -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two things of the update are sums over stages: the gradient of a parameter that several
// stages use, and the squares of all gradients. Each stage makes its part; dist.stage_parts
// says so, and an all_reduce over the stages joins them.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_STAGEPARTS_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_STAGEPARTS_H

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace modelpar::dist {

/// The stages that each dist.stage_parts is a sum over: the axis "pp" or a subset of it.
using StageGroups = llvm::DenseMap<mlir::Operation *, sharding::AxisRef>;

/// Splits the sums of @step whose operands are made by several stages, before types have shardings. Calls have their
/// stages.
mlir::LogicalResult splitOverStages(mlir::func::FuncOp step, const sharding::Mesh &mesh, StageGroups &groups);

/// Every part is made in the stage it is said to be of.
mlir::LogicalResult verifyStageParts(StagePartsOp op);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_STAGEPARTS_H
