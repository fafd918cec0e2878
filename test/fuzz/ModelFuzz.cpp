//===- ModelFuzz.cpp - models from strangers -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ImportModel.h"

#include "mlir/IR/MLIRContext.h"

#include <cstdlib>

using namespace modelpar::target;

/// Graphs and configs. Either a module, which then verifies, or an error; both or neither is a bug, as is a module with
/// an error of the verifier (the checks of graphs should find everything first).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  ModelOptions options;
  options.fileName = "fuzz";
  ImportDiagnostics diagnostics;
  auto module =
      importModel(context, std::string_view(reinterpret_cast<const char *>(data), size), options, diagnostics);
  if (static_cast<bool>(module) != diagnostics.errors.empty())
    std::abort();
  for (const std::string &message : diagnostics.errors)
    if (message.find("does not verify") != std::string::npos || message.find("' op ") != std::string::npos)
      std::abort();
  return 0;
}
