//===- Initialize.h - where parameters start ------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An element's first value is a function of the seed, the parameter's name and the element's index in the global
// tensor, so every plan of a model starts from the same weights and each rank makes only its own shard
// (docs/Rationale/Randomness.md).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_INITIALIZE_H
#define MODELPAR_RUNTIME_TRAINING_INITIALIZE_H

#include "runtime/checkpoint/Checkpoint.h"
#include "runtime/executor/Executor.h"

namespace modelpar::runtime {

/// Elements [first, first + count) of the parameter's global tensor, row-major. InvalidInput for an unknown kind of
/// initializer.
Status initialValues(const planformat::Parameter &parameter, uint64_t seed, int64_t first, std::span<float> values);

/// Fills a shard of the parameter.
Status initialize(const planformat::Parameter &parameter, uint64_t seed, const TensorView &view);

/// Fills all parameters of the executor's stage: from the checkpoint, or by their initializers when it is null.
Status initializeParameters(Executor &executor, uint64_t seed, const Checkpoint *checkpoint);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_INITIALIZE_H
