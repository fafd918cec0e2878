//===- ImportTesting.h - helpers for tests of the importers ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An import with its context, and what tests ask of the module.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_TARGET_IMPORTTESTING_H
#define MODELPAR_TEST_UNITTESTS_TARGET_IMPORTTESTING_H

#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Target/ImportModel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"

#include <fstream>
#include <sstream>

namespace modelpar::target {

struct Imported {
  explicit Imported(const std::string &text, ModelOptions options = {}) {
    module = importModel(context, text, options, diagnostics);
  }
  static std::string fileText(const std::string &name) {
    std::ifstream file(name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  /// All errors, one a line.
  std::string errors() const {
    std::string text;
    for (const std::string &message : diagnostics.errors)
      text += message + "\n";
    return text;
  }
  int64_t parameterElements() {
    int64_t sum = 0;
    for (auto parameter : module->getOps<nn::ParameterOp>())
      sum += llvm::cast<mlir::RankedTensorType>(parameter.getType()).getNumElements();
    return sum;
  }
  nn::ParameterOp parameter(llvm::StringRef name) { return module->lookupSymbol<nn::ParameterOp>(name); }
  template <typename Op> std::vector<Op> ops() {
    std::vector<Op> found;
    module->walk([&](Op op) { found.push_back(op); });
    return found;
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  ImportDiagnostics diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace modelpar::target

#endif // MODELPAR_TEST_UNITTESTS_TARGET_IMPORTTESTING_H
