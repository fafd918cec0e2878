//===- TensorParallel.h - the rule for tp -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_TENSORPARALLEL_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_TENSORPARALLEL_H

#include "ClassAxes.h"

namespace modelpar::dist {

struct TensorParallelAxes {
  sharding::DimSharding parts;  ///< How tp is written everywhere: whole, or cut. Empty without tp.
  sharding::DimSharding shared; ///< The parts that some parameters are shared over.
};

/// Puts tp on the set of free, compatible classes that takes the most matrix work off a rank, then on the set of the
/// others that takes the most parameters off it, beyond what it makes the rank send (the rows of an embedding). Where
/// one of them is smaller than tp (key-value heads), tp is cut in two: that class gets the major part alone, a class
/// that conflicts with it (the query heads of a group) the minor part, and all others both. Pins of a part of tp cut it
/// everywhere, too. A warning when no class can have tp, a remark when some ranks get nothing of a class.
TensorParallelAxes placeTensorParallel(mlir::ModuleOp module, const sharding::Mesh &mesh, ClassAxes &placed);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_TENSORPARALLEL_H
