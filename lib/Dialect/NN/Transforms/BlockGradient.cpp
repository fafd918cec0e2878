//===- BlockGradient.cpp - differentiation of one block function ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The gradient ops are built behind the forward ops in one body, then moved into
// functions of their own; what a moved op uses from elsewhere becomes an argument.
//
//===----------------------------------------------------------------------===//

#include "BlockGradient.h"

#include "llvm/ADT/MapVector.h"

#include <set>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

/// Adds the floating-point results of `op` when an operand is active.
static void propagateActivity(Operation *op, DenseSet<Value> &active) {
  if (llvm::none_of(op->getOperands(), [&](Value value) { return active.contains(value); }))
    return;
  for (Value result : op->getResults())
    if (isa<FloatType>(getElementTypeOrSelf(result.getType())))
      active.insert(result);
}

/// For each value whether it is in the set.
static std::vector<bool> membership(ValueRange values, const DenseSet<Value> &set) {
  std::vector<bool> flags;
  for (Value value : values)
    flags.push_back(set.contains(value));
  return flags;
}

std::vector<bool> nn::activeResults(func::FuncOp block, const std::vector<bool> &activeOperands) {
  DenseSet<Value> active;
  for (auto [argument, isActive] : llvm::zip_equal(block.getArguments(), activeOperands))
    if (isActive)
      active.insert(argument);
  for (Operation &op : block.front().without_terminator())
    propagateActivity(&op, active);
  return membership(block.front().getTerminator()->getOperands(), active);
}

std::vector<bool> nn::reachedOperands(func::FuncOp block, const std::vector<bool> &results) {
  DenseSet<Value> reached;
  for (auto [value, isWanted] : llvm::zip_equal(block.front().getTerminator()->getOperands(), results))
    if (isWanted)
      reached.insert(value);
  auto isReached = [&](Value value) { return reached.contains(value); };
  for (Operation &op : llvm::reverse(block.front().without_terminator()))
    if (llvm::any_of(op.getResults(), isReached))
      reached.insert(op.operand_begin(), op.operand_end());
  return membership(block.getArguments(), reached);
}

func::FuncOp nn::createRoleFunction(func::FuncOp after, StringRef name, Role role, TypeRange arguments,
                                    SymbolTable &symbols) {
  MLIRContext *context = after.getContext();
  OpBuilder builder(context);
  auto function =
      func::FuncOp::create(builder, after.getLoc(), name, FunctionType::get(context, arguments, TypeRange{}));
  function.setPrivate();
  function->setAttr(kRoleAttr, RoleAttr::get(context, role));
  symbols.insert(function, std::next(Block::iterator(after)));
  function.addEntryBlock();
  return function;
}

void nn::finishFunction(func::FuncOp function, ValueRange results) {
  Block &body = function.front();
  OpBuilder builder = OpBuilder::atBlockEnd(&body);
  if (body.mightHaveTerminator())
    body.getTerminator()->erase();
  func::ReturnOp::create(builder, function.getLoc(), results);
  function.setType(FunctionType::get(function.getContext(), body.getArgumentTypes(), results.getTypes()));
}

namespace {

/// Contributions to the gradients of values, joined when they are asked for.
class GradientMap {
public:
  void add(Value value, Value gradient) { contributions[value].push_back(gradient); }
  /// The gradient of `value`, or null when there is none.
  Value get(OpBuilder &builder, Location loc, Value value) {
    auto it = contributions.find(value);
    if (it == contributions.end())
      return {};
    if (it->second.size() > 1)
      it->second = {buildSum(builder, loc, it->second)};
    return it->second.front();
  }

private:
  DenseMap<Value, SmallVector<Value, 2>> contributions;
};

class BlockDifferentiator {
public:
  BlockDifferentiator(func::FuncOp block, const GradientRequest &request, SymbolTable &symbols)
      : block(block), request(request), symbols(symbols), body(block.front()), numOperands(block.getNumArguments()),
        name(block.getSymName()) {}

  FailureOr<BlockGradient> run();

private:
  LogicalResult checkLoss(Operation *op);
  LogicalResult buildGradients();
  LogicalResult differentiate(Operation *op, OpBuilder &builder);
  std::vector<Operation *> takeSlice(OperandKind kind);
  Source sourceOf(Value value);
  std::vector<Source> sourcesOf(ArrayRef<Operation *> ops, ArrayRef<Value> results);
  func::FuncOp moveOps(ArrayRef<Operation *> ops, ArrayRef<Source> arguments, ArrayRef<Value> results,
                       func::FuncOp after, StringRef suffix, Role role);
  void assignGradient(unsigned operand, Source::Kind kind, std::vector<Value> &results);
  void ownGradients(OpBuilder &builder);

  func::FuncOp block;
  const GradientRequest &request;
  SymbolTable &symbols;
  Block &body;
  const unsigned numOperands;
  const std::string name; // Of the block, before it becomes the forward function.

  GradientMap gradients;
  DenseSet<Value> active;
  SmallVector<unsigned> gradResults;   // Result of the block per gradient argument behind the operands.
  std::vector<Value> operandGradients; // Per operand, or null.
  std::vector<Value> forwardResults;   // The block's, then saved values.
  std::vector<Value> inputResults;     // Of backward_input: gradients, then what backward_weight needs.
  SetVector<Operation *> gradientOps;  // Not yet in a slice.
  DenseSet<Operation *> inputOps;      // Those in backward_input.
  BlockGradient result;
};

} // namespace

/// The op whose result is the loss must be one that starts gradients.
LogicalResult BlockDifferentiator::checkLoss(Operation *op) {
  auto differentiable = dyn_cast_if_present<DifferentiableOpInterface>(op);
  if (differentiable && differentiable.isLoss())
    return success();
  if (!op)
    return block.emitError() << "the loss is an argument of @" << name << ", expected a result of nn.token_loss or "
                             << "nn.squared_error";
  return op->emitError() << "the loss is a result of '" << op->getName()
                         << "', expected one of nn.token_loss or nn.squared_error";
}

LogicalResult BlockDifferentiator::differentiate(Operation *op, OpBuilder &builder) {
  bool isLoss = request.loss >= 0 && forwardResults[request.loss].getDefiningOp() == op;
  SmallVector<Value> resultGrads;
  for (Value value : op->getResults())
    resultGrads.push_back(gradients.get(builder, op->getLoc(), value));
  if (!isLoss && llvm::none_of(resultGrads, [](Value value) { return static_cast<bool>(value); }))
    return success();
  SmallVector<bool> needed;
  for (Value value : op->getOperands())
    needed.push_back(active.contains(value));
  if (!llvm::is_contained(needed, true))
    return success();
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op->emitError() << "the loss depends on '" << op->getName() << "', which is not differentiable";
  SmallVector<Value> operandGrads = differentiable.buildGradient(builder, resultGrads, needed);
  if (operandGrads.size() != op->getNumOperands())
    return failure(); // The op said why.
  for (auto [operand, isNeeded, gradient] : llvm::zip_equal(op->getOperands(), needed, operandGrads))
    if (isNeeded && gradient)
      gradients.add(operand, gradient);
  return success();
}

/// The gradient of a parameter is made by the block that uses it, also where it is a result's unchanged (of a sum of
/// two parameters): the block may run in another stage than what uses its result.
void BlockDifferentiator::ownGradients(OpBuilder &builder) {
  DenseMap<Value, Value> own;
  for (auto [kind, gradient] : llvm::zip_equal(request.kinds, operandGradients)) {
    if (kind != OperandKind::Parameter || !isa_and_present<BlockArgument>(gradient))
      continue;
    Value &copy = own[gradient];
    if (!copy)
      copy = SumOp::create(builder, block.getLoc(), gradient.getType(), ValueRange{gradient});
    gradient = copy;
  }
}

/// Builds all gradient ops behind the forward ops.
LogicalResult BlockDifferentiator::buildGradients() {
  Operation *terminator = body.getTerminator();
  llvm::append_range(forwardResults, terminator->getOperands());
  for (auto [argument, isActive] : llvm::zip_equal(block.getArguments(), request.active))
    if (isActive)
      active.insert(argument);
  SmallVector<Operation *> forwardOps;
  for (Operation &op : body.without_terminator()) {
    forwardOps.push_back(&op);
    propagateActivity(&op, active);
  }
  if (request.loss >= 0 && failed(checkLoss(forwardResults[request.loss].getDefiningOp())))
    return failure();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    if (!request.resultGrads[i])
      continue;
    gradResults.push_back(i);
    gradients.add(value, body.addArgument(value.getType(), value.getLoc()));
  }

  OpBuilder builder(terminator);
  for (Operation *op : llvm::reverse(forwardOps))
    if (failed(differentiate(op, builder)))
      return failure();
  for (unsigned i = 0; i < numOperands; ++i)
    operandGradients.push_back(request.active[i] ? gradients.get(builder, block.getLoc(), body.getArgument(i))
                                                 : Value());
  ownGradients(builder);
  Operation *first = forwardOps.empty() ? &body.front() : forwardOps.back()->getNextNode();
  for (Operation *op = first; op != terminator; op = op->getNextNode())
    gradientOps.insert(op);
  return success();
}

/// Takes the gradient ops that gradients of operands of this kind depend on, in order.
std::vector<Operation *> BlockDifferentiator::takeSlice(OperandKind kind) {
  DenseSet<Operation *> slice;
  SmallVector<Operation *> work;
  auto visit = [&](Value value) {
    Operation *op = value ? value.getDefiningOp() : nullptr;
    if (op && gradientOps.contains(op) && slice.insert(op).second)
      work.push_back(op);
  };
  for (unsigned i = 0; i < numOperands; ++i)
    if (request.kinds[i] == kind)
      visit(operandGradients[i]);
  while (!work.empty())
    for (Value operand : work.pop_back_val()->getOperands())
      visit(operand);
  std::vector<Operation *> ops;
  llvm::copy_if(gradientOps, std::back_inserter(ops), [&](Operation *op) { return slice.contains(op); });
  gradientOps.remove_if([&](Operation *op) { return slice.contains(op); });
  return ops;
}

static unsigned indexIn(std::vector<Value> &values, Value value) {
  auto it = llvm::find(values, value);
  unsigned index = it - values.begin();
  if (it == values.end())
    values.push_back(value);
  return index;
}

/// Where the step finds a value that a backward function uses. A value of the forward function becomes a saved one,
/// unless the step has it already.
Source BlockDifferentiator::sourceOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    if (number < numOperands)
      return {Source::Operand, number};
    return {Source::ResultGradient, gradResults[number - numOperands]};
  }
  if (inputOps.contains(value.getDefiningOp()))
    return {Source::BackwardInputResult, indexIn(inputResults, value)};
  return {Source::ForwardResult, indexIn(forwardResults, value)};
}

/// The values from outside that `ops` use.
std::vector<Source> BlockDifferentiator::sourcesOf(ArrayRef<Operation *> ops, ArrayRef<Value> results) {
  DenseSet<Value> inside;
  std::set<Source> sources;
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (!inside.contains(operand))
        sources.insert(sourceOf(operand));
    inside.insert(op->result_begin(), op->result_end());
  }
  return {sources.begin(), sources.end()};
}

/// Moves `ops` to a new function.
func::FuncOp BlockDifferentiator::moveOps(ArrayRef<Operation *> ops, ArrayRef<Source> arguments,
                                          ArrayRef<Value> results, func::FuncOp after, StringRef suffix, Role role) {
  auto valueOf = [&](const Source &source) -> Value {
    switch (source.kind) {
    case Source::ResultGradient:
      return body.getArgument(numOperands + (llvm::find(gradResults, source.index) - gradResults.begin()));
    case Source::ForwardResult:
      return forwardResults[source.index];
    case Source::Operand:
      return body.getArgument(source.index);
    case Source::BackwardInputResult:
      return inputResults[source.index];
    case Source::BackwardWeightResult:
      break;
    }
    llvm_unreachable("no function takes a result of backward_weight");
  };
  SmallVector<Type> types;
  for (const Source &source : arguments)
    types.push_back(valueOf(source).getType());
  func::FuncOp function = createRoleFunction(after, name + suffix.str(), role, types, symbols);
  DenseMap<Value, Value> mapping;
  for (auto [i, source] : llvm::enumerate(arguments)) {
    mapping[valueOf(source)] = function.getArgument(i);
    if (source.kind == Source::Operand)
      if (DictionaryAttr attributes = block.getArgAttrDict(source.index))
        function.setArgAttrs(i, attributes);
  }
  for (Operation *op : ops) {
    op->moveBefore(&function.front(), function.front().end());
    for (OpOperand &operand : op->getOpOperands())
      if (Value mapped = mapping.lookup(operand.get()))
        operand.set(mapped);
  }
  finishFunction(function, results);
  return function;
}

/// Notes where the gradient of an operand is found; `results` are those of the function that this kind of operand has.
void BlockDifferentiator::assignGradient(unsigned operand, Source::Kind kind, std::vector<Value> &results) {
  Value value = operandGradients[operand];
  if (isa<BlockArgument>(value) || (kind == Source::BackwardWeightResult && inputOps.contains(value.getDefiningOp())))
    result.operandGradients[operand] = sourceOf(value);
  else
    result.operandGradients[operand] = Source{kind, indexIn(results, value)};
}

FailureOr<BlockGradient> BlockDifferentiator::run() {
  if (failed(buildGradients()))
    return failure();
  std::vector<Operation *> forInput = takeSlice(OperandKind::Activation);
  std::vector<Operation *> forWeight = takeSlice(OperandKind::Parameter);
  for (Operation *op : llvm::reverse(gradientOps.takeVector()))
    op->erase(); // Nothing uses them.
  inputOps.insert(forInput.begin(), forInput.end());

  result.operandGradients.resize(numOperands);
  std::vector<Value> weightResults;
  for (unsigned i = 0; i < numOperands; ++i)
    if (operandGradients[i] && request.kinds[i] == OperandKind::Activation)
      assignGradient(i, Source::BackwardInputResult, inputResults);
  for (unsigned i = 0; i < numOperands; ++i)
    if (operandGradients[i] && request.kinds[i] == OperandKind::Parameter)
      assignGradient(i, Source::BackwardWeightResult, weightResults);

  // All sources first: they decide which values are saved, and what backward_input returns.
  result.inputArguments = sourcesOf(forInput, inputResults);
  result.weightArguments = sourcesOf(forWeight, weightResults);
  // backward_weight is moved first: its uses of values of backward_input must be seen where they are.
  result.forward = block;
  if (!weightResults.empty())
    result.backwardWeight =
        moveOps(forWeight, result.weightArguments, weightResults, block, ".backward_weight", Role::backward_weight);
  if (!inputResults.empty())
    result.backwardInput =
        moveOps(forInput, result.inputArguments, inputResults, block, ".backward_input", Role::backward_input);

  body.eraseArguments(numOperands, body.getNumArguments() - numOperands);
  finishFunction(block, forwardResults);
  symbols.remove(block);
  block.setSymName(name + ".forward");
  symbols.insert(block);
  block->setAttr(kRoleAttr, RoleAttr::get(block.getContext(), Role::forward));
  return std::move(result);
}

FailureOr<BlockGradient> nn::differentiateBlock(func::FuncOp block, const GradientRequest &request,
                                                SymbolTable &symbols) {
  return BlockDifferentiator(block, request, symbols).run();
}
