//===- VerifyDifferentiated.cpp - the pass verify-differentiated ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The conditions D1 to D8 of Passes.td.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/Transforms/Passes.h"
#include "modelpar/Interfaces/ParameterUses.h"

#include "llvm/ADT/MapVector.h"

namespace modelpar::nn {
#define GEN_PASS_DEF_VERIFYDIFFERENTIATED
#include "modelpar/Dialect/NN/Transforms/Passes.h.inc"
} // namespace modelpar::nn

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

namespace {

struct VerifyPass : nn::impl::VerifyDifferentiatedBase<VerifyPass> {
  void runOnOperation() override {
    if (failed(verifyModule()) || failed(verifyStep()) || failed(verifyParameters()))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }

private:
  LogicalResult verifyModule();
  LogicalResult verifyBlock(func::FuncOp function);
  LogicalResult verifyStep();
  LogicalResult verifyCall(func::CallOp call);
  LogicalResult verifyParameters();
  LogicalResult verifyGradients();
  LogicalResult verifyUpdate(WriteParameterOp write, func::CallOp call);

  func::FuncOp step;
  bool adamw = false;
  SumSquaresOp sumSquares;
  ClipScaleOp clip;
  unsigned lastPhase = 0; // Of the calls so far: 0 forward, 1 backward, 2 update.
};

} // namespace

LogicalResult VerifyPass::verifyModule() {
  ModuleOp module = getOperation();
  // D1
  auto optimizer = module->getAttrOfType<StringAttr>(kOptimizerAttr);
  if (!optimizer || (optimizer.getValue() != "adamw" && optimizer.getValue() != "sgd"))
    return module.emitError() << "the module has no " << kOptimizerAttr << ", expected \"adamw\" or \"sgd\"";
  adamw = optimizer.getValue() == "adamw";
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.getSymName() == kStepFunction)
      step = function;
    else if (!function.isPrivate())
      return function.emitError() << "function @" << function.getSymName() << " is public, expected @" << kStepFunction
                                  << " alone";
    else if (failed(verifyBlock(function)))
      return failure();
  }
  // D3
  if (!step || !step.isPublic() || step.isDeclaration())
    return module.emitError() << "the module has no public function @" << kStepFunction;
  if (!step.getBody().hasOneBlock())
    return step.emitError() << "function @" << kStepFunction << " is not straight-line";
  return success();
}

LogicalResult VerifyPass::verifyBlock(func::FuncOp function) {
  // D2
  if (!function->getAttrOfType<RoleAttr>(kRoleAttr))
    return function.emitError() << "function @" << function.getSymName() << " has no " << kRoleAttr;
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "function @" << function.getSymName() << " is not straight-line";
  for (Operation &op : function.front())
    if (isa<func::CallOp, ReadParameterOp, WriteParameterOp, GradientOp>(op))
      return op.emitError() << "function @" << function.getSymName() << " holds '" << op.getName()
                            << "', expected only computation";
  return success();
}

LogicalResult VerifyPass::verifyCall(func::CallOp call) {
  auto callee = getAnalysis<SymbolTable>().lookup<func::FuncOp>(call.getCallee());
  auto role = callee ? callee->getAttrOfType<RoleAttr>(kRoleAttr) : RoleAttr();
  // D3
  if (!role || call->getAttr(kRoleAttr) != role)
    return call.emitError() << "the call's " << kRoleAttr << " is not that of @" << call.getCallee();
  // D7
  unsigned phase = role.getValue() == Role::forward ? 0 : role.getValue() == Role::update ? 2 : 1;
  if (phase < lastPhase)
    return call.emitError() << "a call of role " << stringifyRole(role.getValue()) << " comes after one of role "
                            << (lastPhase == 2 ? "update" : "backward_input or backward_weight");
  lastPhase = phase;
  return success();
}

LogicalResult VerifyPass::verifyStep() {
  // D3
  for (Operation &op : step.front().without_terminator()) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      if (failed(verifyCall(call)))
        return failure();
    } else if (auto sum = dyn_cast<SumSquaresOp>(op); sum && !sumSquares) {
      sumSquares = sum;
    } else if (auto scale = dyn_cast<ClipScaleOp>(op); scale && !clip) {
      clip = scale;
    } else if (!isa<ReadParameterOp, WriteParameterOp, GradientOp, SumOp>(op)) {
      return op.emitError() << "@step holds '" << op.getName()
                            << "', expected parameter ops, calls, nn.sum, one nn.sum_squares and one nn.clip_scale";
    }
  }
  if (!sumSquares || !clip || clip.getSumSquares() != sumSquares.getResult())
    return step.emitError() << "@step has no nn.sum_squares whose result goes to an nn.clip_scale";
  // D4
  Operation *terminator = step.front().getTerminator();
  static constexpr StringLiteral names[] = {"loss", "grad_norm"};
  if (terminator->getNumOperands() != 2 || terminator->getOperand(1) != clip.getNorm())
    return terminator->emitError() << "@step must return the loss and the norm of nn.clip_scale";
  for (auto [i, name] : llvm::enumerate(names)) {
    auto output = step.getResultAttrOfType<StringAttr>(i, kOutputAttr);
    if (!output || output.getValue() != name)
      return step.emitError() << "result #" << i << " of @step is not named " << kOutputAttr << " = \"" << name << "\"";
  }
  return success();
}

LogicalResult VerifyPass::verifyGradients() {
  // D5. Parameters may share a gradient (of their sum); then its square counts once for each.
  DenseMap<Value, int> missing;
  DenseSet<StringAttr> named;
  for (auto gradient : step.getOps<GradientOp>()) {
    if (!named.insert(gradient.getParameterAttr().getAttr()).second)
      return gradient.emitError() << "parameter " << gradient.getParameterAttr() << " has a second nn.gradient";
    ++missing[gradient.getValue()];
  }
  for (auto [i, value] : llvm::enumerate(sumSquares.getInputs()))
    if (--missing[value] < 0)
      return sumSquares.emitError() << "operand #" << i << " is not the nn.gradient of a parameter, or counted twice";
  for (auto gradient : step.getOps<GradientOp>())
    if (missing[gradient.getValue()] > 0)
      return gradient.emitError() << "the gradient of " << gradient.getParameterAttr()
                                  << " is not an operand of nn.sum_squares";
  for (auto parameter : getOperation().getOps<ParameterOp>())
    if (!named.contains(parameter.getSymNameAttr()))
      return parameter.emitError() << "parameter @" << parameter.getSymName() << " has no nn.gradient";
  return success();
}

LogicalResult VerifyPass::verifyParameters() {
  if (failed(verifyGradients()))
    return failure();
  // D6
  DenseSet<std::pair<StringAttr, unsigned>> written;
  for (auto write : step.getOps<WriteParameterOp>()) {
    auto call = write.getValue().getDefiningOp<func::CallOp>();
    auto role = call ? call->getAttrOfType<RoleAttr>(kRoleAttr) : RoleAttr();
    if (!role || role.getValue() != Role::update)
      return write.emitError() << "writes " << write.getParameterAttr()
                               << " with a value that is not a result of a call of role update";
    if (!written.insert({write.getParameterAttr().getAttr(), static_cast<unsigned>(write.getSlot())}).second)
      return write.emitError() << "writes " << stringifyParameterSlot(write.getSlot()) << " of "
                               << write.getParameterAttr() << " a second time";
    if (failed(verifyUpdate(write, call)))
      return failure();
  }
  for (auto parameter : getOperation().getOps<ParameterOp>())
    for (unsigned slot = 0; slot < (adamw ? 3u : 1u); ++slot)
      if (!written.contains({parameter.getSymNameAttr(), slot}))
        return parameter.emitError() << stringifyParameterSlot(static_cast<ParameterSlot>(slot)) << " of parameter @"
                                     << parameter.getSymName() << " is never written";
  return verifyParameterUses({&step.front()}); // D8
}

/// What the op that makes a result writes it over, followed to the operands of the call.
static SmallVector<Value> updatedOperands(func::FuncOp callee, func::CallOp call, unsigned result) {
  SmallVector<Value> operands;
  auto returned = dyn_cast<OpResult>(callee.front().getTerminator()->getOperand(result));
  if (auto op = returned ? dyn_cast<InPlaceOpInterface>(returned.getOwner()) : InPlaceOpInterface())
    for (unsigned index : op.getInPlaceOperands(returned.getResultNumber()))
      if (auto argument = dyn_cast<BlockArgument>(op->getOperand(index)))
        operands.push_back(call.getOperand(argument.getArgNumber()));
  return operands;
}

LogicalResult VerifyPass::verifyUpdate(WriteParameterOp write, func::CallOp call) {
  // D8
  auto callee = getAnalysis<SymbolTable>().lookup<func::FuncOp>(call.getCallee());
  for (Value value : updatedOperands(callee, call, cast<OpResult>(write.getValue()).getResultNumber()))
    if (auto read = value.getDefiningOp<ReadParameterOp>();
        read && read.getParameterAttr() == write.getParameterAttr() && read.getSlot() == write.getSlot())
      return success();
  return write.emitError() << "writes " << stringifyParameterSlot(write.getSlot()) << " of " << write.getParameterAttr()
                           << " with a result that @" << call.getCallee() << " does not make from it";
}
