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
  // Each op and each crossing is looked at once, not once for every program.
  sortOps();
  sortCrossings();
  addOutputs();
  for (int64_t stage = 0; stage < parts_.numStages(); ++stage)
    for (unsigned part = 0; part < kNumParts; ++part)
      build(stage, static_cast<Part>(part));
}

void ProgramBuilder::sortOps() {
  for (Operation &op : step_.getBody().front()) {
    const Part part = parts_.partOf(&op);
    if (part == Part::Read)
      continue;
    if (!op.hasTrait<OpTrait::IsTerminator>())
      for (int64_t stage : parts_.runsIn(&op))
        programOf(stage, part).ops.push_back(&op);
    for (OpOperand &operand : op.getOpOperands())
      for (int64_t stage : parts_.usedIn(operand))
        addUse(programOf(stage, part), operand.get());
  }
  // The step's inputs are arguments in their order.
  for (BlockArgument argument : step_.getArguments())
    for (Program &program : programs_)
      if (program.inputs.contains(argument)) {
        program.arguments.push_back(argument);
        program.argumentAttrs.push_back(step_.getArgAttrDict(argument.getArgNumber()));
      }
}

void ProgramBuilder::addUse(Program &program, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    program.inputs.insert(argument);
  else if (Operation *op = value.getDefiningOp(); parts_.partOf(op) == Part::Read)
    program.reads.insert(op);
}

/// Arguments: what earlier programs left. Results: what later programs of the stage need.
void ProgramBuilder::sortCrossings() {
  Builder builder(step_.getContext());
  for (auto &[value, crossing] : crossings_.all()) {
    SmallVector<NamedAttribute> attrs{{builder.getStringAttr(kBufferAttr), builder.getStringAttr(crossing.name)}};
    if (!crossing.accumulated)
      attrs.emplace_back(builder.getStringAttr(kPerMicroBatchAttr), builder.getUnitAttr());
    auto dictionary = builder.getDictionaryAttr(attrs);
    for (auto [stage, part] : crossing.arguments) {
      programOf(stage, part).arguments.push_back(value);
      programOf(stage, part).argumentAttrs.push_back(dictionary);
    }
    const Part part = parts_.partOf(value);
    for (int64_t stage : crossing.results) {
      programOf(stage, part).results.push_back(value);
      programOf(stage, part).resultAttrs.push_back(dictionary);
    }
    for (int64_t stage : crossing.receivedIn) {
      programOf(stage, part).received.push_back(value);
      programOf(StageCrossings::peerOfRecv(stage, part), part).sent.push_back(value);
    }
  }
}

/// Of the last update the step's own results.
void ProgramBuilder::addOutputs() {
  Program &last = programOf(parts_.lastStage(), Part::Update);
  for (OpOperand &operand : step_.getBody().front().getTerminator()->getOpOperands()) {
    last.results.push_back(operand.get());
    last.resultAttrs.push_back(step_.getResultAttrDict(operand.getOperandNumber()));
  }
  for (Program &program : programs_)
    for (SmallVector<Attribute> *all : {&program.argumentAttrs, &program.resultAttrs})
      for (Attribute &attrs : *all)
        if (!attrs)
          attrs = DictionaryAttr::get(step_.getContext());
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
  const Program &contents = programOf(stage, part);
  // One stage may have nothing to do backward; of several, each takes its turn.
  if (contents.ops.empty() && part != Part::Update && parts_.numStages() == 1)
    return;
  OpBuilder builder(step_);
  auto type =
      builder.getFunctionType(TypeRange(ValueRange(contents.arguments)), TypeRange(ValueRange(contents.results)));
  std::string programName = "stage" + std::to_string(stage) + "." + name(part).str();
  auto program = func::FuncOp::create(builder, step_.getLoc(), programName, type);
  program->setAttr(kProgramAttr, builder.getStringAttr(name(part)));
  program->setAttr(dist::DistDialect::getStageAttrName(), builder.getI64IntegerAttr(stage));
  program.setArgAttrsAttr(builder.getArrayAttr(contents.argumentAttrs));
  program.setResAttrsAttr(builder.getArrayAttr(contents.resultAttrs));
  IRMapping mapping;
  Block *block = program.addEntryBlock();
  mapping.map(ValueRange(contents.arguments), ValueRange(block->getArguments()));
  builder.setInsertionPointToStart(block);
  if (!contents.received.empty()) {
    auto recv = dist::RecvOp::create(builder, step_.getLoc(), TypeRange(ValueRange(contents.received)),
                                     static_cast<uint64_t>(StageCrossings::peerOfRecv(stage, part)),
                                     namesOf(contents.received));
    mapping.map(ValueRange(contents.received), recv.getResults());
  }
  for (Operation *op : contents.reads)
    builder.clone(*op, mapping);
  for (Operation *op : contents.ops)
    clone(builder, op, stage, mapping);
  if (!contents.sent.empty()) {
    auto sent = llvm::map_to_vector(contents.sent, [&](Value value) { return mapping.lookup(value); });
    dist::SendOp::create(builder, step_.getLoc(), sent, static_cast<uint64_t>(StageCrossings::peerOfSend(stage, part)),
                         namesOf(contents.sent));
  }
  auto returned = llvm::map_to_vector(contents.results, [&](Value value) { return mapping.lookup(value); });
  func::ReturnOp::create(builder, step_.getLoc(), returned);
}
