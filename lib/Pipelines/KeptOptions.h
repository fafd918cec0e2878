//===- KeptOptions.h - the options that a printed module keeps ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A resumed file needs no option repeated. Until an option is decided, a module keeps what was asked for in its
// attribute `nn.options`, and an option that is given again takes its place. From the phase that decides it on, types
// and other attributes say it (OptionFacts.h), and an option that is given again must agree with them.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_KEPTOPTIONS_H
#define MODELPAR_LIB_PIPELINES_KEPTOPTIONS_H

#include "modelpar/Pipelines/Compile.h"

#include "mlir/IR/BuiltinOps.h"

namespace modelpar::pipelines {

/// Attribute of modules: what was asked for and is not decided yet, a dictionary of options by their names.
inline constexpr llvm::StringLiteral kOptionsAttr = "nn.options";

/// Fills `options` by what a module of `phase` keeps, and compares what is given again with what the module has
/// decided. `kept` becomes the options that the module asks for, as on a command line. False: `errors` has grown.
bool takeKeptOptions(mlir::ModuleOp module, Phase phase, CompileOptions &options, std::string &kept,
                     std::vector<std::string> &errors);

/// Writes what a module of `phase` has to keep.
void keepOptions(mlir::ModuleOp module, Phase phase, const CompileOptions &options);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_KEPTOPTIONS_H
