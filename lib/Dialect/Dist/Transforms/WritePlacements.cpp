//===- WritePlacements.cpp - decided placements as attributes ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WritePlacements.h"

#include "StepLoop.h"

#include "modelpar/Interfaces/ParameterOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::DimSharding;
using sharding::TensorSharding;

namespace {

class Writer {
public:
  Writer(ModuleOp module, const sharding::Mesh &mesh, const ClassAxes &placed, const SumPolicy &sums,
         const SequenceParallel *sequence)
      : module(module), mesh(mesh), classes(placed.classes), placed(placed), sums(sums), sequence(sequence) {}

  LogicalResult write();

private:
  /// What values of a function, or what crosses its boundary, are partial over.
  using ValuePartials = llvm::DenseMap<Value, Partials>;
  struct Signature {
    func::FuncOp function;
    std::vector<Partials> arguments, results;
  };

  void writeOps();
  void writeStorage();
  void writeFunction(const Signature &signature);

  LogicalResult findSignatures();
  LogicalResult findResults(Signature &signature);
  LogicalResult findResults(ShardingRuleOpInterface op, ValuePartials &partials);
  FailureOr<bool> visitStep(func::FuncOp step, const StepLoop &loop);
  bool mayCross(const Partials &partial) const;
  void dropSplit(Partials &partial, int sequenceDim) const;

  /// By the classes, and over the axes of sequence parallelism in `sequenceDim` unless that is -1.
  TensorSharding shardingOf(Value value, int sequenceDim) const;
  bool isSummedOverBatch(Value value) const;

  ModuleOp module;
  const sharding::Mesh &mesh;
  const FactorClasses &classes;
  const ClassAxes &placed;
  const SumPolicy &sums;
  const SequenceParallel *sequence;
  llvm::StringMap<Signature> signatures;
  llvm::DenseSet<StringRef> called;
};

} // namespace

//===----------------------------------------------------------------------===//
// Shardings
//===----------------------------------------------------------------------===//

TensorSharding Writer::shardingOf(Value value, int sequenceDim) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  TensorSharding sharding = TensorSharding::replicated(type ? type.getRank() : 0);
  for (size_t d = 0; d < sharding.dims.size(); ++d)
    sharding.dims[d] = placed.axes[classes.classOf(value, d)];
  if (sequenceDim >= 0)
    llvm::append_range(sharding.dims[sequenceDim], sequence->splitOver());
  return sharding;
}

bool Writer::isSummedOverBatch(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  for (int d = 0; type && d < type.getRank(); ++d)
    if (placed.origins[classes.classOf(value, d)] == kBatchOrigin)
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// What crosses functions partial
//===----------------------------------------------------------------------===//

LogicalResult Writer::findResults(ShardingRuleOpInterface op, ValuePartials &partials) {
  auto placedOp = PlacedOp::get(op, mesh);
  if (failed(placedOp))
    return failure();
  std::vector<Partials> operands;
  for (Value operand : op->getOperands())
    operands.push_back(partials.lookup(operand));
  Partials passed = placedOp->passByPolicy(operands, sums);
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (Partials partial = placedOp->result(i, passed).partial; !partial.empty())
      partials[result] = std::move(partial);
  return success();
}

static bool areSums(const Partials &partial) {
  return llvm::all_of(partial, [](const auto &axis) { return axis.kind == sharding::ReduceKind::Sum; });
}

/// What stays partial between functions. The gradient of a value that does not depend on the batch (a product of two
/// weights) is a sum over it, which is passed on to the gradients of the parameters behind and leaves the loop there.
/// What is partial over shared axes alone waits for the same.
bool Writer::mayCross(const Partials &partial) const {
  return sums.isShared(partial) || (sums.isOverBatch(partial) && areSums(partial));
}

/// No value is split and partial over one axis.
void Writer::dropSplit(Partials &partial, int sequenceDim) const {
  auto splits = [&](const auto &axis) {
    return llvm::any_of(sequence->splitOver(),
                        [&](const sharding::AxisRef &part) { return sharding::overlap(part, axis.axis); });
  };
  if (sequenceDim >= 0)
    llvm::erase_if(partial, splits);
}

/// A result that was summed over the batch (a gradient of a parameter, the loss) leaves the function partial, also over
/// the ranks that share its sequence; so does what is partial over shared axes alone; every other result is whole. What
/// splits the sequence of a result joins it on the way.
LogicalResult Writer::findResults(Signature &signature) {
  ValuePartials partials;
  for (auto [argument, partial] : llvm::zip_equal(signature.function.getArguments(), signature.arguments))
    if (!partial.empty())
      partials[argument] = partial;
  Block &block = signature.function.getBody().front();
  for (Operation &op : block)
    if (auto rule = dyn_cast<ShardingRuleOpInterface>(op); rule && failed(findResults(rule, partials)))
      return failure();
  signature.results.clear();
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    Partials partial = partials.lookup(value);
    bool leaves = mayCross(partial) || (sequence && isSummedOverBatch(value) && areSums(partial));
    if (!leaves)
      partial.clear();
    dropSplit(partial, sequence ? sequence->dimOfResult(signature.function, i, value) : -1);
    signature.results.push_back(std::move(partial));
  }
  return success();
}

/// One walk over the step: the arguments of the functions that it calls, then their results. True when an argument
/// turned out partial over fewer axes than an earlier call, or an earlier walk, had it.
FailureOr<bool> Writer::visitStep(func::FuncOp step, const StepLoop &loop) {
  bool changed = false;
  ValuePartials partials;
  for (Operation &op : step.getBody().front()) {
    if (auto rule = dyn_cast<ShardingRuleOpInterface>(op); rule && failed(findResults(rule, partials)))
      return failure();
    auto call = dyn_cast<func::CallOp>(op);
    if (!call)
      continue;
    Signature &callee = signatures[call.getCallee()];
    bool isNew = called.insert(callee.function.getName()).second, isStale = isNew;
    for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
      // A gradient of a parameter is joined before the functions after the loop read it.
      Partials partial = partials.lookup(operand);
      if (!mayCross(partial) || (loop.gradients().contains(operand) && !loop.contains(call)))
        partial.clear();
      dropSplit(partial, sequence ? sequence->dimOfArgument(callee.function.getArgument(i)) : -1);
      Partials &argument = callee.arguments[i];
      if (isNew)
        argument = std::move(partial);
      else if (auto lost = llvm::remove_if(argument, [&](auto &axis) { return !llvm::is_contained(partial, axis); });
               lost != argument.end()) {
        argument.erase(lost, argument.end());
        isStale = changed = true;
      }
    }
    if (isStale && failed(findResults(callee)))
      return failure();
    for (auto [result, partial] : llvm::zip_equal(call.getResults(), callee.results))
      if (!partial.empty())
        partials[result] = partial;
  }
  return changed;
}

LogicalResult Writer::findSignatures() {
  func::FuncOp step;
  for (auto function : module.getOps<func::FuncOp>()) {
    Signature &signature = signatures[function.getName()];
    signature.function = function;
    signature.arguments.resize(function.getNumArguments());
    if (function.getName() == kStepFunction)
      step = function;
    else if (failed(findResults(signature)))
      return failure();
  }
  signatures[kStepFunction].results.resize(step.getNumResults());
  const StepLoop loop(step);
  // Arguments only ever lose axes that they are partial over, so this ends.
  for (;;) {
    FailureOr<bool> changed = visitStep(step, loop);
    if (failed(changed) || !*changed)
      return success(succeeded(changed));
  }
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

void Writer::writeOps() {
  for (const FactorClasses::OpFactors &factors : classes.ops()) {
    sharding::Placement placement;
    for (auto [i, factor] : llvm::enumerate(factors.rule.factors))
      if (const DimSharding &on = placed.axes[classes.classOf(factors, i)]; !on.empty())
        placement[factor.name] = on;
    if (int factor = sequence ? sequence->factorOf(factors.op) : -1; factor >= 0)
      llvm::append_range(placement[factors.rule.factors[factor].name], sequence->splitOver());
    factors.op->setAttr(DistDialect::getPlacementAttrName(),
                        makePlacement(module.getContext(), mesh, std::move(placement)));
  }
}

void Writer::writeStorage() {
  for (const auto &[name, parameter] : classes.parameters()) {
    TensorSharding storage = TensorSharding::replicated(parameter.type.getRank());
    for (size_t d = 0; d < storage.dims.size(); ++d)
      storage.dims[d] = placed.axes[classes.classOf(parameter, d)];
    parameter.op->setAttr(DistDialect::getStorageAttrName(), makeSharding(module.getContext(), mesh, storage));
  }
}

void Writer::writeFunction(const Signature &signature) {
  func::FuncOp function = signature.function;
  auto attr = [&](TensorSharding sharding, const Partials &partial) {
    sharding.partial = partial;
    return makeSharding(module.getContext(), mesh, std::move(sharding));
  };
  for (auto [i, argument] : llvm::enumerate(function.getArguments()))
    function.setArgAttr(
        i, DistDialect::getShardingAttrName(),
        attr(shardingOf(argument, sequence ? sequence->dimOfArgument(argument) : -1), signature.arguments[i]));
  for (auto [i, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands()))
    function.setResultAttr(
        i, DistDialect::getShardingAttrName(),
        attr(shardingOf(value, sequence ? sequence->dimOfResult(function, i, value) : -1), signature.results[i]));
}

LogicalResult Writer::write() {
  writeOps();
  writeStorage();
  if (failed(findSignatures()))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    writeFunction(signatures[function.getName()]);
  return success();
}

LogicalResult dist::writePlacements(ModuleOp module, const sharding::Mesh &mesh, const ClassAxes &placed,
                                    const SumPolicy &sums, const SequenceParallel *sequence) {
  return Writer(module, mesh, placed, sums, sequence).write();
}
