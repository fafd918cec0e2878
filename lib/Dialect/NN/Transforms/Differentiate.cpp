//===- Differentiate.cpp - the pass nn-differentiate ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the step and the optimizer; StepGradient.h does the rest.
//
//===----------------------------------------------------------------------===//

#include "StepGradient.h"

namespace modelpar::nn {
#define GEN_PASS_DEF_NNDIFFERENTIATE
#include "modelpar/Dialect/NN/Transforms/Passes.h.inc"
} // namespace modelpar::nn

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

namespace {

struct DifferentiatePass : nn::impl::NNDifferentiateBase<DifferentiatePass> {
  using NNDifferentiateBase::NNDifferentiateBase;

  void runOnOperation() override {
    if (failed(differentiate()))
      signalPassFailure();
  }

private:
  FailureOr<StringRef> chooseOptimizer() {
    ModuleOp module = getOperation();
    StringRef name = optimizer;
    if (name.empty()) {
      auto attribute = module->getAttrOfType<StringAttr>(kOptimizerAttr);
      name = attribute ? attribute.getValue() : "adamw";
    }
    if (name != "adamw" && name != "sgd")
      return module.emitError() << "optimizer is \"" << name << "\", expected adamw or sgd";
    module->setAttr(kOptimizerAttr, StringAttr::get(module.getContext(), name));
    return name;
  }

  LogicalResult differentiate() {
    ModuleOp module = getOperation();
    FailureOr<StringRef> name = chooseOptimizer();
    if (failed(name))
      return failure();
    SymbolTable &symbols = getAnalysis<SymbolTable>();
    auto function = symbols.lookup<func::FuncOp>(kStepFunction);
    if (!function)
      return module.emitError() << "the module has no function @" << kStepFunction;
    Step step(function, symbols);
    if (failed(readStep(step)) || failed(requestGradients(step)) || failed(buildBackward(step)))
      return failure();
    return buildUpdate(step, *name);
  }
};

} // namespace
