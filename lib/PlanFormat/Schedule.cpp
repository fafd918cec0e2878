//===- Schedule.cpp - buffers along a stage's schedule -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"

namespace modelpar::planformat {
namespace {

using Use = ProgramEffects::Use;

/// What one slot of a buffer holds at a point of the step.
struct Slot {
  enum class Content : uint8_t { Nothing, Written, Sum };
  Content content = Content::Nothing;
  int32_t microBatch = -1;  ///< Of the last write.
  TypeId type = -1;         ///< Of the last write.
  std::string intermediate; ///< As in BufferUse, of the last write.
  std::set<int32_t> added;  ///< Sum: micro-batches in it.
};

class ScheduleChecker {
public:
  ScheduleChecker(const Plan &plan, size_t stage, const std::vector<ProgramEffects> &effects, Findings &findings)
      : plan_(plan), stage_(plan.stages[stage]), where_("stage " + std::to_string(stage)),
        isLast_(stage + 1 == plan.stages.size()), effects_(effects), findings_(findings),
        microBatches_(plan.mesh.numMicroBatches()) {}

  void check() {
    runs();
    slots_.resize(stage_.buffers.size());
    for (size_t b = 0; b < stage_.buffers.size(); ++b)
      slots_[b].resize(std::min<int64_t>(stage_.buffers[b].slots, microBatches_));
    for (const ScheduleEntry &entry : stage_.schedule) {
      // Programs run one after the other (each starts with a fork and ends joined), so list order is the order here.
      for (const auto &[buffer, use] : effects_[entry.program].buffers)
        read(entry, buffer, use);
      for (const auto &[buffer, use] : effects_[entry.program].buffers)
        write(entry, buffer, use);
    }
    ends();
  }

private:
  /// Every program on every micro-batch once; updates once.
  void runs() {
    std::set<std::pair<int32_t, int32_t>> seen;
    std::vector<int64_t> counts(stage_.programs.size(), 0);
    for (const ScheduleEntry &entry : stage_.schedule) {
      const Program &program = stage_.programs[entry.program];
      if (!seen.insert({entry.program, entry.microBatch}).second)
        findings_.add(where_, "the schedule runs program " + program.body.name + " twice on micro-batch " +
                                  std::to_string(entry.microBatch));
      if (program.kind == Program::Kind::Update && entry.microBatch != 0)
        findings_.add(where_, "the schedule runs update program " + program.body.name + " on micro-batch " +
                                  std::to_string(entry.microBatch) + ", expected 0");
      ++counts[entry.program];
    }
    for (size_t p = 0; p < counts.size(); ++p) {
      int64_t expected = stage_.programs[p].kind == Program::Kind::Update ? 1 : microBatches_;
      if (counts[p] != expected)
        findings_.add(where_, "the schedule runs program " + stage_.programs[p].body.name + " " +
                                  std::to_string(counts[p]) + " times, expected " + std::to_string(expected));
    }
  }

  Slot &slot(BufferId buffer, int32_t microBatch) { return slots_[buffer][microBatch % slots_[buffer].size()]; }

  void read(const ScheduleEntry &entry, BufferId id, const ProgramEffects::BufferUse &use) {
    const Buffer &buffer = stage_.buffers[id];
    bool isUpdate = stage_.programs[entry.program].kind == Program::Kind::Update;
    // What is there before the step: parameters, states, and the scalars that the runtime fills in.
    if (use.read == Use::None || buffer.kind == Buffer::Kind::Parameter ||
        buffer.kind == Buffer::Kind::OptimizerState || buffer.kind == Buffer::Kind::Scalars)
      return;
    const Slot &held = slot(id, entry.microBatch);
    if (!held.intermediate.empty())
      findings_.add(use.reader, "reads buffer " + buffer.name + ", which holds an intermediate result of " +
                                    held.intermediate + ": what makes the buffer's value is missing");
    std::string run = " on micro-batch " + std::to_string(entry.microBatch);
    if (use.read == Use::Sum || use.read == Use::Add) {
      bool begins = use.read == Use::Sum && entry.microBatch == 0;
      if (begins && held.content == Slot::Content::Sum)
        findings_.add(use.reader, "begins the sum in buffer " + buffer.name + ", which has begun before");
      if (!begins && held.content != Slot::Content::Sum)
        findings_.add(use.reader, "adds to buffer " + buffer.name + run + ", which micro-batch 0 has not begun");
      return;
    }
    if (held.content == Slot::Content::Nothing)
      findings_.add(use.reader,
                    "reads buffer " + buffer.name + run + ", which no program of the schedule has written before");
    else if (held.content == Slot::Content::Sum && !complete(held))
      findings_.add(use.reader, "reads the sum in buffer " + buffer.name + " after " +
                                    std::to_string(held.added.size()) + " of " + std::to_string(microBatches_) +
                                    " micro-batches");
    else if (held.content == Slot::Content::Written && held.microBatch != entry.microBatch)
      findings_.add(use.reader, "reads buffer " + buffer.name + (isUpdate ? " in the update" : run) +
                                    ", whose slot holds micro-batch " + std::to_string(held.microBatch) + " (" +
                                    std::to_string(buffer.slots) + " slots)");
    else
      readAs(buffer, use, held);
  }

  /// What a value is partial over, the time axis aside: micro-batches are counted.
  std::vector<sharding::PartialAxis> partialOf(TypeId type) const {
    std::vector<sharding::PartialAxis> partial = plan_.types[type].sharding.partial;
    std::erase_if(partial, [](const sharding::PartialAxis &p) { return p.axis.name == sharding::kMicroBatchAxis; });
    return partial;
  }

  /// A buffer is read as what it was left as: a sum that was left partial is not whole because its reader says so.
  void readAs(const Buffer &buffer, const ProgramEffects::BufferUse &use, const Slot &held) {
    if (use.readAs >= 0 && held.type >= 0 && partialOf(use.readAs) != partialOf(held.type))
      findings_.add(use.reader, "reads buffer " + buffer.name + " as " + describe(plan_.types[use.readAs]) +
                                    ", but it was left as " + describe(plan_.types[held.type]) +
                                    ": a reduction is missing or misplaced");
  }

  void write(const ScheduleEntry &entry, BufferId id, const ProgramEffects::BufferUse &use) {
    if (use.write == Use::None)
      return;
    if (use.write == Use::Plain && stage_.buffers[id].kind == Buffer::Kind::Parameter &&
        stage_.programs[entry.program].kind != Program::Kind::Update)
      findings_.add(where_, "program " + stage_.programs[entry.program].body.name + " writes parameter buffer " +
                                stage_.buffers[id].name + ", which only an update may");
    Slot &held = slot(id, entry.microBatch);
    if (use.write == Use::Plain || (use.write == Use::Sum && entry.microBatch == 0))
      held.added.clear();
    held.content = use.write == Use::Plain ? Slot::Content::Written : Slot::Content::Sum;
    held.microBatch = entry.microBatch;
    held.type = use.left;
    held.intermediate = use.intermediate;
    held.added.insert(entry.microBatch);
  }

  bool complete(const Slot &slot) const { return static_cast<int64_t>(slot.added.size()) == microBatches_; }

  void ends() {
    for (const Parameter &parameter : plan_.parameters) {
      if (&plan_.stages[parameter.stage] != &stage_)
        continue;
      if (slots_[parameter.value][0].content == Slot::Content::Nothing)
        findings_.add("parameter " + parameter.name, "no update writes it");
      whole("parameter " + parameter.name, slots_[parameter.value][0]);
      for (const auto &[name, id] : parameter.state)
        whole("parameter " + parameter.name + ", state " + name, slots_[id][0]);
    }
    if (!isLast_)
      return;
    for (const auto &[output, id] : plan_.outputs) {
      const Slot &held = slots_[id][0];
      whole("output " + output, held);
      if (held.content == Slot::Content::Nothing)
        findings_.add("output " + output, "buffer " + stage_.buffers[id].name + " is never written");
      else if (held.content == Slot::Content::Sum && !complete(held))
        findings_.add("output " + output, "is the sum of " + std::to_string(held.added.size()) +
                                              " micro-batches, expected " + std::to_string(microBatches_));
    }
  }

  void whole(const std::string &where, const Slot &held) {
    if (!held.intermediate.empty())
      findings_.add(where, "is left with an intermediate result of " + held.intermediate);
    if (held.type >= 0 && plan_.types[held.type].sharding.isPartial())
      findings_.add(where, "is left with " + describe(plan_.types[held.type]) +
                               ", expected a whole value: a reduction is missing");
  }

  const Plan &plan_;
  const Stage &stage_;
  std::string where_;
  bool isLast_;
  const std::vector<ProgramEffects> &effects_;
  Findings &findings_;
  int64_t microBatches_;
  std::vector<std::vector<Slot>> slots_;
};

} // namespace

void checkSchedule(const Plan &plan, size_t stage, const std::vector<ProgramEffects> &effects, Findings &findings) {
  ScheduleChecker(plan, stage, effects, findings).check();
}

} // namespace modelpar::planformat
