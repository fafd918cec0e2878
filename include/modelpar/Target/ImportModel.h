//===- ImportModel.h - a model's text to phase `import` --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one door for models: a JSON graph (docs/ModelFormat.md) or a Hugging Face
// config.json, told apart by their keys. The result is a module of phase `import`
// (docs/Pipeline.md).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TARGET_IMPORTMODEL_H
#define MODELPAR_TARGET_IMPORTMODEL_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelpar::target {

/// What a model's file leaves open.
struct ModelOptions {
  int64_t globalBatch = 8;
  std::optional<int64_t> sequence;  ///< Default: the model's own.
  std::string dtype = "f32";        ///< Of parameters and activations: "f32", or "f64" to check gradients.
  bool dropout = true;              ///< False: rates of the file count as 0.
  std::string optimizer = "adamw";  ///< "adamw" or "sgd"
  std::string fileName = "<model>"; ///< For messages and the model's name.
};

/// Everything wrong with a file, each message starting with the file's name and, where there is one, a JSON pointer.
struct ImportDiagnostics {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

/// Builds the module, or returns null and at least one error. Loads the dialects it needs. Never throws.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, std::string_view text,
                                              const ModelOptions &options, ImportDiagnostics &diagnostics);

} // namespace modelpar::target

#endif // MODELPAR_TARGET_IMPORTMODEL_H
