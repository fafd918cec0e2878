//===- BuildModule.h - a checked graph to the nn dialect ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameters become symbols, blocks become functions, and `@step` calls them: the
// module of phase `import` (docs/Pipeline.md).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_MODELJSON_BUILDMODULE_H
#define MODELPAR_TARGET_MODELJSON_BUILDMODULE_H

#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/ModelJSON/CheckedGraph.h"

namespace modelpar::target {

/// The module of a graph that was checked without error.
mlir::OwningOpRef<mlir::ModuleOp> buildModule(mlir::MLIRContext &context, const CheckedGraph &checked,
                                              const ModelOptions &options);

/// The subscripts of a contraction, `bsh,hf->bsf`: a letter per dimension, taken from its name where it is free.
/// `names` are all dimensions of the graph in order, so that a dimension has the same letter everywhere.
std::string einsumSubscripts(const std::vector<std::string> &names, const TensorShape &lhs, const TensorShape &rhs,
                             const TensorShape &result);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_MODELJSON_BUILDMODULE_H
