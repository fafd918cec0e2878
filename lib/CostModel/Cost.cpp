//===- Cost.cpp - time of operations, collectives and whole plans --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/CostModel/Cost.h"

#include "modelpar/Schedule/Schedule.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace modelpar::costmodel {

using namespace planformat;

double opSeconds(const Cluster &cluster, DType dtype, double flops, double bytes) {
  double peak = cluster.peak(name(dtype)) * cluster.computeEfficiency;
  double bandwidth = cluster.memoryBandwidth * cluster.memoryEfficiency;
  return cluster.launchOverhead + std::max(peak > 0 ? flops / peak : 0, bandwidth > 0 ? bytes / bandwidth : 0);
}

CollectiveCost collectiveCost(const Cluster &cluster, const Link *link, std::string_view op, int64_t ranks,
                              double bytes) {
  CollectiveCost cost;
  cost.seconds = cluster.launchOverhead;
  if (!link || ranks <= 1)
    return cost;
  const bool permutes = op == "collective_permute";
  double steps = permutes ? 1 : static_cast<double>(ranks - 1) * (op == "all_reduce" ? 2 : 1);
  cost.bytesSent = permutes ? bytes : steps / static_cast<double>(ranks) * bytes;
  cost.seconds += cost.bytesSent / (link->bandwidth * cluster.linkEfficiency) + steps * link->latency;
  return cost;
}

namespace {

/// What running a body once costs; streams overlap in `seconds` alone.
struct BodyCost {
  double seconds = 0, compute = 0, communication = 0, flops = 0;
  std::map<std::string, double> sent;
  std::set<int32_t> streams; ///< That it uses, its calls included.

  void add(const BodyCost &other) {
    compute += other.compute;
    communication += other.communication;
    flops += other.flops;
    for (const auto &[axis, bytes] : other.sent)
      sent[axis] += bytes;
  }
};

/// What a body finds when it is called.
struct Activation {
  std::map<int32_t, double> busy = {}; ///< Other streams than 0: until when, in seconds from the call.
  PredictedEvent event = {};           ///< For the visitor: where and when the body begins.
};

using Visitor = std::function<void(const PredictedEvent &)>;

class Predictor {
public:
  Predictor(const Plan &plan, const Cluster &cluster)
      : plan_(plan), cluster_(cluster), blocks_(plan.blocks.size()), done_(plan.blocks.size()) {
    for (const TensorType &type : plan.types)
      typeBytes_.push_back(static_cast<double>(maxShardBytes(type)));
  }

  Prediction run() {
    Prediction result;
    std::map<std::string, double> sent;
    std::vector<schedule::StageTimes> times;
    double slowest = 0;
    for (const Stage &stage : plan_.stages) {
      const std::vector<BodyCost> programs = programCosts(stage);
      times.push_back(stageTimes(stage, programs));
      BodyCost cost = stageCost(stage, programs, times.back().transfer);
      if (cost.seconds > slowest) {
        slowest = cost.seconds;
        result.computeSeconds = cost.compute;
        result.communicationSeconds = cost.communication;
      }
      result.flops = std::max(result.flops, cost.flops);
      for (const auto &[axis, bytes] : cost.sent)
        sent[axis] = std::max(sent[axis], bytes);
      result.peakMemoryByStage.push_back(bytesPerRank(stage));
    }
    result.stepSeconds = schedule::replay(schedules(), times).makespan;
    for (const auto &[axis, bytes] : sent)
      result.communicationBytesByAxis[axis] = std::llround(bytes);
    return result;
  }

  void visit(const Visitor &visitor) {
    std::vector<schedule::StageTimes> times;
    for (const Stage &stage : plan_.stages)
      times.push_back(stageTimes(stage, programCosts(stage)));
    const schedule::Timeline timeline = schedule::replay(schedules(), times);
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      for (size_t e = 0; e < plan_.stages[s].schedule.size(); ++e)
        visitEntry(s, e, timeline.entries[s][e], visitor);
  }

private:
  std::vector<BodyCost> programCosts(const Stage &stage) {
    std::vector<BodyCost> programs;
    for (const Program &program : stage.programs)
      programs.push_back(bodyCost(program.body));
    return programs;
  }

  void visitEntry(size_t s, size_t e, const schedule::Span &span, const Visitor &visitor) {
    const Stage &stage = plan_.stages[s];
    const ScheduleEntry &entry = stage.schedule[e];
    if (!entry.isExchange()) {
      visitor_ = &visitor;
      bodyCost(stage.programs[entry.program].body, {.event = {.stage = s, .entry = e, .start = span.start}});
      visitor_ = nullptr;
      return;
    }
    PredictedEvent event{.stage = s, .entry = e, .start = span.start, .seconds = span.end - span.start};
    for (const Transfer &transfer : entry.exchange)
      event.bytes += channelBytes(stage, stage.channels[transfer.channel]);
    visitor(event);
  }

  static schedule::Phase phaseOf(Program::Kind kind) {
    return kind == Program::Kind::Forward  ? schedule::Phase::Forward
           : kind == Program::Kind::Update ? schedule::Phase::Update
                                           : schedule::Phase::Backward;
  }

  /// The plan's schedules in the form that lib/Schedule replays.
  std::vector<std::vector<schedule::Entry>> schedules() const {
    std::vector<std::vector<schedule::Entry>> all(plan_.stages.size());
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      for (const ScheduleEntry &entry : plan_.stages[s].schedule) {
        schedule::Entry &out = all[s].emplace_back();
        out.microBatch = entry.microBatch;
        out.phase =
            entry.program < 0 ? schedule::Phase::Exchange : phaseOf(plan_.stages[s].programs[entry.program].kind);
        for (const Transfer &transfer : entry.exchange) {
          const Channel &channel = plan_.stages[s].channels[transfer.channel];
          using Direction = schedule::Transfer::Direction;
          out.transfers.push_back({channel.direction == Channel::Direction::Send ? Direction::Send : Direction::Receive,
                                   channel.peer, transfer.microBatch});
        }
      }
    return all;
  }

  /// Bytes of one micro-batch through a channel.
  double channelBytes(const Stage &stage, const Channel &channel) const {
    double bytes = 0;
    for (BufferId buffer : channel.buffers)
      bytes += typeBytes_[stage.buffers[buffer].type];
    return bytes;
  }

  schedule::StageTimes stageTimes(const Stage &stage, const std::vector<BodyCost> &programs) const {
    schedule::StageTimes times{0, 0, 0, 0};
    for (size_t p = 0; p < programs.size(); ++p) {
      schedule::Phase phase = phaseOf(stage.programs[p].kind);
      (phase == schedule::Phase::Forward    ? times.forward
       : phase == schedule::Phase::Backward ? times.backward
                                            : times.update) += programs[p].seconds;
    }
    // The longest of what it sends; neighbours along pp are as far apart as its ranks 0 and 1.
    for (const Channel &channel : stage.channels) {
      if (channel.direction != Channel::Direction::Send)
        continue;
      const sharding::AxisRef axis = plan_.mesh.axis(sharding::kStageAxis);
      const int64_t span = 1 + sharding::groupOf(plan_.mesh, 0, {axis})[1];
      const Link *link = cluster_.linkFor(span);
      double seconds = cluster_.launchOverhead;
      if (link)
        seconds += channelBytes(stage, channel) / (link->bandwidth * cluster_.linkEfficiency) + link->latency;
      times.transfer = std::max(times.transfer, seconds);
    }
    return times;
  }

  BodyCost stageCost(const Stage &stage, const std::vector<BodyCost> &programs, double transferSeconds) const {
    BodyCost cost;
    for (const ScheduleEntry &entry : stage.schedule) {
      if (entry.program >= 0) {
        cost.add(programs[entry.program]);
        cost.seconds += programs[entry.program].seconds;
      }
      for (const Transfer &transfer : entry.exchange)
        if (const Channel &channel = stage.channels[transfer.channel]; channel.direction == Channel::Direction::Send) {
          cost.sent[std::string(sharding::kStageAxis)] += channelBytes(stage, channel);
          cost.communication += transferSeconds;
        }
    }
    return cost;
  }

  const BodyCost &blockCost(int32_t block) {
    if (!done_[block]) {
      blocks_[block] = bodyCost(plan_.blocks[block]);
      done_[block] = true;
    }
    return blocks_[block];
  }

  /// Streams run beside each other, ordered by events alone. A body starts where stream 0 is, on other streams after
  /// what these still do, and ends when all that it uses have. A call holds the streams that the callee uses until
  /// then; the others run on.
  BodyCost bodyCost(const Body &body, const Activation &call = {}) {
    BodyCost cost;
    std::map<int32_t, double> streams;
    std::vector<double> events(body.numEvents, 0);
    for (size_t index = 0; index < body.instructions.size(); ++index) {
      const Instruction &i = body.instructions[index];
      auto [place, isNew] = streams.try_emplace(i.stream, 0.0);
      double &now = place->second;
      if (auto busy = call.busy.find(i.stream); isNew && busy != call.busy.end())
        now = std::max(now, busy->second);
      for (int32_t event : i.waits)
        now = std::max(now, events[event]);
      if (i.kind == Instruction::Kind::Call) {
        const double end = now + called(i, streams, now, call, cost);
        for (int32_t stream : blockCost(i.block).streams)
          streams[stream] = end;
        now = end;
      } else if (i.kind != Instruction::Kind::Wait) {
        double bytes = 0;
        const double seconds =
            i.kind == Instruction::Kind::Collective ? collective(body, i, cost, bytes) : kernel(body, i, cost, bytes);
        if (visitor_)
          (*visitor_)({.stage = call.event.stage,
                       .entry = call.event.entry,
                       .body = &body,
                       .instruction = index,
                       .instance = call.event.instance,
                       .start = call.event.start + now,
                       .seconds = seconds,
                       .bytes = bytes});
        now += seconds;
      }
      if (i.record >= 0)
        events[i.record] = now;
    }
    for (const auto &[stream, time] : streams) {
      cost.seconds = std::max(cost.seconds, time);
      cost.streams.insert(stream);
    }
    return cost;
  }

  /// The seconds of a call at `now`; adds what it costs beside them.
  double called(const Instruction &i, const std::map<int32_t, double> &streams, double now, const Activation &caller,
                BodyCost &cost) {
    Activation call{.event = caller.event};
    call.event.start += now;
    call.event.instance = i.instance;
    // What the caller's own callers left on a stream that it has not used itself is still there.
    std::map<int32_t, double> times = caller.busy;
    for (const auto &[stream, time] : streams)
      times[stream] = time;
    for (const auto &[stream, time] : times)
      if (stream != i.stream && time > now)
        call.busy[stream] = time - now;
    // Mostly nothing is under way then, and every call of the block takes the same time.
    if (call.busy.empty() && !visitor_) {
      cost.add(blockCost(i.block));
      return blockCost(i.block).seconds;
    }
    const BodyCost callee = bodyCost(plan_.blocks[i.block], call);
    cost.add(callee);
    return callee.seconds;
  }

  double kernel(const Body &body, const Instruction &i, BodyCost &cost, double &bytes) {
    double flops = 0;
    for (const std::vector<ValueId> *list : {&i.inputs, &i.outputs})
      for (ValueId value : *list)
        bytes += typeBytes_[body.values[value].type];
    if (auto it = i.attributes.find(std::string(kFlopsAttribute)); it != i.attributes.end())
      if (const double *value = std::get_if<double>(&it->second))
        flops = *value;
    DType dtype = DType::F32;
    if (!i.inputs.empty())
      dtype = plan_.types[body.values[i.inputs[0]].type].dtype;
    double seconds = opSeconds(cluster_, dtype, flops, bytes);
    cost.compute += seconds;
    cost.flops += flops;
    return seconds;
  }

  double collective(const Body &body, const Instruction &i, BodyCost &cost, double &bytes) {
    // Members of the first rank's group; the others are shifted copies of it.
    std::vector<int64_t> group = sharding::groupOf(plan_.mesh, 0, i.axes);
    int64_t span = 1 + *std::max_element(group.begin(), group.end());
    for (size_t n = 0; n < i.inputs.size(); ++n)
      bytes += std::max(typeBytes_[body.values[i.inputs[n]].type], typeBytes_[body.values[i.outputs[n]].type]);
    CollectiveCost result =
        collectiveCost(cluster_, cluster_.linkFor(span), i.op, static_cast<int64_t>(group.size()), bytes);
    std::string axes;
    for (const sharding::AxisRef &axis : i.axes)
      axes += (axes.empty() ? "" : "+") + axis.name;
    cost.sent[axes] += result.bytesSent;
    cost.communication += result.seconds;
    return result.seconds;
  }

  const Plan &plan_;
  const Cluster &cluster_;
  std::vector<BodyCost> blocks_;
  std::vector<char> done_;
  std::vector<double> typeBytes_;
  const Visitor *visitor_ = nullptr; ///< Sees what bodyCost walks over.
};

} // namespace

Prediction predict(const Plan &plan, const Cluster &cluster) { return Predictor(plan, cluster).run(); }

void visitTimeline(const Plan &plan, const Cluster &cluster, const Visitor &visit) {
  Predictor(plan, cluster).visit(visit);
}

} // namespace modelpar::costmodel
