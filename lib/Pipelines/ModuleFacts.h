//===- ModuleFacts.h - what a compilation asks of its module --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_MODULEFACTS_H
#define MODELPAR_LIB_PIPELINES_MODULEFACTS_H

#include "Summary.h"

#include "mlir/IR/BuiltinOps.h"

namespace modelpar::pipelines {

/// What the inputs of @step say about the batch.
struct StepInputs {
  std::optional<int64_t> batch; ///< Nothing when no input has a batch dimension.
  bool hasSequence = false;
};
StepInputs stepInputs(mlir::ModuleOp module);

/// Keeps the model FLOPs of a step as an attribute, so that later phases and resumed files know them: of the imported
/// module's matrix products, three times (forward, and twice that for backward).
void noteModelFlops(mlir::ModuleOp module);

/// What the summary takes from a module of any phase after sharded.
SummaryFacts summaryFacts(mlir::ModuleOp module);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_MODULEFACTS_H
