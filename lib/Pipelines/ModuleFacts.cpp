//===- ModuleFacts.cpp - what a compilation asks of its module ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleFacts.h"

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

namespace modelpar::pipelines {

StepInputs stepInputs(mlir::ModuleOp module) {
  StepInputs inputs;
  auto step = module.lookupSymbol<mlir::func::FuncOp>("step");
  for (unsigned i = 0; step && i < step.getNumArguments(); ++i) {
    inputs.hasSequence |= step.getArgAttr(i, "nn.seq_dim") != nullptr;
    auto dim = step.getArgAttrOfType<mlir::IntegerAttr>(i, "nn.batch_dim");
    auto type = llvm::dyn_cast<mlir::RankedTensorType>(step.getArgument(i).getType());
    if (dim && type && !inputs.batch && dim.getInt() >= 0 && dim.getInt() < type.getRank())
      inputs.batch = type.getDimSize(unsigned(dim.getInt()));
  }
  return inputs;
}

/// Operations of the matrix products of one block function, over all factors' global sizes.
static double matrixFlops(mlir::func::FuncOp function) {
  double flops = 0;
  function.walk([&](CostOpInterface op) {
    auto ruled = llvm::dyn_cast<ShardingRuleOpInterface>(op.getOperation());
    if (!ruled || !op.isMatrixOp())
      return;
    double points = 1;
    for (const sharding::Factor &factor : ruled.getShardingRule().factors)
      points *= double(factor.size);
    flops += points * op.getFlopsPerPoint();
  });
  return flops;
}

static constexpr llvm::StringLiteral kModelFlops = "nn.model_flops";

void noteModelFlops(mlir::ModuleOp module) {
  mlir::SymbolTable symbols(module);
  auto step = symbols.lookup<mlir::func::FuncOp>("step");
  if (!step)
    return;
  std::map<std::string, double> perFunction;
  double forward = 0;
  step.walk([&](mlir::func::CallOp call) {
    auto [it, isNew] = perFunction.try_emplace(call.getCallee().str(), 0.0);
    if (auto callee = isNew ? symbols.lookup<mlir::func::FuncOp>(call.getCallee()) : mlir::func::FuncOp())
      it->second = matrixFlops(callee);
    forward += it->second;
  });
  module->setAttr(kModelFlops, mlir::FloatAttr::get(mlir::Float64Type::get(module.getContext()), 3 * forward));
}

SummaryFacts summaryFacts(mlir::ModuleOp module) {
  SummaryFacts facts;
  if (auto flops = module->getAttrOfType<mlir::FloatAttr>(kModelFlops))
    facts.modelFlops = flops.getValueAsDouble();
  facts.sequenceParallel = module->hasAttr("dist.sequence_parallel");
  if (auto schedule = module->getAttrOfType<mlir::StringAttr>(plan::kScheduleAttr))
    facts.schedule = schedule.getValue().str();
  return facts;
}

} // namespace modelpar::pipelines
