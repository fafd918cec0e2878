//===- Stages.cpp - what passes between the stages of a plan --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stages meet at exchanges and at collectives over the stage axis. All ranks of a stage
// run one list, and rank and peer differ along that axis alone, so a replay of the stages
// under rendezvous stands for all ranks: when it completes, so does every execution, however
// the streams run, since list order is one of the orders they allow and allows the least.
// Collectives inside a stage are between ranks at the same place of one list.
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"
#include "modelpar/Schedule/Rendezvous.h"

#include <algorithm>
#include <optional>

namespace modelpar::planformat {
namespace {

using sharding::AxisRef;
using sharding::kStageAxis;

/// A collective over the stage axis in a program, its calls expanded.
struct Crossing {
  std::string where;   ///< "program update, instruction 3 (all_reduce, stream 1)"
  std::string content; ///< What all members must have alike.
  std::string axes;
  std::vector<size_t> members; ///< Stages.
  schedule::Meeting meeting = {};
};

/// What an event of the replay is: an exchange, or a collective of a program's run.
struct Origin {
  size_t entry = 0;                   ///< Of the stage's schedule.
  const Crossing *crossing = nullptr; ///< Null: an exchange.
};

/// Blocks that call blocks could expand without bound.
constexpr size_t kMaxCrossings = size_t{1} << 16;

class StagesChecker {
public:
  StagesChecker(const Plan &plan, Findings &findings)
      : plan_(plan), findings_(findings), crosses_(plan.blocks.size()), crossings_(plan.stages.size()),
        events_(plan.stages.size()), origins_(plan.stages.size()) {}

  void check() {
    if (plan_.mesh.size(kStageAxis) != static_cast<int64_t>(plan_.stages.size()))
      findings_.add("stages", "the plan has " + std::to_string(plan_.stages.size()) + " stages on " +
                                  std::to_string(plan_.mesh.size(kStageAxis)) + " coordinates of axis pp");
    types();
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      for (size_t c = 0; c < plan_.stages[s].channels.size(); ++c)
        channel(s, c);
    if (!findings_.empty() || plan_.stages.size() == 1)
      return;
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      addStage(s);
    if (findings_.empty())
      replay();
  }

private:
  static std::string stageText(size_t stage) { return "stage " + std::to_string(stage); }

  /// Stages hold different values, never parts of one: only a sum may be spread over them.
  void types() {
    for (size_t t = 0; t < plan_.types.size(); ++t)
      for (const sharding::DimSharding &dim : plan_.types[t].sharding.dims)
        for (const AxisRef &axis : dim)
          if (axis.name == kStageAxis)
            findings_.add("type " + std::to_string(t), "splits a dimension over axis pp, whose coordinates are stages");
    for (size_t s = 0; s < plan_.stages.size(); ++s) {
      for (const Buffer &buffer : plan_.stages[s].buffers)
        partialHere(s, buffer.type, [&] { return "buffer " + buffer.name; });
      for (const Program &program : plan_.stages[s].programs)
        for (size_t v = 0; v < program.body.values.size(); ++v)
          partialHere(s, program.body.values[v].type,
                      [&] { return "program " + program.body.name + ", value " + std::to_string(v); });
    }
  }

  /// A value that is partial over some stages lives on those.
  template <typename Where> void partialHere(size_t stage, TypeId type, Where where) {
    for (const sharding::PartialAxis &partial : plan_.types[type].sharding.partial)
      if (partial.axis.name == kStageAxis && !partial.axis.subset.empty() &&
          !std::binary_search(partial.axis.subset.begin(), partial.axis.subset.end(), static_cast<int64_t>(stage)))
        findings_.add(stageText(stage) + ", " + where(),
                      "is partial over " + toText(plan_.mesh, partial.axis) + ", to which this stage does not belong");
  }

  //===--------------------------------------------------------------------===//
  // Channels
  //===--------------------------------------------------------------------===//

  const Channel *counterpart(size_t stage, const Channel &channel) const {
    for (const Channel &other : plan_.stages[channel.peer].channels)
      if (other.direction != channel.direction && other.peer == static_cast<int32_t>(stage))
        return &other;
    return nullptr;
  }

  /// Both ends are alike.
  void channel(size_t stage, size_t index) {
    const Channel &channel = plan_.stages[stage].channels[index];
    std::string where = stageText(stage) + ", channel " + std::to_string(index);
    bool sends = channel.direction == Channel::Direction::Send;
    std::string peer = stageText(channel.peer);
    const Channel *other = counterpart(stage, channel);
    if (!other)
      return findings_.add(where, std::string(sends ? "sends to " : "receives from ") + peer +
                                      ", which has no channel that " + (sends ? "receives from " : "sends to ") +
                                      stageText(stage));
    if (!sends)
      return; // The rest is said once.
    if (channel.buffers.size() != other->buffers.size())
      return findings_.add(where, "sends " + std::to_string(channel.buffers.size()) + " buffers to " + peer +
                                      ", which receives " + std::to_string(other->buffers.size()));
    for (size_t b = 0; b < channel.buffers.size(); ++b) {
      const Buffer &sent = plan_.stages[stage].buffers[channel.buffers[b]];
      const Buffer &received = plan_.stages[channel.peer].buffers[other->buffers[b]];
      if (plan_.types[sent.type] != plan_.types[received.type])
        findings_.add(where, "sends buffer " + sent.name + " of type " + describe(plan_.types[sent.type]) + " to " +
                                 peer + ", which receives it as " + received.name + " of type " +
                                 describe(plan_.types[received.type]));
    }
  }

  //===--------------------------------------------------------------------===//
  // Events
  //===--------------------------------------------------------------------===//

  size_t group(const std::string &key, std::vector<size_t> members) {
    auto [it, isNew] = groupIds_.try_emplace(key, groups_.size());
    if (isNew)
      groups_.push_back(std::move(members));
    return it->second;
  }

  int64_t content(const std::string &text) {
    return contentIds_.try_emplace(text, static_cast<int64_t>(contentIds_.size())).first->second;
  }

  void addStage(size_t stage) {
    const Stage &s = plan_.stages[stage];
    std::vector<std::vector<Crossing>> &crossings = crossings_[stage];
    crossings.resize(s.programs.size());
    for (size_t p = 0; p < s.programs.size(); ++p) {
      cross(stage, s.programs[p].body, stageText(stage) + ", program " + s.programs[p].body.name, crossings[p]);
      for (Crossing &crossing : crossings[p])
        crossing.meeting = {group(crossing.axes + " " + std::to_string(crossing.members[0]), crossing.members),
                            content(crossing.content)};
    }
    std::vector<size_t> groups;
    for (const Channel &channel : s.channels)
      groups.push_back(groupOf(stage, channel));
    for (size_t e = 0; e < s.schedule.size(); ++e) {
      const ScheduleEntry &entry = s.schedule[e];
      if (!entry.isExchange()) {
        for (const Crossing &crossing : crossings[entry.program])
          addEvent(stage, {e, &crossing}).meetings.push_back(crossing.meeting);
        continue;
      }
      schedule::Event &event = addEvent(stage, {e});
      for (const Transfer &transfer : entry.exchange)
        event.meetings.push_back({groups[transfer.channel], transfer.microBatch});
    }
  }

  schedule::Event &addEvent(size_t stage, Origin origin) {
    origins_[stage].push_back(origin);
    return events_[stage].emplace_back();
  }

  /// Who meets at the transfers of a channel.
  size_t groupOf(size_t stage, const Channel &channel) {
    size_t from = stage, to = static_cast<size_t>(channel.peer);
    if (channel.direction == Channel::Direction::Receive)
      std::swap(from, to);
    return group(std::to_string(from) + ">" + std::to_string(to), {from, to});
  }

  static bool overStages(const Instruction &i) {
    return i.kind == Instruction::Kind::Collective &&
           std::any_of(i.axes.begin(), i.axes.end(), [](const AxisRef &axis) { return axis.name == kStageAxis; });
  }

  /// Blocks call each other without cycles; most have nothing to look for.
  bool crosses(int32_t block) {
    std::optional<bool> &known = crosses_[block];
    if (!known) {
      known = false;
      for (const Instruction &i : plan_.blocks[block].instructions)
        if (overStages(i) || (i.kind == Instruction::Kind::Call && crosses(i.block))) {
          known = true;
          break;
        }
    }
    return *known;
  }

  /// Adds the collectives of a body that cross stages, in the order of the list.
  void cross(size_t stage, const Body &body, const std::string &where, std::vector<Crossing> &out) {
    for (size_t n = 0; n < body.instructions.size(); ++n) {
      const Instruction &i = body.instructions[n];
      const bool calls = i.kind == Instruction::Kind::Call && crosses(i.block);
      if (!calls && !overStages(i))
        continue;
      if (out.size() >= kMaxCrossings)
        return findings_.add(where,
                             "expands to more than " + std::to_string(kMaxCrossings) + " collectives over stages");
      if (calls)
        cross(stage, plan_.blocks[i.block], where + ", block " + plan_.blocks[i.block].name, out);
      else
        out.push_back(crossing(stage, body, i, where + ", " + describe(body, n)));
    }
  }

  Crossing crossing(size_t stage, const Body &body, const Instruction &i, const std::string &where) {
    Crossing result{where, i.op + " " + std::string(sharding::name(i.reduce)) + " over", "", {}};
    std::vector<AxisRef> stageAxes;
    for (const AxisRef &axis : i.axes) {
      result.axes += " " + toText(plan_.mesh, axis);
      if (axis.name == kStageAxis)
        stageAxes.push_back(axis);
    }
    result.content += result.axes + " on stream " + std::to_string(i.stream) + " of";
    for (ValueId input : i.inputs)
      result.content += " " + describe(plan_.types[body.values[input].type]);
    sharding::Mesh stages({{std::string(kStageAxis), plan_.mesh.size(kStageAxis)}});
    for (int64_t member : sharding::groupOf(stages, static_cast<int64_t>(stage), stageAxes))
      result.members.push_back(static_cast<size_t>(member));
    if (std::find(result.members.begin(), result.members.end(), stage) == result.members.end())
      findings_.add(where, "enters a group over" + result.axes + ", to which stage " + std::to_string(stage) +
                               " does not belong");
    return result;
  }

  //===--------------------------------------------------------------------===//
  // Replay
  //===--------------------------------------------------------------------===//

  std::string text(const schedule::Position &p) const {
    const Origin &origin = origins_[p.party][p.event];
    const std::string entry = "schedule entry " + std::to_string(origin.entry);
    if (const Crossing *crossing = origin.crossing)
      return crossing->where + " of " + entry + " (" + crossing->content + ")";
    const Stage &stage = plan_.stages[p.party];
    const Transfer &transfer = stage.schedule[origin.entry].exchange[p.meeting];
    const Channel &channel = stage.channels[transfer.channel];
    bool sends = channel.direction == Channel::Direction::Send;
    std::string buffers;
    for (BufferId id : channel.buffers)
      buffers += (buffers.empty() ? "" : ", ") + stage.buffers[id].name;
    return stageText(p.party) + ", " + entry + " (exchange), " + (sends ? "send of " : "receive of ") + buffers +
           " of micro-batch " + std::to_string(transfer.microBatch) + (sends ? " to " : " from ") +
           stageText(channel.peer);
  }

  void replay() {
    schedule::Outcome outcome = schedule::rendezvous(events_, groups_);
    if (outcome.mismatch)
      return findings_.add(text(outcome.mismatch->first),
                           "meets " + text(outcome.mismatch->second) + ": expected the same");
    if (outcome.waits.empty())
      return;
    std::string message = "deadlock: waits for ";
    for (size_t i = 1; i < outcome.waits.size(); ++i)
      message += text(outcome.waits[i]) + ", which waits for ";
    message += outcome.ended ? stageText(*outcome.ended) + ", which has come to the end of its schedule" : "the first";
    findings_.add(text(outcome.waits[0]), message);
  }

  const Plan &plan_;
  Findings &findings_;
  std::vector<std::optional<bool>> crosses_; ///< Per block: has it a collective over stages.
  std::vector<std::vector<size_t>> groups_;
  std::map<std::string, size_t> groupIds_;
  std::map<std::string, int64_t> contentIds_;
  std::vector<std::vector<std::vector<Crossing>>> crossings_; ///< Per stage and program.
  std::vector<std::vector<schedule::Event>> events_;          ///< Per stage.
  std::vector<std::vector<Origin>> origins_;                  ///< The same, for messages.
};

} // namespace

void checkStages(const Plan &plan, Findings &findings) { StagesChecker(plan, findings).check(); }

} // namespace modelpar::planformat
