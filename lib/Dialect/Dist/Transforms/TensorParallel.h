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

/// Puts tp on the set of free, compatible classes that takes the most matrix work off a rank. A warning when there is none.
void placeTensorParallel(mlir::ModuleOp module, const sharding::Mesh &mesh, ClassAxes &placed);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_TENSORPARALLEL_H
