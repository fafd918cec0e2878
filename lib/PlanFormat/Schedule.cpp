//===- Schedule.cpp - buffers along a stage's schedule -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"
#include "modelpar/Schedule/MicroBatchSet.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace modelpar::planformat {
namespace {

using schedule::MicroBatchSet;
using Use = ProgramEffects::Use;

/// What one slot of a buffer holds at a point of the step.
struct Slot {
  enum class Content : uint8_t { Nothing, Written, Sum };
  Content content = Content::Nothing;
  int32_t microBatch = -1;              ///< Of the last write.
  TypeId type = -1;                     ///< Of the last write.
  const std::string *intermediate = {}; ///< As in BufferUse, of the last write; null: a value.
  MicroBatchSet added;                  ///< Sum: micro-batches in it.
};

/// Follows what the buffers hold along the schedule.
class ContentChecker {
public:
  /// `standIns`: the buffer that is followed for each.
  ContentChecker(const Plan &plan, size_t stage, const std::vector<ProgramEffects> &effects,
                 const std::vector<BufferId> &standIns, Findings &findings)
      : plan_(plan), index_(static_cast<int32_t>(stage)), stage_(plan.stages[stage]),
        where_("stage " + std::to_string(stage)), isLast_(stage + 1 == plan.stages.size()), standIns_(standIns),
        findings_(findings), microBatches_(plan.mesh.numMicroBatches()), slots_(stage_.buffers.size()),
        uses_(effects.size()), moved_(stage_.channels.size()) {
    for (size_t b = 0; b < stage_.buffers.size(); ++b)
      if (isFollowed(static_cast<BufferId>(b)))
        slots_[b].resize(std::min<int64_t>(stage_.buffers[b].slots, microBatches_));
    for (size_t p = 0; p < effects.size(); ++p)
      for (const auto &[buffer, use] : effects[p].buffers)
        if (isFollowed(buffer))
          uses_[p].emplace_back(buffer, &use);
    for (size_t c = 0; c < stage_.channels.size(); ++c)
      std::copy_if(stage_.channels[c].buffers.begin(), stage_.channels[c].buffers.end(), std::back_inserter(moved_[c]),
                   [&](BufferId id) { return isFollowed(id); });
  }

  void check() {
    for (const ScheduleEntry &entry : stage_.schedule) {
      // Entries run one after the other (a program starts with a fork and ends joined, an exchange waits and is waited
      // for), so list order is the order here.
      if (entry.isExchange()) {
        exchange(entry);
        continue;
      }
      for (const auto &[buffer, use] : uses_[entry.program])
        read(entry, buffer, *use);
      for (const auto &[buffer, use] : uses_[entry.program])
        write(entry, buffer, *use);
    }
    ends();
  }

private:
  bool isFollowed(BufferId buffer) const { return standIns_[buffer] == buffer; }

  /// All transfers run at the same time: what is sent was there before, and what is received takes no slot that is
  /// sent.
  void exchange(const ScheduleEntry &entry) {
    std::map<const Slot *, const Transfer *> busy;
    for (bool sends : {true, false})
      for (const Transfer &transfer : entry.exchange) {
        const Channel &channel = stage_.channels[transfer.channel];
        if ((channel.direction == Channel::Direction::Send) != sends)
          continue;
        for (BufferId id : moved_[transfer.channel])
          if (sends)
            send(id, entry, transfer, busy);
          else
            receive(id, entry, transfer, busy);
      }
  }

  std::string text(const ScheduleEntry &entry, const Transfer &transfer) const {
    return transferText(stage_, where_, static_cast<size_t>(&entry - stage_.schedule.data()), transfer);
  }

  void send(BufferId id, const ScheduleEntry &entry, const Transfer &transfer,
            std::map<const Slot *, const Transfer *> &busy) {
    readSlot(
        id, transfer.microBatch, stage_.buffers[id].type, [&] { return text(entry, transfer); },
        [&] { return onMicroBatch(transfer.microBatch); });
    busy.try_emplace(&slot(id, transfer.microBatch), &transfer);
  }

  void receive(BufferId id, const ScheduleEntry &entry, const Transfer &transfer,
               std::map<const Slot *, const Transfer *> &busy) {
    Slot &held = slot(id, transfer.microBatch);
    if (auto [other, isNew] = busy.try_emplace(&held, &transfer); !isNew)
      findings_.add(text(entry, transfer), "writes the slot of buffer " + stage_.buffers[id].name + " that " +
                                               text(entry, *other->second) + " uses at the same time");
    held.added.clear();
    fill(held, Slot::Content::Written, transfer.microBatch, stage_.buffers[id].type, nullptr);
  }

  static void fill(Slot &slot, Slot::Content content, int32_t microBatch, TypeId type,
                   const std::string *intermediate) {
    slot.content = content;
    slot.microBatch = microBatch;
    slot.type = type;
    slot.intermediate = intermediate;
    slot.added.insert(microBatch);
  }

  static std::string onMicroBatch(int32_t microBatch) { return " on micro-batch " + std::to_string(microBatch); }

  Slot &slot(BufferId buffer, int32_t microBatch) {
    std::vector<Slot> &slots = slots_[standIns_[buffer]];
    return slots[microBatch % slots.size()];
  }

  void read(const ScheduleEntry &entry, BufferId id, const ProgramEffects::BufferUse &use) {
    const Buffer &buffer = stage_.buffers[id];
    // What is there before the step: parameters, states, and the scalars that the runtime fills in.
    if (use.read == Use::None)
      return;
    if (buffer.kind == Buffer::Kind::Parameter || buffer.kind == Buffer::Kind::OptimizerState ||
        buffer.kind == Buffer::Kind::Scalars)
      return checkReadAs(buffer, use.readAs, buffer.type, [&] { return use.reader; });
    const Slot &held = slot(id, entry.microBatch);
    if (use.read == Use::Sum || use.read == Use::Add) {
      checkIntermediate(buffer, [&] { return use.reader; }, held);
      return addTo(entry, buffer, use, held);
    }
    bool isUpdate = stage_.programs[entry.program].kind == Program::Kind::Update;
    readSlot(
        id, entry.microBatch, use.readAs, [&] { return use.reader; },
        [&] { return isUpdate ? " in the update" : onMicroBatch(entry.microBatch); });
  }

  template <typename Reader> void checkIntermediate(const Buffer &buffer, Reader reader, const Slot &held) {
    if (held.intermediate)
      findings_.add(reader(), "reads buffer " + buffer.name + ", which holds an intermediate result of " +
                                  *held.intermediate + ": what makes the buffer's value is missing");
  }

  void addTo(const ScheduleEntry &entry, const Buffer &buffer, const ProgramEffects::BufferUse &use, const Slot &held) {
    bool begins = use.read == Use::Sum && entry.microBatch == 0;
    if (begins && held.content == Slot::Content::Sum)
      findings_.add(use.reader, "begins the sum in buffer " + buffer.name + ", which has begun before");
    if (!begins && held.content != Slot::Content::Sum)
      findings_.add(use.reader, "adds to buffer " + buffer.name + " on micro-batch " +
                                    std::to_string(entry.microBatch) + ", which micro-batch 0 has not begun");
    if (!begins)
      checkReadAs(buffer, use.readAs, held.type, [&] { return use.reader; });
  }

  /// Content of the slot of a micro-batch, read by a program or sent. `reader` and `run` are texts for messages: who
  /// reads, and " on micro-batch 3" or " in the update".
  template <typename Reader, typename Run>
  void readSlot(BufferId id, int32_t microBatch, TypeId readAs, Reader reader, Run run) {
    const Buffer &buffer = stage_.buffers[id];
    const Slot &held = slot(id, microBatch);
    checkIntermediate(buffer, reader, held);
    if (held.content == Slot::Content::Nothing)
      findings_.add(reader(),
                    "reads buffer " + buffer.name + run() + ", which nothing in the schedule has written before");
    else if (held.content == Slot::Content::Sum && !complete(held))
      findings_.add(reader(), "reads the sum in buffer " + buffer.name + " after " + std::to_string(held.added.size()) +
                                  " of " + std::to_string(microBatches_) + " micro-batches");
    else if (held.content == Slot::Content::Written && held.microBatch != microBatch)
      findings_.add(reader(), "reads buffer " + buffer.name + run() + ", whose slot holds micro-batch " +
                                  std::to_string(held.microBatch) + " (" + std::to_string(buffer.slots) + " slots)");
    else
      checkReadAs(buffer, readAs, held.type, reader);
  }

  /// A buffer is read as what it was left as: a sum that was left partial is not whole because its reader says so.
  template <typename Reader> void checkReadAs(const Buffer &buffer, TypeId readAs, TypeId left, Reader reader) {
    if (readAs >= 0 && left >= 0 && readAs != left &&
        plan_.types[readAs].sharding.partial != plan_.types[left].sharding.partial)
      findings_.add(reader(), "reads buffer " + buffer.name + " as " + describe(plan_.types[readAs]) +
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
    fill(held, use.write == Use::Plain ? Slot::Content::Written : Slot::Content::Sum, entry.microBatch, use.left,
         use.intermediate.empty() ? nullptr : &use.intermediate);
  }

  bool complete(const Slot &slot) const { return slot.added.size() == microBatches_; }

  void ends() {
    for (const Parameter &parameter : plan_.parameters) {
      if (parameter.stage == index_)
        updated(parameter.value, parameter.state, parameter);
      for (const Replica &replica : parameter.replicas)
        if (replica.stage == index_)
          updated(replica.value, replica.state, parameter);
    }
    if (!isLast_)
      return;
    for (const auto &[output, id] : plan_.outputs) {
      const Slot &held = slot(id, 0);
      whole(held, [&, &output = output] { return "output " + output; });
      if (held.content == Slot::Content::Nothing)
        findings_.add("output " + output, "buffer " + stage_.buffers[id].name + " is never written");
      else if (held.content == Slot::Content::Sum && !complete(held))
        findings_.add("output " + output, "is the sum of " + std::to_string(held.added.size()) +
                                              " micro-batches, expected " + std::to_string(microBatches_));
    }
  }

  void updated(BufferId value, const std::vector<std::pair<std::string, BufferId>> &states,
               const Parameter &parameter) {
    auto where = [&] { return "parameter " + parameter.name + (parameter.replicas.empty() ? "" : " on " + where_); };
    if (slot(value, 0).content == Slot::Content::Nothing)
      findings_.add(where(), "no update writes it");
    whole(slot(value, 0), where);
    for (const auto &[name, id] : states)
      whole(slot(id, 0), [&, &name = name] { return where() + ", state " + name; });
  }

  template <typename Where> void whole(const Slot &held, Where where) {
    if (held.intermediate)
      findings_.add(where(), "is left with an intermediate result of " + *held.intermediate);
    if (held.type >= 0 && plan_.types[held.type].sharding.isPartial())
      findings_.add(where(), "is left with " + describe(plan_.types[held.type]) +
                                 ", expected a whole value: a reduction is missing");
  }

  const Plan &plan_;
  const int32_t index_;
  const Stage &stage_;
  std::string where_;
  bool isLast_;
  const std::vector<BufferId> &standIns_;
  Findings &findings_;
  int64_t microBatches_;
  // Of the buffers that are followed:
  std::vector<std::vector<Slot>> slots_;
  std::vector<std::vector<std::pair<BufferId, const ProgramEffects::BufferUse *>>> uses_; ///< Per program.
  std::vector<std::vector<BufferId>> moved_;                                              ///< Per channel.
};

/// For every buffer the first one that is used like it: what they hold is alike at every point of the schedule.
std::vector<BufferId> usedAlike(const Stage &stage, const std::vector<ProgramEffects> &effects) {
  std::vector<std::vector<int32_t>> manners(stage.buffers.size());
  for (size_t b = 0; b < stage.buffers.size(); ++b)
    manners[b] = {static_cast<int32_t>(stage.buffers[b].kind), stage.buffers[b].type, stage.buffers[b].slots};
  for (size_t p = 0; p < effects.size(); ++p)
    for (const auto &[id, use] : effects[p].buffers)
      manners[id].insert(manners[id].end(),
                         {static_cast<int32_t>(p), static_cast<int32_t>(use.read), static_cast<int32_t>(use.write),
                          use.readAs, use.left, use.intermediate.empty()});
  for (size_t c = 0; c < stage.channels.size(); ++c)
    for (BufferId id : stage.channels[c].buffers)
      manners[id].push_back(-1 - static_cast<int32_t>(c)); // Never a program.
  std::map<std::vector<int32_t>, BufferId> first;
  std::vector<BufferId> standIns;
  for (size_t b = 0; b < stage.buffers.size(); ++b)
    standIns.push_back(first.try_emplace(std::move(manners[b]), static_cast<BufferId>(b)).first->second);
  return standIns;
}

} // namespace

void checkSchedule(const Plan &plan, size_t stage, const std::vector<ProgramEffects> &effects, Findings &findings) {
  checkRuns(plan, stage, findings);
  // One of the buffers that are used alike says whether anything is wrong with them, which layers and micro-batches
  // would multiply. Messages name each, so a fault is looked for again, in all of them.
  std::vector<BufferId> standIns = usedAlike(plan.stages[stage], effects);
  Findings found;
  ContentChecker(plan, stage, effects, standIns, found).check();
  if (found.empty())
    return;
  std::iota(standIns.begin(), standIns.end(), 0);
  ContentChecker(plan, stage, effects, standIns, findings).check();
}

} // namespace modelpar::planformat
