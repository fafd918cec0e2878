//===- StructureStage.cpp - what stages hold: buffers, channels, schedule -===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"

namespace modelpar::planformat {
namespace {

class StageChecker {
public:
  StageChecker(const Plan &plan, const Stage &stage, std::string where, Findings &findings)
      : plan_(plan), stage_(stage), where_(std::move(where)), findings_(findings) {}

  void check() {
    for (const Buffer &b : stage_.buffers)
      buffer(b, where_ + ", buffer " + b.name);
    std::set<std::pair<Channel::Direction, int32_t>> seen;
    for (size_t i = 0; i < stage_.channels.size(); ++i) {
      const Channel &c = stage_.channels[i];
      std::string where = where_ + ", channel " + std::to_string(i);
      channel(c, where);
      if (!seen.insert({c.direction, c.peer}).second)
        add(where, "is the second to " + std::string(name(c.direction)) + " with stage " + std::to_string(c.peer));
    }
    for (size_t i = 0; i < stage_.schedule.size(); ++i)
      entry(stage_.schedule[i], where_ + ", schedule entry " + std::to_string(i));
  }

private:
  void add(const std::string &where, const std::string &message) { findings_.add(where, message); }

  void buffer(const Buffer &buffer, const std::string &where) {
    if (!inside(buffer.type, plan_.types.size()))
      return add(where, "type is " + range(buffer.type, plan_.types.size()));
    int64_t needed = maxShardBytes(plan_.types[buffer.type]);
    if (buffer.bytes < needed)
      return add(where,
                 "has " + std::to_string(buffer.bytes) + " bytes, its largest shard needs " + std::to_string(needed));
    if (buffer.slots < 1 || buffer.slots > kMaxMicroBatches ||
        (buffer.slots > 1 && (buffer.slotStride < buffer.bytes || buffer.slotStride % kAlignment != 0)))
      return add(where, "has " + std::to_string(buffer.slots) + " slots at a stride of " +
                            std::to_string(buffer.slotStride) + " bytes, expected a multiple of " +
                            std::to_string(kAlignment) + " of at least " + std::to_string(buffer.bytes));
    __int128 end = static_cast<__int128>(buffer.offset) + static_cast<__int128>(buffer.slots - 1) * buffer.slotStride +
                   buffer.bytes;
    if (buffer.offset < 0 || buffer.offset % kAlignment != 0 || end > stage_.transientOffset)
      add(where, "begins at byte " + std::to_string(buffer.offset) + " with " + std::to_string(buffer.bytes) +
                     " bytes in " + std::to_string(buffer.slots) + " slots, expected a multiple of " +
                     std::to_string(kAlignment) + " that ends within the arena's " +
                     std::to_string(stage_.transientOffset) + " bytes for buffers");
  }

  void channel(const Channel &channel, const std::string &where) {
    if (!inside(channel.peer, plan_.stages.size()))
      add(where, "peer is " + range(channel.peer, plan_.stages.size()));
    else if (&plan_.stages[channel.peer] == &stage_)
      add(where, "peer is its own stage");
    if (channel.buffers.empty())
      add(where, "has no buffers");
    std::set<BufferId> seen;
    for (BufferId id : channel.buffers) {
      if (!inside(id, stage_.buffers.size()))
        add(where, "buffer is " + range(id, stage_.buffers.size()));
      else if (stage_.buffers[id].kind != Buffer::Kind::Activation)
        add(where, "buffer " + stage_.buffers[id].name + " is of kind " + std::string(name(stage_.buffers[id].kind)) +
                       ", expected activation");
      else if (!seen.insert(id).second)
        add(where, "has buffer " + stage_.buffers[id].name + " twice");
    }
  }

  void entry(const ScheduleEntry &entry, const std::string &where) {
    size_t microBatches = static_cast<size_t>(plan_.mesh.numMicroBatches());
    if (!entry.isExchange() && !inside(entry.program, stage_.programs.size()))
      add(where, "program is " + range(entry.program, stage_.programs.size()));
    if (!inside(entry.microBatch, microBatches))
      add(where, "micro-batch is " + range(entry.microBatch, microBatches));
    if (entry.isExchange() == entry.exchange.empty())
      add(where, entry.isExchange() ? "is an exchange of nothing" : "is a program and an exchange");
    for (const Transfer &transfer : entry.exchange) {
      if (!inside(transfer.channel, stage_.channels.size()))
        add(where, "channel is " + range(transfer.channel, stage_.channels.size()));
      if (!inside(transfer.microBatch, microBatches))
        add(where, "transfers micro-batch " + range(transfer.microBatch, microBatches));
    }
  }

  const Plan &plan_;
  const Stage &stage_;
  const std::string where_;
  Findings &findings_;
};

class ParameterChecker {
public:
  ParameterChecker(const Plan &plan, const Parameter &parameter, Findings &findings)
      : plan_(plan), parameter_(parameter), findings_(findings) {}

  void check() {
    if (!inside(parameter_.type, plan_.types.size()))
      return add("type is " + range(parameter_.type, plan_.types.size()));
    int64_t elements = 1, checkpointElements = 1;
    for (int64_t extent : plan_.types[parameter_.type].shape)
      elements *= extent;
    for (int64_t extent : parameter_.checkpointShape)
      if (__builtin_mul_overflow(checkpointElements, extent, &checkpointElements))
        checkpointElements = -1;
    if (elements != checkpointElements)
      add("checkpoint_shape has " + std::to_string(checkpointElements) + " elements, the type " +
          std::to_string(elements));
    const std::vector<int64_t> &shape = plan_.types[parameter_.type].shape;
    if (const int64_t rows = shape.empty() ? 0 : shape[0]; parameter_.zeroRow >= rows)
      add("zero_row is " + std::to_string(parameter_.zeroRow) + ", the type has " + std::to_string(rows) + " rows");
    std::set<int32_t> stages;
    for (const Replica &each : copiesOf(parameter_)) {
      if (!stages.insert(each.stage).second)
        add("has two copies on stage " + std::to_string(each.stage));
      copy(each);
    }
    const std::string &kind = parameter_.init.kind;
    if (kind != "zeros" && kind != "ones" && kind != "constant" && kind != "normal" && kind != "uniform")
      add("init is '" + kind + "', expected zeros, ones, constant, normal or uniform");
  }

private:
  void add(const std::string &message) { findings_.add("parameter " + parameter_.name, message); }

  void copy(const Replica &copy) {
    if (!inside(copy.stage, plan_.stages.size()))
      return add("stage is " + range(copy.stage, plan_.stages.size()));
    const std::vector<Buffer> &buffers = plan_.stages[copy.stage].buffers;
    auto buffer = [&](std::string_view what, BufferId id, bool optional, Buffer::Kind kind) {
      if (optional && id == -1)
        return;
      if (!inside(id, buffers.size()))
        add(std::string(what) + " buffer is " + range(id, buffers.size()));
      else if (buffers[id].kind != kind)
        add(std::string(what) + " buffer " + buffers[id].name + " is of kind " + std::string(name(buffers[id].kind)) +
            ", expected " + std::string(name(kind)));
    };
    buffer("value", copy.value, false, Buffer::Kind::Parameter);
    buffer("gradient", copy.gradient, true, Buffer::Kind::Gradient);
    for (const auto &[stateName, id] : copy.state)
      buffer(stateName, id, false, Buffer::Kind::OptimizerState);
    bool alike = (copy.gradient < 0) == (parameter_.gradient < 0) && copy.state.size() == parameter_.state.size();
    for (size_t i = 0; alike && i < copy.state.size(); ++i)
      alike = copy.state[i].first == parameter_.state[i].first;
    if (!alike)
      add("its copy on stage " + std::to_string(copy.stage) + " has another gradient or other states than the owner's");
  }

  const Plan &plan_;
  const Parameter &parameter_;
  Findings &findings_;
};

} // namespace

void checkStageStructure(const Plan &plan, const Stage &stage, const std::string &where, Findings &findings) {
  StageChecker(plan, stage, where, findings).check();
}

void checkParameterStructure(const Plan &plan, Findings &findings) {
  for (const Parameter &parameter : plan.parameters)
    ParameterChecker(plan, parameter, findings).check();
}

} // namespace modelpar::planformat
