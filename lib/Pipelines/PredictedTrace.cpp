//===- PredictedTrace.cpp - the timeline that the cost model sees ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/PredictedTrace.h"

#include "modelpar/CostModel/Cost.h"
#include "modelpar/Trace/Trace.h"

#include <cmath>

namespace modelpar::pipelines {

namespace {

/// Texts of instructions are made when they are first seen: bodies run many times.
class Sources {
public:
  explicit Sources(const planformat::Plan &plan) : plan_(plan) {}
  const trace::Source &of(const costmodel::PredictedEvent &event) {
    if (!event.body) {
      exchange_ = trace::exchangeSource(plan_.stages[event.stage], event.entry);
      return exchange_;
    }
    auto [place, isNew] = known_.try_emplace({event.body, event.instruction});
    if (isNew)
      place->second = trace::instructionSource(plan_, *event.body, event.instruction);
    return place->second;
  }

private:
  const planformat::Plan &plan_;
  std::map<std::pair<const planformat::Body *, size_t>, trace::Source> known_;
  trace::Source exchange_; ///< Each runs once.
};

} // namespace

std::string predictedTrace(const planformat::Plan &plan, const costmodel::Cluster &cluster) {
  constexpr int64_t kExchangeStream = 1;
  constexpr double kMicroseconds = 1e6;
  std::string text;
  trace::Writer writer([&](std::string_view part) {
    text += part;
    return true;
  });
  std::vector<int64_t> streams(plan.stages.size(), 1);
  const auto streamOf = [&](const costmodel::PredictedEvent &event) {
    return event.body ? event.body->instructions[event.instruction].stream : kExchangeStream;
  };
  costmodel::visitTimeline(plan, cluster, [&](const costmodel::PredictedEvent &event) {
    streams[event.stage] = std::max(streams[event.stage], streamOf(event) + 1);
  });
  for (size_t stage = 0; stage < plan.stages.size(); ++stage)
    writer.process(static_cast<int64_t>(stage), "stage " + std::to_string(stage) + ", predicted", streams[stage]);
  Sources sources(plan);
  costmodel::visitTimeline(plan, cluster, [&](const costmodel::PredictedEvent &event) {
    writer.event(sources.of(event), {.process = static_cast<int64_t>(event.stage),
                                     .stream = streamOf(event),
                                     .start = event.start * kMicroseconds,
                                     .duration = event.seconds * kMicroseconds,
                                     .microBatch = trace::microBatchOf(plan.stages[event.stage].schedule[event.entry]),
                                     .instance = event.instance,
                                     .bytes = std::llround(event.bytes)});
  });
  writer.flush();
  text += trace::Writer::tail();
  return text;
}

} // namespace modelpar::pipelines
