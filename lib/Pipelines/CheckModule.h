//===- CheckModule.h - the attributes of a module that is handed in -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A printed phase may be edited. What a later phase reads is followed; what only repeats something else in the module
// has to agree with it, so that no edit is without effect.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_CHECKMODULE_H
#define MODELPAR_LIB_PIPELINES_CHECKMODULE_H

#include "modelpar/Pipelines/Phases.h"

#include "mlir/IR/BuiltinOps.h"

namespace modelpar::pipelines {

/// The module has attributes that its phase knows, of the right types, and is not one of a later phase.
mlir::LogicalResult checkModuleAttributes(mlir::ModuleOp module, Phase phase);

/// Attributes that repeat what the module says elsewhere agree with it. What the phase's verifier finds is left to it.
mlir::LogicalResult checkModuleFacts(mlir::ModuleOp module, Phase phase);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_CHECKMODULE_H
