//===- StepGradient.cpp - forward and backward calls of the step ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces each call of a block by a call of its forward function, and adds the
// calls of the backward functions in reverse order.
//
//===----------------------------------------------------------------------===//

#include "StepGradient.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

/// A call of `function` with the attributes of `like`, for another role.
static func::CallOp createCall(OpBuilder &builder, func::CallOp like, func::FuncOp function, ValueRange operands,
                               Role role) {
  auto call = func::CallOp::create(builder, like.getLoc(), function, operands);
  call->setDiscardableAttrs(like->getDiscardableAttrDictionary());
  call->setAttr(kRoleAttr, RoleAttr::get(builder.getContext(), role));
  return call;
}

/// Differentiates each block once.
static LogicalResult differentiateBlocks(Step &step) {
  DenseMap<Operation *, BlockGradient *> done;
  for (StepCall &entry : step.calls) {
    BlockGradient *&gradient = done[entry.block];
    if (!gradient) {
      FailureOr<BlockGradient> result = differentiateBlock(entry.block, entry.request, step.symbols);
      if (failed(result))
        return failure();
      gradient = &step.blocks.emplace_back(std::move(*result));
    }
    entry.gradient = gradient;
  }
  return success();
}

static void replaceForwardCall(StepCall &entry) {
  OpBuilder builder(entry.call);
  func::CallOp forward =
      createCall(builder, entry.call, entry.gradient->forward, entry.call.getOperands(), Role::forward);
  entry.call.replaceAllUsesWith(forward.getResults().take_front(entry.call.getNumResults()));
  entry.call.erase();
  entry.call = forward;
}

namespace {

/// Gradients of the step's values, and the backward calls that make them.
class BackwardBuilder {
public:
  BackwardBuilder(Step &step) : step(step), builder(step.terminator()) {}

  void addCalls(StepCall &entry) {
    func::CallOp input, weight;
    auto resolve = [&](const Source &source) -> Value {
      switch (source.kind) {
      case Source::ResultGradient:
        return joined(entry.call.getResult(source.index));
      case Source::ForwardResult:
        return entry.call.getResult(source.index);
      case Source::Operand:
        return entry.call.getOperand(source.index);
      case Source::BackwardInputResult:
        return input.getResult(source.index);
      case Source::BackwardWeightResult:
        return weight.getResult(source.index);
      }
      llvm_unreachable("all kinds are listed");
    };
    auto build = [&](func::FuncOp function, ArrayRef<Source> sources, Role role) -> func::CallOp {
      if (!function)
        return {};
      SmallVector<Value> operands = llvm::map_to_vector(sources, resolve);
      return createCall(builder, entry.call, function, operands, role);
    };
    const BlockGradient &block = *entry.gradient;
    input = build(block.backwardInput, block.inputArguments, Role::backward_input);
    weight = build(block.backwardWeight, block.weightArguments, Role::backward_weight);
    for (auto [operand, source] : llvm::zip_equal(entry.call.getOperands(), block.operandGradients))
      if (source)
        addContribution(operand, resolve(*source));
  }

private:
  void addContribution(Value value, Value gradient) {
    auto parameter = step.parameterOfValue.find(value);
    if (parameter != step.parameterOfValue.end())
      step.parameters[parameter->second].contributions.push_back(gradient);
    else
      contributions[value].push_back(gradient);
  }
  Value joined(Value value) {
    SmallVector<Value> &parts = contributions[value];
    if (parts.size() > 1)
      parts = {buildSum(builder, value.getLoc(), parts)};
    return parts.front();
  }

  Step &step;
  OpBuilder builder;
  DenseMap<Value, SmallVector<Value>> contributions;
};

} // namespace

LogicalResult nn::buildBackward(Step &step) {
  if (failed(differentiateBlocks(step)))
    return failure();
  for (StepCall &entry : step.calls)
    replaceForwardCall(entry);
  BackwardBuilder backward(step);
  for (StepCall &entry : llvm::reverse(step.calls))
    backward.addCalls(entry);
  OpBuilder builder(step.terminator());
  bool isComplete = true;
  for (auto &[name, parameter] : step.parameters) {
    parameter.gradient = buildSum(builder, parameter.op.getLoc(), parameter.contributions);
    if (!parameter.gradient) {
      parameter.op.emitError() << "the loss does not depend on parameter @" << name.getValue();
      isComplete = false;
    }
  }
  return success(isComplete);
}
