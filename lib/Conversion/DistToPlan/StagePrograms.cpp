//===- StagePrograms.cpp - one function per program -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StagePrograms.h"

#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;

void ProgramBuilder::build() {
  for (int64_t stage = 0; stage < parts_.numStages(); ++stage)
    for (unsigned part = 0; part < kNumParts; ++part)
      build(stage, static_cast<Part>(part));
}

ProgramBuilder::Contents ProgramBuilder::contentsOf(int64_t stage, Part part) {
  Contents contents;
  auto need = [&](OpOperand &operand) {
    if (!parts_.usesIn(operand, stage))
      return;
    if (auto argument = dyn_cast<BlockArgument>(operand.get()))
      contents.inputs.insert(argument);
    else if (Operation *op = operand.get().getDefiningOp(); parts_.partOf(op) == Part::Read)
      contents.reads.insert(op);
  };
  Block &body = step_.getBody().front();
  for (Operation &op : body.without_terminator())
    if (parts_.partOf(&op) == part && parts_.runsIn(&op).count(stage)) {
      contents.ops.push_back(&op);
      llvm::for_each(op.getOpOperands(), need);
    }
  if (part == Part::Update && stage == parts_.lastStage())
    llvm::for_each(body.getTerminator()->getOpOperands(), need);
  return contents;
}

void ProgramBuilder::addCrossing(Signature &signature, Value value, const Crossing &crossing, int64_t stage,
                                 Part part) {
  Builder builder(step_.getContext());
  SmallVector<NamedAttribute> attrs{{builder.getStringAttr(kBufferAttr), builder.getStringAttr(crossing.name)}};
  if (!crossing.accumulated)
    attrs.emplace_back(builder.getStringAttr(kPerMicroBatchAttr), builder.getUnitAttr());
  if (crossing.arguments.count({stage, part})) {
    signature.arguments.push_back(value);
    signature.argumentAttrs.push_back(builder.getDictionaryAttr(attrs));
  }
  if (parts_.partOf(value) != part)
    return;
  if (crossing.results.count(stage)) {
    signature.results.push_back(value);
    signature.resultAttrs.push_back(builder.getDictionaryAttr(attrs));
  }
  if (crossing.receivedIn.count(stage))
    signature.received.push_back(value);
  if (crossing.receivedIn.count(StageCrossings::peerOfSend(stage, part)) && part != Part::Update &&
      (crossing.receivedIn.count(stage) || parts_.madeIn(value).count(stage)))
    signature.sent.push_back(value);
}

/// Arguments: the step's inputs in their order, then what earlier programs left. Results: what later programs of the
/// stage need, and of the last update the step's own.
ProgramBuilder::Signature ProgramBuilder::signatureOf(int64_t stage, Part part, const Contents &contents) {
  Block &body = step_.getBody().front();
  Signature signature;
  for (BlockArgument argument : body.getArguments())
    if (contents.inputs.contains(argument)) {
      signature.arguments.push_back(argument);
      signature.argumentAttrs.push_back(step_.getArgAttrDict(argument.getArgNumber()));
    }
  for (auto &[value, crossing] : crossings_.all())
    addCrossing(signature, value, crossing, stage, part);
  if (part == Part::Update && stage == parts_.lastStage())
    for (OpOperand &operand : body.getTerminator()->getOpOperands()) {
      signature.results.push_back(operand.get());
      signature.resultAttrs.push_back(step_.getResultAttrDict(operand.getOperandNumber()));
    }
  for (SmallVector<Attribute> *all : {&signature.argumentAttrs, &signature.resultAttrs})
    for (Attribute &attrs : *all)
      if (!attrs)
        attrs = DictionaryAttr::get(step_.getContext());
  return signature;
}

ArrayAttr ProgramBuilder::namesOf(ArrayRef<Value> values) {
  SmallVector<StringRef> names;
  for (Value value : values)
    names.push_back(crossings_.all().find(value)->second.name);
  return Builder(step_.getContext()).getStrArrayAttr(names);
}

/// Of ops over several stages, what the stage has of them.
void ProgramBuilder::clone(OpBuilder &builder, Operation *op, int64_t stage, IRMapping &mapping) {
  SmallVector<OpOperand *> used;
  for (OpOperand &operand : op->getOpOperands())
    if (parts_.usesIn(operand, stage))
      used.push_back(&operand);
  auto mapped = llvm::map_to_vector(used, [&](OpOperand *operand) { return mapping.lookup(operand->get()); });
  if (auto parts = dyn_cast<dist::StagePartsOp>(op)) {
    SmallVector<int64_t> stages(mapped.size(), stage);
    mapping.map(parts.getResult(),
                dist::StagePartsOp::create(builder, op->getLoc(), parts.getResult().getType(), mapped, stages));
  } else if (used.size() < op->getNumOperands()) { // An all_reduce of values of several stages.
    OperationState state(op->getLoc(), op->getName().getStringRef());
    state.addOperands(mapped);
    state.addAttributes(op->getAttrs());
    for (OpOperand *operand : used)
      state.addTypes(op->getResult(operand->getOperandNumber()).getType());
    Operation *part = builder.create(state);
    for (auto [operand, result] : llvm::zip_equal(used, part->getResults()))
      mapping.map(op->getResult(operand->getOperandNumber()), result);
  } else {
    builder.clone(*op, mapping)->removeAttr(dist::DistDialect::getStageAttrName());
  }
}

void ProgramBuilder::build(int64_t stage, Part part) {
  Contents contents = contentsOf(stage, part);
  Signature signature = signatureOf(stage, part, contents);
  // One stage may have nothing to do backward; of several, each takes its turn.
  if (contents.ops.empty() && part != Part::Update && parts_.numStages() == 1)
    return;
  OpBuilder builder(step_);
  auto type =
      builder.getFunctionType(TypeRange(ValueRange(signature.arguments)), TypeRange(ValueRange(signature.results)));
  std::string programName = "stage" + std::to_string(stage) + "." + name(part).str();
  auto program = func::FuncOp::create(builder, step_.getLoc(), programName, type);
  program->setAttr(kProgramAttr, builder.getStringAttr(name(part)));
  program->setAttr(dist::DistDialect::getStageAttrName(), builder.getI64IntegerAttr(stage));
  program.setArgAttrsAttr(builder.getArrayAttr(signature.argumentAttrs));
  program.setResAttrsAttr(builder.getArrayAttr(signature.resultAttrs));
  IRMapping mapping;
  Block *block = program.addEntryBlock();
  mapping.map(ValueRange(signature.arguments), ValueRange(block->getArguments()));
  builder.setInsertionPointToStart(block);
  if (!signature.received.empty()) {
    auto recv = dist::RecvOp::create(builder, step_.getLoc(), TypeRange(ValueRange(signature.received)),
                                     static_cast<uint64_t>(StageCrossings::peerOfRecv(stage, part)),
                                     namesOf(signature.received));
    mapping.map(ValueRange(signature.received), recv.getResults());
  }
  for (Operation *op : contents.reads)
    builder.clone(*op, mapping);
  for (Operation *op : contents.ops)
    clone(builder, op, stage, mapping);
  if (!signature.sent.empty()) {
    auto sent = llvm::map_to_vector(signature.sent, [&](Value value) { return mapping.lookup(value); });
    dist::SendOp::create(builder, step_.getLoc(), sent, static_cast<uint64_t>(StageCrossings::peerOfSend(stage, part)),
                         namesOf(signature.sent));
  }
  auto returned = llvm::map_to_vector(signature.results, [&](Value value) { return mapping.lookup(value); });
  func::ReturnOp::create(builder, step_.getLoc(), returned);
}
