//===- Storage.cpp - which values of a function share bytes ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In-place decisions on the list order of one straight-line body. Events keep them true
// across streams: an overwriting instruction waits for all earlier accesses.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/Storage.h"

#include "modelpar/Interfaces/InPlaceOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"

using namespace mlir;
using namespace modelpar;

/// True when `op` uses the value once and nothing uses it later.
static bool diesIn(Value value, Operation *op) {
  unsigned usesHere = 0;
  for (Operation *user : value.getUsers()) {
    if (user == op)
      ++usesHere;
    else if (!user->isBeforeInBlock(op))
      return false;
  }
  return usesHere == 1;
}

/// The argument that an op's result may be written over, -1 without one. The result must be the first value in its
/// bytes: had it joined a local operand's slot, that operand would be written over the argument too early. Collectives
/// read the argument on another stream, and events inside the block do not know that the bytes are the same.
static int updatedArgument(Tensors &tensors, InPlaceOpInterface op, OpResult result) {
  int found = -1;
  for (unsigned operand : op.getInPlaceOperands(result.getResultNumber())) {
    if (operand >= op->getNumOperands())
      continue;
    Value value = op->getOperand(operand);
    if (!tensors.sameLayout(value.getType(), result.getType()) || !diesIn(value, op))
      continue;
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument)
      return -1;
    bool communicated =
        llvm::any_of(argument.getUsers(), [](Operation *user) { return !isa<ShardingRuleOpInterface>(user); });
    if (found < 0 && !communicated)
      found = static_cast<int>(argument.getArgNumber());
  }
  return found;
}

UpdatedArguments modelpar::findUpdatedArguments(Tensors &tensors, func::FuncOp function) {
  Operation *terminator = function.getBody().front().getTerminator();
  UpdatedArguments updated(terminator->getNumOperands(), -1);
  for (OpOperand &returned : terminator->getOpOperands()) {
    auto result = dyn_cast<OpResult>(returned.get());
    if (auto op = result ? dyn_cast<InPlaceOpInterface>(result.getOwner()) : InPlaceOpInterface())
      updated[returned.getOperandNumber()] = updatedArgument(tensors, op, result);
  }
  return updated;
}

Contributions modelpar::findContributions(Tensors &tensors, dist::AccumulateOp op) {
  Contributions result;
  auto isLocal = [](Value value) { return value.getDefiningOp() != nullptr; };
  result.values.assign(op.getInputs().begin(), op.getInputs().end());
  llvm::stable_sort(result.values, [&](Value a, Value b) {
    if (!isLocal(a) || !isLocal(b))
      return isLocal(a) && !isLocal(b);
    return a.getDefiningOp() != b.getDefiningOp() && a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
  });
  Value first = result.values.front();
  result.firstIsDirect = tensors.mesh().numMicroBatches() == 1 && isLocal(first) && first.hasOneUse() &&
                         !isa<dist::AccumulateOp>(first.getDefiningOp()) &&
                         tensors.sameLayout(first.getType(), op.getResult().getType());
  return result;
}

void Storage::start(Value value, Place place, Overwrite overwrite, Value only) {
  slots_[value] = static_cast<unsigned>(all_.size());
  all_.push_back({place, overwrite, only});
  if (place.kind != Place::Kind::Local)
    keep(value);
}

bool Storage::bind(Value value, Place place) {
  Slot &slot = all_[slotOf(value)];
  if (slot.place.kind == Place::Kind::Local)
    slot.place = place;
  if (!(slot.place == place))
    return false;
  keep(value);
  return true;
}

/// Operands that result `index` of the op may be written over, best first.
SmallVector<unsigned> Storage::candidates(Operation *op, unsigned index) const {
  if (auto inPlace = dyn_cast<InPlaceOpInterface>(op))
    return inPlace.getInPlaceOperands(index);
  if (isa<dist::AllReduceOp, dist::StagePartsOp>(op))
    return {index};
  if (auto call = dyn_cast<func::CallOp>(op))
    if (int argument = updates_(call)[index]; argument >= 0)
      return {static_cast<unsigned>(argument)};
  return {};
}

bool Storage::mayOverwrite(Operation *op, unsigned operand, Value result) const {
  if (operand >= op->getNumOperands())
    return false;
  Value value = op->getOperand(operand);
  const Slot &slot = all_[slotOf(value)];
  if (slot.overwrite == Overwrite::Never || (slot.overwrite == Overwrite::Only && slot.only != result))
    return false;
  return tensors_.sameLayout(value.getType(), result.getType()) && diesIn(value, op);
}

/// A ring needs two buffers, however many hops it has: what arrives takes the bytes of the part before the one that is
/// sent, when every use of those is done (in list order; an event makes it true for streams).
bool Storage::reusePartBefore(dist::CollectivePermuteOp permute, unsigned index) {
  Value result = permute->getResult(index), sent = permute->getOperand(index);
  auto found = receivedFrom_.find(slotOf(sent));
  if (found == receivedFrom_.end())
    return false;
  unsigned slot = found->second;
  if (all_[slot].place.kind != Place::Kind::Local || all_[slot].overwrite != Overwrite::Anyone)
    return false;
  for (auto [value, other] : slots_)
    if (other == slot &&
        (!tensors_.sameBytes(value.getType(), result.getType()) ||
         llvm::any_of(value.getUsers(), [&](Operation *user) { return !user->isBeforeInBlock(permute); })))
      return false;
  slots_[result] = slot;
  return true;
}

void Storage::groupResult(Operation *op, unsigned index) {
  Value result = op->getResult(index);
  if (auto permute = dyn_cast<dist::CollectivePermuteOp>(op)) {
    if (!reusePartBefore(permute, index))
      start(result, Place(), Overwrite::Anyone);
    receivedFrom_[slotOf(result)] = slotOf(permute->getOperand(index));
    return;
  }
  for (unsigned operand : candidates(op, index))
    if (mayOverwrite(op, operand, result)) {
      slots_[result] = slotOf(op->getOperand(operand));
      return;
    }
  start(result, Place(), Overwrite::Anyone);
}

void Storage::joinFirst(Value sum, Value first) {
  slots_[sum] = slotOf(first);
  if (sum.getType() == first.getType())
    sums_[sum] = first;
}

void Storage::group(Block &body) {
  for (Operation &op : body) {
    if (auto assume = dyn_cast<dist::AssumeOp>(op)) { // The same bytes, by decree.
      slots_[assume.getResult()] = slotOf(assume.getInput());
      all_[slotOf(assume.getInput())].overwrite = Overwrite::Never;
      continue;
    }
    if (auto accumulate = dyn_cast<dist::AccumulateOp>(op)) {
      Contributions contributions = findContributions(tensors_, accumulate);
      Value first = contributions.values.front();
      if (contributions.firstIsDirect && placeOf(first).kind == Place::Kind::Local)
        joinFirst(accumulate.getResult(), first);
      else
        start(accumulate.getResult(), Place(), Overwrite::Anyone);
      continue;
    }
    for (unsigned index = 0; index < op.getNumResults(); ++index)
      if (!slots_.contains(op.getResult(index)))
        groupResult(&op, index);
  }
}
