//===- OptionFacts.h - what a module says about decided options -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The value that an option has in a module that decided it, in the types and attributes that later phases read.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_OPTIONFACTS_H
#define MODELPAR_LIB_PIPELINES_OPTIONFACTS_H

#include "mlir/IR/BuiltinOps.h"

namespace modelpar::pipelines {

struct OptionFact {
  mlir::Attribute value; ///< Null: the module does not say.
  std::string where;     ///< What says so, for messages: `axis "tp" of dist.mesh`.
};

/// A fact may depend on the value that an option is given: several values can mean the same for a module. It is the
/// given value then.
using OptionFactFunction = OptionFact (*)(mlir::ModuleOp module, mlir::Attribute given);

OptionFact globalBatchFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact sequenceFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact dtypeFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact optimizerFact(mlir::ModuleOp module, mlir::Attribute given);
/// Dropout as configured is what the module has, whatever that is; off is a module without it.
OptionFact dropoutFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact meshAxisFact(mlir::ModuleOp module, llvm::StringRef axis);
/// Without tp there is nothing that sequence parallelism would change.
OptionFact sequenceParallelFact(mlir::ModuleOp module, mlir::Attribute given);
/// Sizes that give as many micro-batches are the same: they are made equal.
OptionFact microBatchFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact scheduleFact(mlir::ModuleOp module, mlir::Attribute given);
/// A pin agrees when the parameters that it names are stored so.
OptionFact pinsFact(mlir::ModuleOp module, mlir::Attribute given);
OptionFact gradSyncFact(mlir::ModuleOp module, mlir::Attribute given);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_OPTIONFACTS_H
