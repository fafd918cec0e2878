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

namespace modelpar::plan {

#define GEN_PASS_DEF_PLANSCHEDULE
#include "modelpar/Dialect/Plan/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

struct StagePrograms {
  ProgramOp forward, backward, update;
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
  void giveSlots(ModuleOp module, ScheduleOp schedule);
  LogicalResult run(ModuleOp module);
};

/// When each micro-batch of a buffer is in use: first and last entry of the schedule.
using Lifetimes = std::map<int32_t, std::pair<size_t, size_t>>;

/// The least number of slots in which no two micro-batches that are alive at a time share one.
uint32_t slotsFor(const Lifetimes &lifetimes) {
  auto clash = [&](uint32_t slots) {
    for (auto one = lifetimes.begin(); one != lifetimes.end(); ++one)
      for (auto other = std::next(one); other != lifetimes.end(); ++other)
        if ((other->first - one->first) % static_cast<int32_t>(slots) == 0 && one->second.first <= other->second.second &&
            other->second.first <= one->second.second)
          return true;
    return false;
  };
  uint32_t slots = 1;
  while (clash(slots))
    ++slots;
  return slots;
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
      return channel.emitOpError() << "expected a neighbouring stage as peer of stage " << channel.getStage() << ", found "
                                   << channel.getPeer();
    if (!stage->second.channels.try_emplace({channel.getDirection(), channel.getPeer()}, channel).second)
      return channel.emitOpError() << "is the second of stage " << channel.getStage() << " in this direction with this peer";
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
ScheduleOp PlanSchedulePass::write(OpBuilder &builder, uint32_t index, const StagePrograms &stage, ArrayRef<schedule::Entry> entries) {
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
  return ScheduleOp::create(builder, stage.update->getLoc(), index, builder.getArrayAttr(runs), builder.getDenseI32ArrayAttr(on));
}

/// A buffer is in use from the first entry that touches its micro-batch to the last, exchanges among them.
void PlanSchedulePass::giveSlots(ModuleOp module, ScheduleOp schedule) {
  llvm::DenseMap<StringAttr, SmallVector<StringAttr>> users; // Buffers by program and channel.
  for (auto program : module.getOps<ProgramOp>())
    if (program.getStage() == schedule.getStage())
      for (auto use : program.getOps<UseOp>())
        users[program.getSymNameAttr()].push_back(use.getBufferAttr().getAttr());
  for (auto channel : module.getOps<ChannelOp>())
    if (channel.getStage() == schedule.getStage())
      for (auto buffer : channel.getBuffers().getAsRange<FlatSymbolRefAttr>())
        users[channel.getSymNameAttr()].push_back(buffer.getAttr());
  llvm::DenseMap<StringAttr, Lifetimes> lifetimes;
  for (auto [position, entry] : llvm::enumerate(schedule.getSchedule())) {
    auto touch = [&, position = position](StringAttr user, int32_t microBatch) {
      for (StringAttr buffer : users[user]) {
        auto [it, isNew] = lifetimes[buffer].try_emplace(microBatch, position, position);
        it->second.second = position;
      }
    };
    if (entry.program)
      touch(entry.program, entry.microBatches.front());
    for (auto [channel, microBatch] : llvm::zip(entry.channels, entry.microBatches))
      touch(channel, microBatch);
  }
  for (auto buffer : module.getOps<BufferOp>())
    if (buffer.getStage() == schedule.getStage() && buffer.getPerMicroBatch())
      buffer.setSlots(slotsFor(lifetimes.lookup(buffer.getSymNameAttr())));
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

  std::vector<std::vector<schedule::Entry>> entries =
      schedule::pipeline(kind, static_cast<int64_t>(stages->size()), microBatches);
  std::vector<int64_t> slots;
  for (const std::vector<schedule::Entry> &stage : entries)
    slots.push_back(schedule::maxInFlight(stage));
  if (auto error = schedule::verify(entries, microBatches, slots))
    return module.emitError() << "schedule: " << *error;

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  for (auto &[index, stage] : *stages)
    giveSlots(module, write(builder, index, stage, entries[index]));
  return success();
}

} // namespace modelpar::plan
