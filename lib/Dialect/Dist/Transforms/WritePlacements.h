//===- WritePlacements.h - decided placements as attributes -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_WRITEPLACEMENTS_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_WRITEPLACEMENTS_H

#include "ClassAxes.h"
#include "SequenceParallel.h"

namespace modelpar::dist {

/// Writes phase sharded's attributes: dist.placement on ops, dist.storage on parameters, dist.sharding on arguments and
/// results of functions. `sequence`: null without sequence parallelism.
mlir::LogicalResult writePlacements(mlir::ModuleOp module, const sharding::Mesh &mesh, const ClassAxes &placed,
                                    const SumPolicy &sums, const SequenceParallel *sequence);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_WRITEPLACEMENTS_H
