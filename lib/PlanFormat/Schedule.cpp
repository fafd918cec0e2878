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
      : plan_(plan), index_(static_cast<int32_t>(stage)), stage_(plan.stages[stage]),
        where_("stage " + std::to_string(stage)), isLast_(stage + 1 == plan.stages.size()), effects_(effects),
        findings_(findings), microBatches_(plan.mesh.numMicroBatches()) {}

  void check() {
    runs();
    slots_.resize(stage_.buffers.size());
    for (size_t b = 0; b < stage_.buffers.size(); ++b)
      slots_[b].resize(std::min<int64_t>(stage_.buffers[b].slots, microBatches_));
    for (const ScheduleEntry &entry : stage_.schedule) {
      // Entries run one after the other (a program starts with a fork and ends joined, an exchange waits and is waited
      // for), so list order is the order here.
      if (entry.isExchange()) {
        exchange(entry);
        continue;
      }
      for (const auto &[buffer, use] : effects_[entry.program].buffers)
        read(entry, buffer, use);
      for (const auto &[buffer, use] : effects_[entry.program].buffers)
        write(entry, buffer, use);
    }
    ends();
  }

private:
  /// Every program and every channel on every micro-batch once; updates once.
  void runs() {
    std::set<std::pair<int32_t, int32_t>> seen;
    std::vector<int64_t> counts(stage_.programs.size(), 0);
    for (const ScheduleEntry &entry : stage_.schedule) {
      if (entry.isExchange())
        continue;
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
    transfers();
  }

  void transfers() {
    std::vector<std::set<int32_t>> seen(stage_.channels.size());
    for (size_t e = 0; e < stage_.schedule.size(); ++e)
      for (const Transfer &transfer : stage_.schedule[e].exchange)
        if (!seen[transfer.channel].insert(transfer.microBatch).second)
          findings_.add(transferText(e, transfer), "is done a second time");
    for (size_t c = 0; c < seen.size(); ++c)
      if (static_cast<int64_t>(seen[c].size()) != microBatches_)
        findings_.add(where_, "channel " + std::to_string(c) + " (" + std::string(name(stage_.channels[c].direction)) +
                                  ", stage " + std::to_string(stage_.channels[c].peer) + ") transfers " +
                                  std::to_string(seen[c].size()) + " micro-batches, expected " +
                                  std::to_string(microBatches_));
  }

  /// "stage 0, schedule entry 3 (exchange), send to stage 1 of micro-batch 2"
  std::string transferText(size_t entry, const Transfer &transfer) const {
    const Channel &channel = stage_.channels[transfer.channel];
    bool sends = channel.direction == Channel::Direction::Send;
    return where_ + ", schedule entry " + std::to_string(entry) + " (exchange), " +
           (sends ? "send to" : "receive from") + " stage " + std::to_string(channel.peer) + " of micro-batch " +
           std::to_string(transfer.microBatch);
  }

  /// All transfers run at the same time: what is sent was there before, and what is received takes no slot that is
  /// sent.
  void exchange(const ScheduleEntry &entry) {
    auto index = static_cast<size_t>(&entry - stage_.schedule.data());
    std::map<const Slot *, std::string> sent;
    for (bool sends : {true, false})
      for (const Transfer &transfer : entry.exchange) {
        const Channel &channel = stage_.channels[transfer.channel];
        if ((channel.direction == Channel::Direction::Send) != sends)
          continue;
        std::string text = transferText(index, transfer);
        for (BufferId id : channel.buffers)
          if (sends)
            send(id, transfer.microBatch, text, sent);
          else
            receive(id, transfer.microBatch, text, sent);
      }
  }

  void send(BufferId id, int32_t microBatch, const std::string &text, std::map<const Slot *, std::string> &sent) {
    ProgramEffects::BufferUse use;
    use.read = Use::Plain;
    use.reader = text;
    use.readAs = stage_.buffers[id].type;
    readSlot(id, microBatch, use, " on micro-batch " + std::to_string(microBatch));
    sent.try_emplace(&slot(id, microBatch), text);
  }

  void receive(BufferId id, int32_t microBatch, const std::string &text, std::map<const Slot *, std::string> &busy) {
    Slot &held = slot(id, microBatch);
    if (auto [other, isNew] = busy.try_emplace(&held, text); !isNew)
      findings_.add(text, "writes the slot of buffer " + stage_.buffers[id].name + " that " + other->second +
                              " uses at the same time");
    held = {Slot::Content::Written, microBatch, stage_.buffers[id].type, "", {microBatch}};
  }

  Slot &slot(BufferId buffer, int32_t microBatch) { return slots_[buffer][microBatch % slots_[buffer].size()]; }

  void read(const ScheduleEntry &entry, BufferId id, const ProgramEffects::BufferUse &use) {
    const Buffer &buffer = stage_.buffers[id];
    // What is there before the step: parameters, states, and the scalars that the runtime fills in.
    if (use.read == Use::None)
      return;
    if (buffer.kind == Buffer::Kind::Parameter || buffer.kind == Buffer::Kind::OptimizerState ||
        buffer.kind == Buffer::Kind::Scalars)
      return readAs(buffer, use, buffer.type);
    const Slot &held = slot(id, entry.microBatch);
    if (use.read == Use::Sum || use.read == Use::Add) {
      checkIntermediate(buffer, use, held);
      return addTo(entry, buffer, use, held);
    }
    bool isUpdate = stage_.programs[entry.program].kind == Program::Kind::Update;
    readSlot(id, entry.microBatch, use,
             isUpdate ? " in the update" : " on micro-batch " + std::to_string(entry.microBatch));
  }

  void checkIntermediate(const Buffer &buffer, const ProgramEffects::BufferUse &use, const Slot &held) {
    if (!held.intermediate.empty())
      findings_.add(use.reader, "reads buffer " + buffer.name + ", which holds an intermediate result of " +
                                    held.intermediate + ": what makes the buffer's value is missing");
  }

  void addTo(const ScheduleEntry &entry, const Buffer &buffer, const ProgramEffects::BufferUse &use, const Slot &held) {
    bool begins = use.read == Use::Sum && entry.microBatch == 0;
    if (begins && held.content == Slot::Content::Sum)
      findings_.add(use.reader, "begins the sum in buffer " + buffer.name + ", which has begun before");
    if (!begins && held.content != Slot::Content::Sum)
      findings_.add(use.reader, "adds to buffer " + buffer.name + " on micro-batch " +
                                    std::to_string(entry.microBatch) + ", which micro-batch 0 has not begun");
    if (!begins)
      readAs(buffer, use, held.type);
  }

  /// Content of the slot of a micro-batch, read by a program or sent. `run` is " on micro-batch 3" or " in the update".
  void readSlot(BufferId id, int32_t microBatch, const ProgramEffects::BufferUse &use, const std::string &run) {
    const Buffer &buffer = stage_.buffers[id];
    const Slot &held = slot(id, microBatch);
    checkIntermediate(buffer, use, held);
    if (held.content == Slot::Content::Nothing)
      findings_.add(use.reader,
                    "reads buffer " + buffer.name + run + ", which nothing in the schedule has written before");
    else if (held.content == Slot::Content::Sum && !complete(held))
      findings_.add(use.reader, "reads the sum in buffer " + buffer.name + " after " +
                                    std::to_string(held.added.size()) + " of " + std::to_string(microBatches_) +
                                    " micro-batches");
    else if (held.content == Slot::Content::Written && held.microBatch != microBatch)
      findings_.add(use.reader, "reads buffer " + buffer.name + run + ", whose slot holds micro-batch " +
                                    std::to_string(held.microBatch) + " (" + std::to_string(buffer.slots) + " slots)");
    else
      readAs(buffer, use, held.type);
  }

  /// A buffer is read as what it was left as: a sum that was left partial is not whole because its reader says so.
  void readAs(const Buffer &buffer, const ProgramEffects::BufferUse &use, TypeId left) {
    if (use.readAs >= 0 && left >= 0 && plan_.types[use.readAs].sharding.partial != plan_.types[left].sharding.partial)
      findings_.add(use.reader, "reads buffer " + buffer.name + " as " + describe(plan_.types[use.readAs]) +
                                    ", but it was left as " + describe(plan_.types[left]) +
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
    for (const Parameter &parameter : plan_.parameters)
      for (const Replica &copy : copiesOf(parameter))
        if (copy.stage == index_)
          updated(copy, "parameter " + parameter.name + (parameter.replicas.empty() ? "" : " on " + where_));
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

  void updated(const Replica &copy, const std::string &where) {
    if (slots_[copy.value][0].content == Slot::Content::Nothing)
      findings_.add(where, "no update writes it");
    whole(where, slots_[copy.value][0]);
    for (const auto &[name, id] : copy.state)
      whole(where + ", state " + name, slots_[id][0]);
  }

  void whole(const std::string &where, const Slot &held) {
    if (!held.intermediate.empty())
      findings_.add(where, "is left with an intermediate result of " + held.intermediate);
    if (held.type >= 0 && plan_.types[held.type].sharding.isPartial())
      findings_.add(where, "is left with " + describe(plan_.types[held.type]) +
                               ", expected a whole value: a reduction is missing");
  }

  const Plan &plan_;
  const int32_t index_;
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
