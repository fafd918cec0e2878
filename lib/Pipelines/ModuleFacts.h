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

/// Attributes of modules that record decisions: what later phases read, and what options and summaries are compared
/// with.
inline constexpr llvm::StringLiteral kGlobalBatch = "dist.global_batch", kMicroBatch = "dist.micro_batch",
                                     kNumMicroBatches = "dist.num_micro_batches", kSchedule = "dist.schedule",
                                     kSequenceParallel = "dist.sequence_parallel", kSequence = "nn.sequence";
/// The cluster's text and the model file's: a resumed file needs no option again, and its plan says where it came from.
inline constexpr llvm::StringLiteral kCluster = "nn.cluster", kSource = "nn.source", kModelFlops = "nn.model_flops";

/// What the inputs of @step, or of its programs, say about the batch and the sequence.
struct StepInputs {
  std::optional<int64_t> batch;   ///< Nothing when no input has a batch dimension.
  std::vector<int64_t> sequences; ///< The sizes that nn.seq_dim names.
};
StepInputs stepInputs(mlir::ModuleOp module);
/// In any phase: whether cp splits a sequence rather than the batch.
bool hasSequence(mlir::ModuleOp module);

/// Keeps the model FLOPs of a step as an attribute, so that later phases and resumed files know them: of the imported
/// module's matrix products, three times (forward, and twice that for backward).
void noteModelFlops(mlir::ModuleOp module);

/// What the summary takes from a module of any phase after sharded.
SummaryFacts summaryFacts(mlir::ModuleOp module);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_MODULEFACTS_H
