//===- ModuleText.h - modules as text, with the places of their ops -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An op comes from something in the model, its origin (a NameLoc), and when its module was read from a file also from a
// place there. Origins are printed, so that a resumed module has them; places are not, since the next file has its own.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_MODULETEXT_H
#define MODELPAR_LIB_PIPELINES_MODULETEXT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace modelpar::pipelines {

/// Parses and verifies a module; ops keep their origin and get their place in `file`. Null after diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> readModule(mlir::MLIRContext &context, llvm::StringRef text, llvm::StringRef file);

/// The module's text with its origins.
std::string printModule(mlir::ModuleOp module);

/// For the head of a message: "file:line:column: origin: ", of which what is not known is left out.
std::string describe(mlir::Location location);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_MODULETEXT_H
