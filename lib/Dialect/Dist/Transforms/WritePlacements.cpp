//===- WritePlacements.cpp - decided placements as attributes ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WritePlacements.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::DimSharding;
using sharding::TensorSharding;

namespace {

class Writer {
public:
  Writer(ModuleOp module, const sharding::Mesh &mesh, const ClassAxes &placed, const DimSharding &batchAxes,
         const SequenceParallel *sequence)
      : module(module), mesh(mesh), classes(placed.classes), placed(placed), batchAxes(batchAxes), sequence(sequence) {}

  LogicalResult write();

private:
  /// By the classes, and over the axis of sequence parallelism in `sequenceDim` unless that is -1.
  TensorSharding shardingOf(Value value, int sequenceDim) const;
  bool isSummedOverBatch(Value value) const;
  LogicalResult writeFunction(func::FuncOp function, llvm::DenseMap<StringRef, std::vector<Partials>> &resultPartials);

  ModuleOp module;
  const sharding::Mesh &mesh;
  const FactorClasses &classes;
  const ClassAxes &placed;
  const DimSharding &batchAxes;
  const SequenceParallel *sequence;
};

} // namespace

TensorSharding Writer::shardingOf(Value value, int sequenceDim) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  TensorSharding sharding = TensorSharding::replicated(type ? type.getRank() : 0);
  for (size_t d = 0; d < sharding.dims.size(); ++d)
    sharding.dims[d] = placed.axes[classes.classOf(value, d)];
  if (sequenceDim >= 0)
    sharding.dims[sequenceDim].push_back(sequence->splitOver());
  return sharding;
}

bool Writer::isSummedOverBatch(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  for (int d = 0; type && d < type.getRank(); ++d)
    if (placed.origins[classes.classOf(value, d)] == kBatchOrigin)
      return false;
  return true;
}

/// Shardings of arguments and results. A result that was summed over the batch (a gradient of a parameter, the loss) leaves the
/// function partial, also over the ranks that share its sequence; every other one whole.
LogicalResult Writer::writeFunction(func::FuncOp function,
                                      llvm::DenseMap<StringRef, std::vector<Partials>> &resultPartials) {
  MLIRContext *context = function.getContext();
  llvm::DenseMap<Value, Partials> partials;
  for (BlockArgument argument : function.getArguments())
    function.setArgAttr(argument.getArgNumber(), DistDialect::getShardingAttrName(),
                        makeSharding(context, mesh, shardingOf(argument, sequence ? sequence->dimOfArgument(argument) : -1)));
  for (Operation &op : function.getBody().front()) {
    if (auto rule = dyn_cast<ShardingRuleOpInterface>(op)) {
      auto placed = PlacedOp::get(rule, mesh);
      if (failed(placed))
        return failure();
      std::vector<Partials> operands;
      for (Value operand : op.getOperands())
        operands.push_back(partials.lookup(operand));
      Partials passed = placed->passByPolicy(operands, batchAxes);
      for (auto [i, result] : llvm::enumerate(op.getResults()))
        if (Partials partial = placed->result(i, passed).partial; !partial.empty())
          partials[result] = std::move(partial);
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      for (auto [result, partial] : llvm::zip_equal(call.getResults(), resultPartials[call.getCallee()]))
        if (!partial.empty())
          partials[result] = partial;
    }
  }
  bool isStep = function.getName() == kStepFunction;
  std::vector<Partials> &results = resultPartials[function.getName()];
  for (auto [i, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands())) {
    Partials partial = partials.lookup(value);
    bool overBatch = llvm::any_of(partial, [&](const sharding::PartialAxis &axis) {
      return llvm::is_contained(batchAxes, axis.axis);
    });
    bool sums = llvm::all_of(partial, [](const auto &axis) { return axis.kind == sharding::ReduceKind::Sum; });
    bool leaves = overBatch || (sequence && isSummedOverBatch(value));
    if (isStep || !leaves || !sums)
      partial.clear();
    TensorSharding sharding = shardingOf(value, sequence ? sequence->dimOfResult(function, i, value) : -1);
    sharding.partial = partial;
    function.setResultAttr(i, DistDialect::getShardingAttrName(), makeSharding(context, mesh, sharding));
    results.push_back(std::move(partial));
  }
  return success();
}

LogicalResult Writer::write() {
  MLIRContext *context = module.getContext();
  for (const FactorClasses::OpFactors &factors : classes.ops()) {
    sharding::Placement placement;
    for (auto [i, factor] : llvm::enumerate(factors.rule.factors))
      if (const DimSharding &on = placed.axes[classes.classOf(factors, i)]; !on.empty())
        placement[factor.name] = on;
    if (int factor = sequence ? sequence->factorOf(factors.op) : -1; factor >= 0)
      placement[factors.rule.factors[factor].name].push_back(sequence->splitOver());
    factors.op->setAttr(DistDialect::getPlacementAttrName(), makePlacement(context, mesh, std::move(placement)));
  }
  for (const auto &[name, parameter] : classes.parameters()) {
    TensorSharding storage = TensorSharding::replicated(parameter.type.getRank());
    for (size_t d = 0; d < storage.dims.size(); ++d)
      storage.dims[d] = placed.axes[classes.classOf(parameter, d)];
    parameter.op->setAttr(DistDialect::getStorageAttrName(), makeSharding(context, mesh, storage));
  }
  // Blocks before the step that calls them.
  llvm::DenseMap<StringRef, std::vector<Partials>> resultPartials;
  for (bool step : {false, true})
    for (auto function : module.getOps<func::FuncOp>())
      if ((function.getName() == kStepFunction) == step && failed(writeFunction(function, resultPartials)))
        return failure();
  return success();
}

LogicalResult dist::writePlacements(ModuleOp module, const sharding::Mesh &mesh, const ClassAxes &placed,
                                    const DimSharding &batchAxes, const SequenceParallel *sequence) {
  return Writer(module, mesh, placed, batchAxes, sequence).write();
}
