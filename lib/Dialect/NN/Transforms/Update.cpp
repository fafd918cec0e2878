//===- Update.cpp - the optimizer's part of the step ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names the gradients, takes their norm, and updates each parameter once, by the
// block that is the first to use it.
//
//===----------------------------------------------------------------------===//

#include "StepGradient.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

namespace {

/// Update functions, shared by calls of one block that update the same operands with the same decay.
class UpdateBuilder {
public:
  UpdateBuilder(Step &step, bool adamw) : step(step), adamw(adamw), builder(step.terminator()) {}

  /// The norm before clipping.
  Value addNorm();
  void addCall(StepCall &entry);

private:
  using Signature = std::pair<Operation *, std::vector<std::pair<unsigned, bool>>>;

  ArrayRef<ParameterSlot> slots() const {
    static constexpr ParameterSlot all[] = {ParameterSlot::value, ParameterSlot::exp_avg, ParameterSlot::exp_avg_sq};
    return ArrayRef(all).take_front(adamw ? 3 : 1);
  }
  Type slotType(Value parameter, ParameterSlot slot) {
    auto type = cast<RankedTensorType>(parameter.getType());
    return slot == ParameterSlot::value ? type : type.clone(getStatisticsType(type.getElementType()));
  }
  func::FuncOp createFunction(StepCall &entry, ArrayRef<StepParameter *> owned, TypeRange arguments);

  Step &step;
  const bool adamw;
  OpBuilder builder;
  Value scale;
  DenseSet<StringAttr> updated;
  std::map<Signature, func::FuncOp> functions;
  DenseMap<Operation *, SmallVector<func::FuncOp, 1>> functionsOfBlock;
};

} // namespace

Value UpdateBuilder::addNorm() {
  SmallVector<Value> gradients;
  for (auto &[name, parameter] : step.parameters) {
    GradientOp::create(builder, parameter.op.getLoc(), name, parameter.gradient);
    gradients.push_back(parameter.gradient);
  }
  Location loc = step.function.getLoc();
  Type element = getStatisticsType(getElementTypeOrSelf(gradients.front().getType()));
  auto scalar = RankedTensorType::get({}, element);
  Value sum = SumSquaresOp::create(builder, loc, scalar, gradients);
  auto clip = ClipScaleOp::create(builder, loc, scalar, scalar, sum, step.scalars());
  scale = clip.getScale();
  return clip.getNorm();
}

/// Arguments and results: values of all parameters, then (arguments only) gradients, then each slot of the optimizer
/// state; at the end of the arguments scale and scalars.
func::FuncOp UpdateBuilder::createFunction(StepCall &entry, ArrayRef<StepParameter *> owned, TypeRange arguments) {
  SmallVector<func::FuncOp, 1> &others = functionsOfBlock[entry.block];
  std::string name = entry.blockName + ".update" + (others.empty() ? "" : "." + std::to_string(others.size()));
  func::FuncOp after = entry.gradient->forward;
  for (func::FuncOp function : {entry.gradient->backwardInput, entry.gradient->backwardWeight})
    if (function)
      after = function;
  if (!others.empty())
    after = others.back();
  func::FuncOp function = createRoleFunction(after, name, Role::update, arguments, step.symbols);
  OpBuilder body = OpBuilder::atBlockEnd(&function.front());
  size_t n = owned.size();
  auto argument = [&](size_t group, size_t i) { return function.getArgument(group * n + i); };
  Value scaleArgument = function.getArgument(arguments.size() - 2), scalars = function.getArguments().back();
  SmallVector<Value> results(slots().size() * n);
  for (auto [i, parameter] : llvm::enumerate(owned)) {
    Location loc = parameter->op.getLoc();
    BoolAttr decay = body.getBoolAttr(parameter->op.getWeightDecay());
    Value value = argument(0, i), gradient = argument(1, i);
    if (!adamw) {
      results[i] = SgdOp::create(body, loc, value.getType(), value, gradient, scaleArgument, scalars, decay);
      continue;
    }
    auto op = AdamWOp::create(body, loc, value.getType(), argument(2, i).getType(), argument(3, i).getType(), value,
                              gradient, argument(2, i), argument(3, i), scaleArgument, scalars, decay);
    for (auto [slot, result] : llvm::enumerate(op.getResults()))
      results[slot * n + i] = result;
  }
  finishFunction(function, results);
  others.push_back(function);
  return function;
}

void UpdateBuilder::addCall(StepCall &entry) {
  SmallVector<StepParameter *> owned;
  Signature signature{entry.block, {}};
  for (auto [i, operand] : llvm::enumerate(entry.call.getOperands())) {
    auto it = step.parameterOfValue.find(operand);
    if (it == step.parameterOfValue.end() || !updated.insert(it->second).second)
      continue;
    owned.push_back(&step.parameters[it->second]);
    signature.second.emplace_back(i, owned.back()->op.getWeightDecay());
  }
  if (owned.empty())
    return;

  SmallVector<Value> operands;
  for (StepParameter *parameter : owned)
    operands.push_back(parameter->value);
  for (StepParameter *parameter : owned)
    operands.push_back(parameter->gradient);
  for (ParameterSlot slot : slots().drop_front())
    for (StepParameter *parameter : owned)
      operands.push_back(ReadParameterOp::create(builder, parameter->op.getLoc(), slotType(parameter->value, slot),
                                                 parameter->op.getSymName(), slot));
  operands.push_back(scale);
  operands.push_back(step.scalars());
  func::FuncOp &function = functions[signature];
  if (!function)
    function = createFunction(entry, owned, ValueRange(operands).getTypes());
  auto call = func::CallOp::create(builder, entry.call.getLoc(), function, operands);
  call->setDiscardableAttrs(entry.call->getDiscardableAttrDictionary());
  call->setAttr(kRoleAttr, RoleAttr::get(builder.getContext(), Role::update));
  for (auto [group, slot] : llvm::enumerate(slots()))
    for (auto [i, parameter] : llvm::enumerate(owned))
      WriteParameterOp::create(builder, parameter->op.getLoc(), parameter->op.getSymName(),
                               call.getResult(group * owned.size() + i), slot);
}

LogicalResult nn::buildUpdate(Step &step, StringRef optimizer) {
  if (step.parameters.empty())
    return step.function.emitError() << "the model has no parameters";
  UpdateBuilder update(step, optimizer == "adamw");
  Value norm = update.addNorm();
  for (StepCall &entry : step.calls)
    update.addCall(entry);

  func::FuncOp function = step.function;
  MLIRContext *context = function.getContext();
  Value loss = step.loss();
  DictionaryAttr lossAttributes = function.getResultAttrDict(0);
  finishFunction(function, {loss, norm});
  NamedAttrList named(lossAttributes);
  named.set(kOutputAttr, StringAttr::get(context, "loss"));
  function.setAllResultAttrs(ArrayRef<DictionaryAttr>{
      named.getDictionary(context),
      DictionaryAttr::get(context, NamedAttribute(kOutputAttr, StringAttr::get(context, "grad_norm")))});
  return success();
}
