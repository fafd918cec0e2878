//===- StepParts.cpp - in which programs each op of @step runs ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StepParts.h"

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;

llvm::StringRef modelpar::name(Part part) {
  constexpr StringLiteral names[kNumParts] = {"forward", "backward", "update"};
  return names[static_cast<unsigned>(part)];
}

Stages modelpar::groupOf(dist::StagePartsOp op, const sharding::Mesh &mesh) {
  Stages stages;
  for (const sharding::PartialAxis &partial :
       dist::getSharding(mesh, cast<RankedTensorType>(op.getResult().getType())).partial) {
    if (partial.axis.name != sharding::kStageAxis)
      continue;
    for (int64_t stage : partial.axis.subset)
      stages.insert(stage);
    for (int64_t stage = 0; partial.axis.subset.empty() && stage < partial.axis.size; ++stage)
      stages.insert(stage);
  }
  return stages;
}

/// Joins stages: every stage of the group has to enter it.
static bool joinsStages(Operation *op) {
  auto reduce = dyn_cast<dist::AllReduceOp>(op);
  return reduce && llvm::any_of(reduce.getAxes().getValue(),
                                [](const sharding::AxisRef &axis) { return axis.name == sharding::kStageAxis; });
}

StepParts::StepParts(func::FuncOp step) : step_(step) {
  if (dist::MeshAttr mesh = dist::getMesh(step_))
    mesh_ = mesh.getValue();
  numStages_ = mesh_.size(sharding::kStageAxis);
  hasMicroBatches_ = mesh_.numMicroBatches() > 1;
  for (int64_t stage = 0; stage < numStages_; ++stage)
    all_.insert(stage);
}

Part StepParts::partOf(Operation *op) const { return isa<func::ReturnOp>(op) ? Part::Update : parts_.lookup(op); }

Part StepParts::partOf(Value value) const {
  Operation *op = value.getDefiningOp();
  return op ? parts_.lookup(op) : Part::Read;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

FailureOr<Part> StepParts::partOfCall(func::CallOp call) {
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

LogicalResult StepParts::assignParts() {
  for (Operation &op : step_.getBody().front().without_terminator()) {
    Part part = Part::Read;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      FailureOr<Part> found = partOfCall(call);
      if (failed(found))
        return failure();
      part = *found;
    } else if (isa<nn::WriteParameterOp, nn::GradientOp, dist::StagePartsOp>(op)) {
      part = Part::Update;
    } else if (!isa<nn::ReadParameterOp>(op)) {
      for (Value operand : op.getOperands())
        part = std::max(part, isAccumulated(operand) ? Part::Update : partOf(operand));
      if (part == Part::Read) // Works on inputs and parameters alone: as early as it can be needed.
        part = Part::Forward;
    }
    parts_[&op] = part;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// In the loop a value is made once: what joins activations where the last of them is, what joins gradients where the
/// first is.
Stages StepParts::madeInLoop(Operation &op) const {
  std::optional<int64_t> stage;
  for (Value operand : op.getOperands()) {
    if (isRead(operand) || madeIn(operand) == all_)
      continue;
    const Stages &from = madeIn(operand);
    int64_t candidate = partOf(&op) == Part::Forward ? from.last() : from.first();
    stage = partOf(&op) == Part::Forward ? std::max(stage.value_or(candidate), candidate)
                                         : std::min(stage.value_or(candidate), candidate);
  }
  return stage ? Stages{*stage} : all_;
}

LogicalResult StepParts::findMadeInUpdate(Operation &op) {
  if (auto parts = dyn_cast<dist::StagePartsOp>(op)) {
    made_[parts.getResult()] = groupOf(parts, mesh_);
    for (auto [part, stage] : llvm::zip_equal(parts.getParts(), parts.getStages()))
      if (!isRead(part) && !madeIn(part).count(stage))
        return op.emitOpError() << "has a part of stage " << stage << " that is made in stage " << madeIn(part).first();
    return success();
  }
  if (isa<dist::AllReduceOp>(op)) {
    for (auto [operand, result] : llvm::zip_equal(op.getOperands(), op.getResults())) {
      Stages stages = isRead(operand) ? all_ : madeIn(operand); // A copy: the map grows.
      made_[result] = std::move(stages);
    }
    return success();
  }
  Stages stages = all_;
  for (Value operand : op.getOperands())
    if (!isRead(operand))
      stages &= madeIn(operand);
  if (stages.empty())
    return op.emitOpError()
           << "needs values of several stages after the micro-batches, expected dist.stage_parts between";
  for (Value result : op.getResults())
    made_[result] = stages;
  if (op.getNumResults() == 0)
    runs_[&op] = stages;
  return success();
}

LogicalResult StepParts::findMade(Operation &op) {
  Part part = parts_.lookup(&op);
  if (part == Part::Read)
    return success();
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto attr = op.getAttrOfType<IntegerAttr>(dist::DistDialect::getStageAttrName());
    int64_t stage = attr ? attr.getInt() : 0;
    if (!all_.count(stage) || (numStages_ > 1 && !attr))
      return op.emitOpError() << "expected attribute \"" << dist::DistDialect::getStageAttrName() << "\" from 0 to "
                              << lastStage();
    for (Value operand : op.getOperands())
      if (part == Part::Update && !isRead(operand) && !madeIn(operand).count(stage))
        return op.emitOpError() << "runs in stage " << stage << " and needs a value of stage "
                                << madeIn(operand).first()
                                << " after the micro-batches, expected dist.stage_parts between";
    for (Value result : op.getResults())
      made_[result] = {stage};
    if (op.getNumResults() == 0)
      runs_[&op] = {stage};
    return success();
  }
  bool isAccumulation = isa<dist::AccumulateOp>(op);
  if (part == Part::Update && !isAccumulation)
    return findMadeInUpdate(op);
  if (isAccumulation) // Of one stage: its other operands are made there too.
    for (Value operand : op.getOperands())
      if (!isRead(operand) && madeIn(operand) != madeIn(op.getOperand(0)))
        return op.emitOpError() << "adds values of stages " << madeIn(op.getOperand(0)).first() << " and "
                                << madeIn(operand).first()
                                << ", expected dist.stage_parts after one accumulation for each";
  Stages stages = madeInLoop(op);
  for (Value result : op.getResults())
    made_[result] = stages;
  if (op.getNumResults() == 0)
    runs_[&op] = stages;
  return success();
}

/// The stages of what uses a value.
Stages StepParts::neededBy(Value value) const {
  Stages needed;
  for (OpOperand &use : value.getUses())
    needed |= usedIn(use);
  return needed;
}

/// Values that several stages can make are made where they are needed; from the last op to the first. What joins stages
/// is made on all.
void StepParts::settle() {
  Block &body = step_.getBody().front();
  runs_[body.getTerminator()] = {lastStage()};
  for (Operation &op : llvm::reverse(body.without_terminator())) {
    if (partOf(&op) == Part::Read)
      continue;
    const bool isFixed = numStages_ == 1 || isa<func::CallOp>(op) || joinsStages(&op);
    Stages &runs = runs_[&op];
    for (Value result : op.getResults()) {
      Stages &made = made_[result];
      if (!isFixed && made.size() > 1)
        made &= neededBy(result);
      runs |= made;
    }
  }
}

Stages StepParts::usedIn(OpOperand &operand) const {
  Operation *op = operand.getOwner();
  if (isa<dist::AllReduceOp>(op)) // One result for each operand; a grouped one has hundreds.
    return madeIn(op->getResult(operand.getOperandNumber()));
  if (auto parts = dyn_cast<dist::StagePartsOp>(op))
    return Stages{parts.getStages()[operand.getOperandNumber()]} &= madeIn(parts.getResult());
  return runsIn(op);
}

LogicalResult StepParts::assign() {
  if (failed(assignParts()))
    return failure();
  for (Operation &op : step_.getBody().front().without_terminator())
    if (failed(findMade(op)))
      return failure();
  settle();
  return success();
}
