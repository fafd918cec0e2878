//===- Stage.cpp - cut @step into programs --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass dist-stage: gives every op of @step to the program that it belongs to, and names
// the values that cross from one program to a later one.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace modelpar {

#define GEN_PASS_DEF_DISTSTAGE
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

using namespace mlir;

namespace {

/// In the order they run for one micro-batch; `Read` ops are copied into every program that uses them.
enum class Part { Read = -1, Forward, Backward, Update };
constexpr unsigned kNumParts = 3;
constexpr StringLiteral kPartNames[kNumParts] = {"forward", "backward", "update"};

class Stager {
public:
  explicit Stager(func::FuncOp step) : step_(step), module_(step->getParentOfType<ModuleOp>()) {}

  LogicalResult run() {
    splitSums();
    if (failed(assignParts()) || failed(findCrossings()))
      return failure();
    nameCrossings();
    for (unsigned part = 0; part < kNumParts; ++part)
      buildProgram(static_cast<Part>(part));
    step_.erase();
    return success();
  }

private:
  struct Crossing {
    std::string name;
    bool accumulated = false;
    bool used[kNumParts] = {};
  };

  void splitSums();
  LogicalResult assignParts();
  FailureOr<Part> partOfCall(func::CallOp call);
  Part partOfValue(Value value) const;
  LogicalResult findCrossings();
  void nameCrossings();
  std::string parameterOrOutputOf(Value value);
  struct Signature {
    SmallVector<Value> arguments, results;
    SmallVector<Attribute> argumentAttrs, resultAttrs;
  };
  Signature signatureOf(Part part, const llvm::SetVector<Value> &inputs);
  void buildProgram(Part part);

  bool isAccumulated(Value value) const { return value.getDefiningOp<dist::AccumulateOp>() != nullptr; }
  Part definingPart(Value value) const {
    Operation *op = value.getDefiningOp();
    return op ? parts_.lookup(op) : Part::Read;
  }

  func::FuncOp step_;
  ModuleOp module_;
  llvm::DenseMap<Operation *, Part> parts_;
  llvm::MapVector<Value, Crossing> crossings_;
};

} // namespace

FailureOr<Part> Stager::partOfCall(func::CallOp call) {
  auto role = call->getAttrOfType<nn::RoleAttr>(nn::kRoleAttr);
  if (!role)
    return call.emitOpError() << "expected attribute \"" << nn::kRoleAttr << "\" on every call of @step";
  switch (role.getValue()) {
  case nn::Role::forward:
    return Part::Forward;
  case nn::Role::backward_input:
  case nn::Role::backward_weight:
    return Part::Backward;
  case nn::Role::update:
    return Part::Update;
  }
  llvm_unreachable("all roles are listed");
}

/// The part that a use of this value belongs to at least: an accumulated value is complete only after all micro-batches.
Part Stager::partOfValue(Value value) const { return isAccumulated(value) ? Part::Update : definingPart(value); }

/// The contributions to the gradient of a shared parameter are added to its sum one by one, as each is made, not first to each other
/// in a temporary of the gradient's size.
void Stager::splitSums() {
  SmallVector<dist::AccumulateOp> all(step_.getOps<dist::AccumulateOp>());
  for (dist::AccumulateOp op : all) {
    SmallVector<Value> contributions;
    SmallVector<nn::SumOp> split;
    for (Value input : op.getInputs()) {
      auto sum = input.getDefiningOp<nn::SumOp>();
      bool same = sum && llvm::all_of(sum->getOperandTypes(), [&](Type type) { return type == input.getType(); });
      if (!same || !input.hasOneUse()) {
        contributions.push_back(input);
        continue;
      }
      llvm::append_range(contributions, sum->getOperands());
      split.push_back(sum);
    }
    if (split.empty())
      continue;
    op->setOperands(contributions);
    for (nn::SumOp sum : split)
      sum->erase();
  }
}

LogicalResult Stager::assignParts() {
  for (Operation &op : step_.getBody().front().without_terminator()) {
    Part part = Part::Read;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      FailureOr<Part> found = partOfCall(call);
      if (failed(found))
        return failure();
      part = *found;
    } else if (isa<nn::WriteParameterOp, nn::GradientOp>(op)) {
      part = Part::Update;
    } else if (!isa<nn::ReadParameterOp>(op)) {
      for (Value operand : op.getOperands())
        part = std::max(part, partOfValue(operand));
      if (part == Part::Read) // Works on inputs and parameters alone: as early as it can be needed.
        part = Part::Forward;
    }
    parts_[&op] = part;
  }
  return success();
}

LogicalResult Stager::findCrossings() {
  bool loops = false;
  if (dist::MeshAttr mesh = dist::getMesh(step_))
    loops = mesh.getValue().numMicroBatches() > 1;
  auto use = [&](Operation *user, Value value, Part part) -> LogicalResult {
    Part from = definingPart(value);
    if (from == Part::Read || from == part)
      return success();
    if (from > part)
      return user->emitOpError() << "needs a value of the " << kPartNames[int(from)] << " program in the "
                                 << kPartNames[int(part)] << " program, which runs before it";
    if (part == Part::Update && loops && !isAccumulated(value)) {
      InFlightDiagnostic error = user->emitOpError()
                                 << "uses a value of one micro-batch after the micro-batches, expected dist.accumulate between";
      error.attachNote(value.getLoc()) << "value is defined here";
      return error;
    }
    Crossing &crossing = crossings_[value];
    crossing.accumulated |= part == Part::Update;
    crossing.used[int(part)] = true;
    return success();
  };
  for (Operation &op : step_.getBody().front()) {
    Part part = isa<func::ReturnOp>(op) ? Part::Update : parts_.lookup(&op);
    for (Value operand : op.getOperands())
      if (failed(use(&op, operand, part)))
        return failure();
  }
  return success();
}

/// The parameter whose gradient a value becomes, or the output of the step: through ops that give one result per operand.
std::string Stager::parameterOrOutputOf(Value value) {
  for (int depth = 0; depth < 4; ++depth) {
    Value next;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (auto gradient = dyn_cast<nn::GradientOp>(user))
        return gradient.getParameter().str() + ".grad";
      if (isa<func::ReturnOp>(user))
        if (auto name = step_.getResultAttrOfType<StringAttr>(use.getOperandNumber(), nn::kOutputAttr))
          return name.str();
      if (user->getDialect() == value.getContext()->getLoadedDialect<dist::DistDialect>() &&
          user->getNumOperands() == user->getNumResults())
        next = user->getResult(use.getOperandNumber());
    }
    if (!next)
      break;
    value = next;
  }
  return {};
}

void Stager::nameCrossings() {
  llvm::StringSet<> taken;
  unsigned activations = 0, sums = 0;
  for (auto &[value, crossing] : crossings_) {
    std::string name;
    if (crossing.accumulated)
      name = parameterOrOutputOf(value);
    if (name.empty() || taken.contains(name))
      name = crossing.accumulated ? "sum." + std::to_string(sums++) : "act." + std::to_string(activations++);
    taken.insert(name);
    crossing.name = name;
  }
}

/// Arguments: the step's inputs in their order, then what earlier programs left. Results: what later programs need, and of the update
/// the step's own.
Stager::Signature Stager::signatureOf(Part part, const llvm::SetVector<Value> &inputs) {
  Block &body = step_.getBody().front();
  Builder builder(step_.getContext());
  StringAttr bufferName = builder.getStringAttr(kBufferAttr);
  auto crossingAttrs = [&](const Crossing &crossing) {
    SmallVector<NamedAttribute> attrs{{bufferName, builder.getStringAttr(crossing.name)}};
    if (!crossing.accumulated)
      attrs.emplace_back(builder.getStringAttr(kPerMicroBatchAttr), builder.getUnitAttr());
    return builder.getDictionaryAttr(attrs);
  };
  Signature signature;
  for (BlockArgument argument : body.getArguments())
    if (inputs.contains(argument)) {
      signature.arguments.push_back(argument);
      signature.argumentAttrs.push_back(step_.getArgAttrDict(argument.getArgNumber()));
    }
  for (auto &[value, crossing] : crossings_) {
    if (crossing.used[int(part)]) {
      signature.arguments.push_back(value);
      signature.argumentAttrs.push_back(crossingAttrs(crossing));
    }
    if (definingPart(value) == part) {
      signature.results.push_back(value);
      signature.resultAttrs.push_back(crossingAttrs(crossing));
    }
  }
  if (part == Part::Update)
    for (OpOperand &operand : body.getTerminator()->getOpOperands()) {
      signature.results.push_back(operand.get());
      signature.resultAttrs.push_back(step_.getResultAttrDict(operand.getOperandNumber()));
    }
  for (SmallVector<Attribute> *all : {&signature.argumentAttrs, &signature.resultAttrs})
    for (Attribute &attrs : *all)
      if (!attrs)
        attrs = builder.getDictionaryAttr({});
  return signature;
}

void Stager::buildProgram(Part part) {
  Block &body = step_.getBody().front();
  SmallVector<Operation *> ops;
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> reads;
  auto need = [&](Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      inputs.insert(argument);
    else if (Operation *op = value.getDefiningOp(); parts_.lookup(op) == Part::Read)
      reads.insert(op);
  };
  for (Operation &op : body.without_terminator())
    if (parts_.lookup(&op) == part) {
      ops.push_back(&op);
      llvm::for_each(op.getOperands(), need);
    }
  bool isUpdate = part == Part::Update;
  if (isUpdate)
    llvm::for_each(body.getTerminator()->getOperands(), need);
  if (ops.empty() && !isUpdate)
    return;

  auto [arguments, results, argumentAttrs, resultAttrs] = signatureOf(part, inputs);
  OpBuilder builder(step_);
  auto type = builder.getFunctionType(TypeRange(ValueRange(arguments)), TypeRange(ValueRange(results)));
  auto program = func::FuncOp::create(builder, step_.getLoc(), ("stage0." + kPartNames[int(part)]).str(), type);
  program->setAttr(kProgramAttr, builder.getStringAttr(kPartNames[int(part)]));
  program->setAttr(kStageAttr, builder.getI64IntegerAttr(0));
  program.setArgAttrsAttr(builder.getArrayAttr(argumentAttrs));
  program.setResAttrsAttr(builder.getArrayAttr(resultAttrs));
  IRMapping mapping;
  Block *block = program.addEntryBlock();
  mapping.map(ValueRange(arguments), ValueRange(block->getArguments()));
  builder.setInsertionPointToStart(block);
  for (Operation *op : reads)
    builder.clone(*op, mapping);
  for (Operation *op : ops)
    builder.clone(*op, mapping);
  SmallVector<Value> returned;
  for (Value value : results)
    returned.push_back(mapping.lookup(value));
  func::ReturnOp::create(builder, step_.getLoc(), returned);
}

namespace {
struct DistStagePass : impl::DistStageBase<DistStagePass> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>(nn::kStepFunction);
    if (!step) {
      getOperation().emitError() << "expected a function @" << nn::kStepFunction;
      return signalPassFailure();
    }
    if (failed(Stager(step).run()))
      signalPassFailure();
  }
};
} // namespace

} // namespace modelpar
