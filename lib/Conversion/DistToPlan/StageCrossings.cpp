//===- StageCrossings.cpp - values between programs -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StageCrossings.h"

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;

LogicalResult StageCrossings::find() {
  for (Operation &op : step_.getBody().front())
    for (OpOperand &operand : op.getOpOperands())
      if (parts_.partOf(operand.get()) != Part::Read)
        for (int64_t stage : parts_.usedIn(operand))
          if (failed(addUse(operand, stage)))
            return failure();
  nameAll();
  return success();
}

LogicalResult StageCrossings::addUse(OpOperand &operand, int64_t stage) {
  Operation *user = operand.getOwner();
  Value value = operand.get();
  Part from = parts_.partOf(value), to = parts_.partOf(user);
  bool isHere = parts_.madeIn(value).count(stage);
  if (from > to)
    return user->emitOpError() << "needs a value of the " << name(from) << " program in the " << name(to)
                               << " program, which runs before it";
  if (from == to && isHere)
    return success();
  if (to == Part::Update && from != Part::Update && parts_.hasMicroBatches() && !StepParts::isAccumulated(value)) {
    InFlightDiagnostic error =
        user->emitOpError()
        << "uses a value of one micro-batch after the micro-batches, expected dist.accumulate between";
    error.attachNote(value.getLoc()) << "value is defined here";
    return error;
  }
  Crossing &crossing = crossings_[value];
  crossing.accumulated |= to == Part::Update;
  if (isHere) {
    crossing.arguments.insert({stage, to});
    crossing.results.insert(stage);
    return success();
  }
  if (failed(addHops(user, value, stage)))
    return failure();
  if (from != to) // Received by its own part, kept for this one.
    crossing.arguments.insert({stage, to});
  return success();
}

/// The way from the stage that makes the value to the one that needs it.
LogicalResult StageCrossings::addHops(Operation *user, Value value, int64_t stage) {
  Part from = parts_.partOf(value);
  const int64_t source = parts_.madeIn(value).first();
  bool against = from == Part::Forward ? stage < source : stage > source;
  if (from == Part::Update || parts_.partOf(user) == Part::Update || against) {
    InFlightDiagnostic error = user->emitOpError() << "of stage " << stage << " needs a value that the " << name(from)
                                                   << " program of stage " << source << " makes, ";
    if (against)
      error << "expected activations to flow to later stages and gradients to earlier ones";
    else
      error << "expected dist.stage_parts between";
    error.attachNote(value.getLoc()) << "value is defined here";
    return error;
  }
  Crossing &crossing = crossings_[value];
  for (int64_t at = source; at != stage; at = peerOfSend(at, from))
    crossing.receivedIn.insert(peerOfSend(at, from));
  return success();
}

/// The parameter whose gradient a value becomes, or the output of the step: through ops that give one result per
/// operand.
std::string StageCrossings::parameterOrOutputOf(Value value) {
  for (int depth = 0; depth < 6; ++depth) {
    Value next;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (auto gradient = dyn_cast<nn::GradientOp>(user))
        return gradient.getParameter().str() + ".grad";
      if (isa<func::ReturnOp>(user))
        if (auto name = step_.getResultAttrOfType<StringAttr>(use.getOperandNumber(), nn::kOutputAttr))
          return name.str();
      if (auto parts = dyn_cast<dist::StagePartsOp>(user))
        next = parts.getResult();
      else if (isa<dist::DistDialect>(user->getDialect()) && user->getNumOperands() == user->getNumResults())
        next = user->getResult(use.getOperandNumber());
    }
    if (!next)
      break;
    value = next;
  }
  return {};
}

/// Names are unique within a stage: the gradients that several stages add to one parameter have one name.
void StageCrossings::nameAll() {
  std::set<std::pair<int64_t, std::string>> taken;
  unsigned activations = 0, sums = 0;
  for (auto &[value, crossing] : crossings_) {
    const int64_t stage = parts_.madeIn(value).first();
    std::string name;
    if (crossing.accumulated)
      name = parameterOrOutputOf(value);
    if (name.empty() || taken.count({stage, name}))
      name = crossing.accumulated ? "sum." + std::to_string(sums++) : "act." + std::to_string(activations++);
    taken.insert({stage, name});
    crossing.name = name;
  }
}
