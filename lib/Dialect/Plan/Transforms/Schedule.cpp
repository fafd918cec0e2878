//===- Schedule.cpp - the schedule of each stage --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass plan-schedule: lib/Schedule's generator and checker on the module's programs.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Dialect/Plan/Transforms/Passes.h"

#include <map>
#include <set>

namespace modelpar::plan {

#define GEN_PASS_DEF_PLANSCHEDULE
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

struct StagePrograms {
  ProgramOp forward, backward, update;
  SmallVector<BufferOp> perMicroBatch; ///< Buffers with slots.
  /// By direction and peer.
  std::map<std::pair<Direction, int64_t>, ChannelOp> channels;

  ProgramOp of(schedule::Phase phase) const {
    return phase == schedule::Phase::Forward ? forward : phase == schedule::Phase::Backward ? backward : update;
  }
};

struct PlanSchedulePass : impl::PlanScheduleBase<PlanSchedulePass> {
  void runOnOperation() override {
    if (failed(run(getOperation())))
      signalPassFailure();
  }

private:
  using Stages = std::map<uint32_t, StagePrograms>;
  FailureOr<Stages> collect(ModuleOp module);
  LogicalResult collectChannels(ModuleOp module, Stages &stages);
  ScheduleOp write(OpBuilder &builder, uint32_t index, const StagePrograms &stage, ArrayRef<schedule::Entry> entries);
  void giveSlots(StagePrograms &stage, ScheduleOp schedule);
  LogicalResult run(ModuleOp module);
};

/// When each micro-batch of a buffer is in use: first and last entry of the schedule.
struct Lifetime {
  size_t first = 0, last = 0;
  int32_t microBatch = 0;
};

/// The least number of slots in which no two micro-batches that are alive at a time share one. Lifetimes come in the
/// order of their first entry.
uint32_t slotsFor(ArrayRef<Lifetime> lifetimes) {
  // Not fewer than are alive at a time.
  std::multiset<size_t> ends;
  size_t slots = 1;
  for (const Lifetime &each : lifetimes) {
    ends.erase(ends.begin(), ends.lower_bound(each.first));
    ends.insert(each.last);
    slots = std::max(slots, ends.size());
  }
  auto clash = [&] {
    std::vector<size_t> freeFrom(slots, 0);
    return llvm::any_of(lifetimes, [&](const Lifetime &each) {
      size_t &slot = freeFrom[static_cast<size_t>(each.microBatch) % slots];
      bool isTaken = each.first < slot;
      slot = each.last + 1;
      return isTaken;
    });
  };
  while (clash())
    ++slots;
  return static_cast<uint32_t>(slots);
}

} // namespace

FailureOr<PlanSchedulePass::Stages> PlanSchedulePass::collect(ModuleOp module) {
  Stages stages;
  for (auto program : module.getOps<ProgramOp>()) {
    StagePrograms &stage = stages[program.getStage()];
    ProgramKind kind = program.getKind();
    if (kind != ProgramKind::forward && kind != ProgramKind::backward && kind != ProgramKind::update)
      return program.emitOpError() << "has no place in the schedules gpipe and 1f1b: " << stringifyProgramKind(kind);
    ProgramOp &place = kind == ProgramKind::forward    ? stage.forward
                       : kind == ProgramKind::backward ? stage.backward
                                                       : stage.update;
    if (place)
      return program.emitOpError() << "is the second " << stringifyProgramKind(kind) << " program of stage "
                                   << program.getStage();
    place = program;
  }
  uint32_t expected = 0;
  for (auto &[index, stage] : stages) {
    if (!stage.forward || !stage.backward || !stage.update)
      return module.emitError() << "stage " << index << ": expected a forward, a backward and an update program";
    if (index != expected++)
      return module.emitError() << "stage " << expected - 1 << ": expected a forward, a backward and an update program";
  }
  if (failed(collectChannels(module, stages)))
    return failure();
  for (auto buffer : module.getOps<BufferOp>())
    if (buffer.getPerMicroBatch())
      if (auto stage = stages.find(buffer.getStage()); stage != stages.end())
        stage->second.perMicroBatch.push_back(buffer);
  return stages;
}

/// A schedule exchanges with neighbours, and both ends of a boundary have their channel.
LogicalResult PlanSchedulePass::collectChannels(ModuleOp module, Stages &stages) {
  for (auto channel : module.getOps<ChannelOp>()) {
    auto stage = stages.find(channel.getStage());
    if (stage == stages.end())
      return channel.emitOpError() << "is of stage " << channel.getStage() << ", which has no programs";
    int64_t distance = static_cast<int64_t>(channel.getPeer()) - static_cast<int64_t>(channel.getStage());
    if (std::abs(distance) != 1)
      return channel.emitOpError() << "expected a neighbouring stage as peer of stage " << channel.getStage()
                                   << ", found " << channel.getPeer();
    if (!stage->second.channels.try_emplace({channel.getDirection(), channel.getPeer()}, channel).second)
      return channel.emitOpError() << "is the second of stage " << channel.getStage()
                                   << " in this direction with this peer";
  }
  for (auto &[index, stage] : stages)
    for (auto &[key, channel] : stage.channels) {
      auto [direction, peer] = key;
      Direction converse = direction == Direction::send ? Direction::receive : Direction::send;
      auto other = stages.find(static_cast<uint32_t>(peer));
      if (other == stages.end() || !other->second.channels.count({converse, index}))
        return channel.emitOpError() << "expected a channel of stage " << peer << " in the other direction";
    }
  return success();
}

/// Where a boundary carries nothing in one direction (gradients that nobody needs), there is no transfer.
ScheduleOp PlanSchedulePass::write(OpBuilder &builder, uint32_t index, const StagePrograms &stage,
                                   ArrayRef<schedule::Entry> entries) {
  SmallVector<Attribute> runs;
  SmallVector<int32_t> on;
  for (const schedule::Entry &entry : entries) {
    if (entry.phase != schedule::Phase::Exchange) {
      runs.push_back(FlatSymbolRefAttr::get(stage.of(entry.phase).getSymNameAttr()));
      on.push_back(static_cast<int32_t>(entry.microBatch));
      continue;
    }
    SmallVector<Attribute> channels;
    for (const schedule::Transfer &transfer : entry.transfers) {
      bool sends = transfer.direction == schedule::Transfer::Direction::Send;
      auto channel = stage.channels.find({sends ? Direction::send : Direction::receive, transfer.peer});
      if (channel == stage.channels.end())
        continue;
      channels.push_back(FlatSymbolRefAttr::get(ChannelOp(channel->second).getSymNameAttr()));
      on.push_back(static_cast<int32_t>(transfer.microBatch));
    }
    if (!channels.empty())
      runs.push_back(builder.getArrayAttr(channels));
  }
  return ScheduleOp::create(builder, stage.update->getLoc(), index, builder.getArrayAttr(runs),
                            builder.getDenseI32ArrayAttr(on));
}

/// An entry of the schedule at which a program or a channel uses its buffers of a micro-batch.
struct Touch {
  unsigned user = 0; ///< A bit for each program and channel of the stage: at most three and four.
  int32_t microBatch = 0;
  size_t position = 0;
};

/// A buffer is in use from the first entry in which one of its users touches its micro-batch to the last, exchanges
/// among them.
static std::vector<Lifetime> lifetimes(ArrayRef<Touch> touches, unsigned users) {
  std::vector<Lifetime> all;
  llvm::DenseMap<int32_t, size_t> indices; // By micro-batch.
  for (const Touch &touch : touches) {
    if (!(touch.user & users))
      continue;
    auto [it, isNew] = indices.try_emplace(touch.microBatch, all.size());
    if (isNew)
      all.push_back({touch.position, touch.position, touch.microBatch});
    all[it->second].last = touch.position;
  }
  return all;
}

void PlanSchedulePass::giveSlots(StagePrograms &stage, ScheduleOp schedule) {
  llvm::DenseMap<StringAttr, unsigned> users; // By buffer.
  for (BufferOp buffer : stage.perMicroBatch)
    users[buffer.getSymNameAttr()] = 0;
  llvm::DenseMap<StringAttr, unsigned> bits; // By program or channel.
  auto addUser = [&](StringAttr user, FlatSymbolRefAttr buffer) {
    if (auto found = users.find(buffer.getAttr()); found != users.end())
      found->second |= bits.lookup(user);
  };
  for (ProgramOp program : {stage.forward, stage.backward, stage.update}) {
    bits.try_emplace(program.getSymNameAttr(), 1u << bits.size());
    for (auto use : program.getOps<UseOp>())
      addUser(program.getSymNameAttr(), use.getBufferAttr());
  }
  for (auto &[key, channel] : stage.channels) {
    bits.try_emplace(channel.getSymNameAttr(), 1u << bits.size());
    for (auto buffer : channel.getBuffers().getAsRange<FlatSymbolRefAttr>())
      addUser(channel.getSymNameAttr(), buffer);
  }
  std::vector<Touch> touches;
  for (auto [position, entry] : llvm::enumerate(schedule.getSchedule())) {
    if (entry.program)
      touches.push_back({bits.lookup(entry.program), entry.microBatches.front(), position});
    for (auto [channel, microBatch] : llvm::zip(entry.channels, entry.microBatches))
      touches.push_back({bits.lookup(channel), microBatch, position});
  }
  // Buffers of the same users live alike.
  std::map<unsigned, uint32_t> slots;
  for (BufferOp buffer : stage.perMicroBatch) {
    auto [it, isNew] = slots.try_emplace(users.lookup(buffer.getSymNameAttr()), 1);
    if (isNew)
      it->second = slotsFor(lifetimes(touches, it->first));
    buffer.setSlots(it->second);
  }
}

LogicalResult PlanSchedulePass::run(ModuleOp module) {
  auto stages = collect(module);
  if (failed(stages))
    return failure();
  int64_t microBatches = 1;
  if (auto attr = module->getAttrOfType<IntegerAttr>(kNumMicroBatchesAttr))
    microBatches = attr.getInt();
  schedule::Kind kind = schedule::Kind::OneFOneB;
  if (auto attr = module->getAttrOfType<StringAttr>(kScheduleAttr)) {
    auto parsed = schedule::parseKind(attr.getValue());
    if (!parsed)
      return module.emitError() << "expected schedule \"gpipe\" or \"1f1b\", found " << attr;
    kind = *parsed;
  }
  module->setAttr(kScheduleAttr, StringAttr::get(module.getContext(), schedule::name(kind)));

  std::vector<std::vector<schedule::Entry>> entries =
      schedule::pipeline(kind, static_cast<int64_t>(stages->size()), microBatches);
  std::vector<int64_t> slots;
  for (const std::vector<schedule::Entry> &stage : entries)
    slots.push_back(schedule::maxInFlight(stage));
  if (auto error = schedule::verify(entries, microBatches, slots))
    return module.emitError() << "schedule: " << *error;

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  for (auto &[index, stage] : *stages)
    giveSlots(stage, write(builder, index, stage, entries[index]));
  return success();
}

} // namespace modelpar::plan
