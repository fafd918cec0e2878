//===- ModuleFacts.cpp - what a compilation asks of its module ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleFacts.h"

#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

namespace modelpar::pipelines {

StepInputs stepInputs(mlir::ModuleOp module) {
  StepInputs inputs;
  for (auto function : module.getOps<mlir::func::FuncOp>())
    for (mlir::BlockArgument argument : function.getArguments()) {
      const unsigned i = argument.getArgNumber();
      auto type = llvm::dyn_cast<mlir::RankedTensorType>(argument.getType());
      auto size = [&](llvm::StringRef name) -> std::optional<int64_t> {
        auto dim = function.getArgAttrOfType<mlir::IntegerAttr>(i, name);
        if (!dim || !type || dim.getInt() < 0 || dim.getInt() >= type.getRank())
          return std::nullopt;
        return type.getDimSize(unsigned(dim.getInt()));
      };
      if (std::optional<int64_t> batch = size(nn::kBatchDimAttr); batch && !inputs.batch)
        inputs.batch = batch;
      if (std::optional<int64_t> sequence = size(nn::kSequenceDimAttr))
        inputs.sequences.push_back(*sequence);
    }
  return inputs;
}

bool hasSequence(mlir::ModuleOp module) {
  return !stepInputs(module).sequences.empty() || module->hasAttr(plan::kSequenceAttr);
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
  facts.sequenceParallel = module->hasAttr(kSequenceParallel);
  if (auto schedule = module->getAttrOfType<mlir::StringAttr>(plan::kScheduleAttr))
    facts.schedule = schedule.getValue().str();
  return facts;
}

} // namespace modelpar::pipelines
