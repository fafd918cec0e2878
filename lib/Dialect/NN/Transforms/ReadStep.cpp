//===- ReadStep.cpp - what the calls of a step need -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads `@step` and decides which gradients each call needs: activity goes
// forward from the parameters, demand backward from the loss.
//
//===----------------------------------------------------------------------===//

#include "StepGradient.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

static LogicalResult readParameter(Step &step, ReadParameterOp read) {
  if (read.getSlot() != ParameterSlot::value)
    return read.emitError() << "a step that is not differentiated reads the optimizer state of "
                            << read.getParameterAttr();
  StepParameter &parameter = step.parameters[read.getParameterAttr().getAttr()];
  if (!parameter.value) {
    parameter.value = read.getResult();
    step.parameterOfValue[read.getResult()] = read.getParameterAttr().getAttr();
    return success();
  }
  // One value per parameter: its uses can be compared then. The reads are in one block, with no write between.
  read.getResult().replaceAllUsesWith(parameter.value);
  read.erase();
  return success();
}

static LogicalResult readCall(Step &step, func::CallOp call) {
  auto block = step.symbols.lookup<func::FuncOp>(call.getCallee());
  if (!block || block.isDeclaration())
    return call.emitError() << "calls @" << call.getCallee() << ", which has no body";
  if (!block.isPrivate() || !block.getBody().hasOneBlock())
    return block.emitError() << "block @" << call.getCallee() << " is not a private straight-line function";
  for (Operation &op : block.front())
    if (isa<func::CallOp, ReadParameterOp, WriteParameterOp, GradientOp>(op))
      return op.emitError() << "block @" << call.getCallee() << " holds '" << op.getName()
                            << "', expected only computation";
  StepCall &entry = step.calls.emplace_back();
  entry.call = call;
  entry.block = block;
  entry.blockName = call.getCallee();
  return success();
}

LogicalResult nn::readStep(Step &step) {
  func::FuncOp function = step.function;
  if (function.isDeclaration() || !function.getBody().hasOneBlock())
    return function.emitError() << "@step is not a straight-line function";
  auto scalars = function.getNumArguments() ? dyn_cast<RankedTensorType>(function.getArgumentTypes().back()) : nullptr;
  if (!scalars || scalars.getShape() != ArrayRef<int64_t>{kNumScalars} || !scalars.getElementType().isF64())
    return function.emitError() << "the last argument of @step is not the scalars, tensor<" << kNumScalars << "xf64>";
  for (auto parameter : function->getParentOfType<ModuleOp>().getOps<ParameterOp>())
    step.parameters[parameter.getSymNameAttr()].op = parameter;
  for (Operation &op : llvm::make_early_inc_range(function.front().without_terminator())) {
    if (auto read = dyn_cast<ReadParameterOp>(op)) {
      if (failed(readParameter(step, read)))
        return failure();
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      if (failed(readCall(step, call)))
        return failure();
    } else {
      return op.emitError() << "@step holds '" << op.getName()
                            << "', expected only nn.read_parameter, func.call and func.return";
    }
  }
  if (step.terminator().getNumOperands() != 1 || !step.loss().getDefiningOp<func::CallOp>())
    return step.terminator().emitError() << "@step must return one value, the loss, made by a call of a block";
  return success();
}

/// Which operands of each call need a gradient, if the loss depends on them.
static void findActivity(Step &step) {
  std::map<std::pair<Operation *, std::vector<bool>>, std::vector<bool>> known;
  DenseSet<Value> active;
  for (StepCall &entry : step.calls) {
    GradientRequest &request = entry.request;
    for (Value operand : entry.call.getOperands()) {
      bool isParameter = step.parameterOfValue.contains(operand);
      request.kinds.push_back(isParameter                   ? OperandKind::Parameter
                              : isa<BlockArgument>(operand) ? OperandKind::Input
                                                            : OperandKind::Activation);
      request.active.push_back(isParameter || active.contains(operand));
    }
    auto [it, isNew] = known.try_emplace({entry.block, request.active});
    if (isNew)
      it->second = activeResults(entry.block, request.active);
    for (auto [result, isActive] : llvm::zip_equal(entry.call.getResults(), it->second))
      if (isActive)
        active.insert(result);
  }
}

/// Which results of each call have a gradient.
static void findDemand(Step &step) {
  std::map<std::pair<Operation *, std::vector<bool>>, std::vector<bool>> known;
  DenseSet<Value> demanded;
  for (StepCall &entry : llvm::reverse(step.calls)) {
    GradientRequest &request = entry.request;
    std::vector<bool> wanted;
    for (OpResult result : entry.call.getResults()) {
      request.resultGrads.push_back(demanded.contains(result));
      if (result == step.loss())
        request.loss = result.getResultNumber();
      wanted.push_back(request.resultGrads.back() || result == step.loss());
    }
    auto [it, isNew] = known.try_emplace({entry.block, wanted});
    if (isNew)
      it->second = reachedOperands(entry.block, wanted);
    for (auto [i, operand] : llvm::enumerate(entry.call.getOperands())) {
      request.active[i] = request.active[i] && it->second[i];
      if (request.active[i] && request.kinds[i] == OperandKind::Activation)
        demanded.insert(operand);
    }
  }
}

LogicalResult nn::requestGradients(Step &step) {
  findActivity(step);
  findDemand(step);

  // Calls per block and request, both in the order of first use.
  llvm::MapVector<Operation *, std::vector<std::pair<GradientRequest, SmallVector<StepCall *>>>> groups;
  for (StepCall &entry : step.calls) {
    auto &requests = groups[entry.block];
    auto it = llvm::find_if(requests, [&](auto &group) { return group.first == entry.request; });
    if (it == requests.end())
      it = requests.insert(it, {entry.request, {}});
    it->second.push_back(&entry);
  }
  for (auto &[block, requests] : groups) {
    llvm::stable_sort(requests, [](auto &a, auto &b) { return a.second.size() > b.second.size(); });
    // The most frequent request keeps the block.
    Operation *last = block;
    for (auto [i, group] : llvm::enumerate(llvm::drop_begin(requests))) {
      auto clone = cast<func::FuncOp>(block->clone());
      clone.setSymName((cast<func::FuncOp>(block).getSymName() + "." + Twine(i + 1)).str());
      step.symbols.insert(clone, std::next(Block::iterator(last)));
      last = clone;
      for (StepCall *entry : group.second) {
        entry->block = clone;
        entry->blockName = clone.getSymName();
      }
    }
  }
  // Blocks that no call names would stay without a role.
  for (auto function : llvm::make_early_inc_range(step.function->getParentOfType<ModuleOp>().getOps<func::FuncOp>()))
    if (function != step.function && function.isPrivate() &&
        llvm::none_of(step.calls, [&](StepCall &entry) { return entry.block == function; }))
      step.symbols.erase(function);
  return success();
}
