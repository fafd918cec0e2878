//===- Verify.cpp - checker and replay of schedules -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/MicroBatchSet.h"
#include "modelpar/Schedule/Schedule.h"

#include <algorithm>

using namespace modelpar::schedule;

namespace {

using Direction = Transfer::Direction;

std::string where(int64_t stage, size_t index, const Entry &entry) {
  return "stage " + std::to_string(stage) + ", entry " + std::to_string(index) + " (" + toString(entry, stage) + ")";
}

/// The order within one stage.
class StageVerifier {
public:
  StageVerifier(int64_t stage, int64_t numStages, const std::vector<Entry> &entries, int64_t numMicroBatches,
                int64_t slots)
      : stage_(stage), numStages_(numStages), entries_(entries), microBatches_(numMicroBatches), slots_(slots) {}

  std::optional<std::string> verify() {
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry &entry = entries_[i];
      std::optional<std::string> error;
      if (entry.phase == Phase::Update)
        return end(i);
      if (entry.phase == Phase::Exchange)
        error = exchange(entry);
      else
        error = program(entry);
      if (error)
        return where(stage_, i, entry) + ": " + *error;
    }
    return "stage " + std::to_string(stage_) + ": expected an update at the end, found none";
  }

private:
  /// Micro-batches that have come so far.
  struct Progress {
    MicroBatchSet received, done, sent;
  };

  bool isFirst() const { return stage_ == 0; }
  bool isLast() const { return stage_ + 1 == numStages_; }

  std::optional<std::string> below(int64_t microBatch) const {
    if (microBatch < 0 || microBatch >= microBatches_)
      return "expected a micro-batch below " + std::to_string(microBatches_);
    return std::nullopt;
  }

  /// A micro-batch in flight whose slot `microBatch` would take.
  std::optional<std::string> takesSlot(int64_t microBatch) const {
    for (int64_t other = slots_ > 0 ? microBatch % slots_ : microBatches_; other < microBatches_; other += slots_)
      if (other != microBatch && inFlight_.contains(other))
        return "takes the slot of micro-batch " + std::to_string(other) + ", which is in flight";
    return std::nullopt;
  }

  std::optional<std::string> program(const Entry &entry) {
    if (auto error = below(entry.microBatch))
      return error;
    bool isForward = entry.phase == Phase::Forward;
    Progress &progress = isForward ? forward_ : backward_;
    if (!isForward && !forward_.done.contains(entry.microBatch))
      return "backward before forward";
    if (!(isForward ? isFirst() : isLast()) && !progress.received.contains(entry.microBatch))
      return std::string("runs before it has received the ") + (isForward ? "activations" : "gradients") +
             " of micro-batch " + std::to_string(entry.microBatch);
    if (!progress.done.insert(entry.microBatch))
      return "runs twice";
    if (!isForward) {
      inFlight_.erase(entry.microBatch);
      return std::nullopt;
    }
    inFlight_.insert(entry.microBatch);
    return takesSlot(entry.microBatch);
  }

  std::optional<std::string> exchange(const Entry &entry) {
    // All begin together: a receive does not make what a send of the same exchange needs.
    for (const Transfer &transfer : entry.transfers) {
      if (auto error = below(transfer.microBatch))
        return error;
      if (std::abs(transfer.peer - stage_) != 1 || transfer.peer < 0 || transfer.peer >= numStages_)
        return toString(transfer, stage_) + ": stage " + std::to_string(transfer.peer) + " is no neighbour";
      bool activations = carriesActivations(transfer, stage_);
      Progress &progress = activations ? forward_ : backward_;
      bool isSend = transfer.direction == Direction::Send;
      if (isSend && !progress.done.contains(transfer.microBatch))
        return toString(transfer, stage_) + " is sent before it is made";
      if (!(isSend ? progress.sent : progress.received).insert(transfer.microBatch))
        return toString(transfer, stage_) + " is " + (isSend ? "sent" : "received") + " twice";
      if (isSend || !activations)
        continue;
      inFlight_.insert(transfer.microBatch);
      if (auto error = takesSlot(transfer.microBatch))
        return error;
    }
    return std::nullopt;
  }

  std::optional<std::string> end(size_t index) const {
    auto error = [&](const std::string &what) { return where(stage_, index, entries_[index]) + ": " + what; };
    auto all = [&](const MicroBatchSet &found) { return found.size() == microBatches_; };
    if (index + 1 != entries_.size())
      return error("expected the update at the end");
    std::string expected = "expected " + std::to_string(microBatches_);
    if (!all(backward_.done))
      return error(expected + " backward passes before the update, found " + std::to_string(backward_.done.size()));
    if (!isLast() && !all(forward_.sent))
      return error(expected + " sends of activations before the update, found " + std::to_string(forward_.sent.size()));
    if (!isFirst() && !all(backward_.sent))
      return error(expected + " sends of gradients before the update, found " + std::to_string(backward_.sent.size()));
    return std::nullopt;
  }

  int64_t stage_, numStages_;
  const std::vector<Entry> &entries_;
  int64_t microBatches_, slots_;
  MicroBatchSet inFlight_; ///< Received or forward, and not backward yet.
  Progress forward_, backward_;
};

/// Groups of the replay: one per directed pair of neighbours, 2·stage to the next one and 2·stage + 1 back.
std::vector<std::vector<size_t>> neighbourGroups(size_t numStages) {
  std::vector<std::vector<size_t>> groups;
  for (size_t stage = 0; stage + 1 < numStages; ++stage)
    groups.insert(groups.end(), 2, {stage, stage + 1});
  return groups;
}

Event eventOf(const Entry &entry, int64_t stage, const StageTimes &times) {
  Event event;
  event.seconds = entry.phase == Phase::Forward    ? times.forward
                  : entry.phase == Phase::Backward ? times.backward
                  : entry.phase == Phase::Update   ? times.update
                                                   : 0;
  for (const Transfer &transfer : entry.transfers) {
    bool isSend = transfer.direction == Direction::Send;
    int64_t group = 2 * std::min(stage, transfer.peer) + (carriesActivations(transfer, stage) ? 0 : 1);
    event.meetings.push_back({static_cast<size_t>(group), transfer.microBatch, isSend ? times.transfer : 0});
  }
  return event;
}

Outcome run(const std::vector<std::vector<Entry>> &stages, const std::vector<StageTimes> &times) {
  std::vector<std::vector<Event>> parties(stages.size());
  for (size_t s = 0; s < stages.size(); ++s)
    for (const Entry &entry : stages[s])
      parties[s].push_back(eventOf(entry, static_cast<int64_t>(s), times[s]));
  return rendezvous(parties, neighbourGroups(stages.size()));
}

/// "stage 0, entry 3 (F1>1 B0<1), at F1>1"
std::string describe(const std::vector<std::vector<Entry>> &stages, const Position &position) {
  auto stage = static_cast<int64_t>(position.party);
  const Entry &entry = stages[position.party][position.event];
  return where(stage, position.event, entry) + ", at " + toString(entry.transfers[position.meeting], stage);
}

} // namespace

std::optional<std::string> modelpar::schedule::verify(const std::vector<std::vector<Entry>> &stages,
                                                      int64_t numMicroBatches, const std::vector<int64_t> &slots) {
  for (size_t s = 0; s < stages.size(); ++s)
    if (auto error = StageVerifier(static_cast<int64_t>(s), static_cast<int64_t>(stages.size()), stages[s],
                                   numMicroBatches, s < slots.size() ? slots[s] : 0)
                         .verify())
      return error;
  Outcome outcome = run(stages, std::vector<StageTimes>(stages.size()));
  if (outcome.mismatch)
    return describe(stages, outcome.mismatch->first) + " meets " + describe(stages, outcome.mismatch->second) +
           ": expected the same micro-batch";
  if (outcome.waits.empty())
    return std::nullopt;
  std::string text = "deadlock: ";
  for (const Position &position : outcome.waits)
    text += describe(stages, position) + ", waits for ";
  return text + (outcome.ended ? "stage " + std::to_string(*outcome.ended) + ", which has ended"
                               : describe(stages, outcome.waits.front()));
}

Timeline modelpar::schedule::replay(const std::vector<std::vector<Entry>> &stages,
                                    const std::vector<StageTimes> &times) {
  Timeline timeline;
  timeline.entries = run(stages, times).spans;
  timeline.busy.assign(stages.size(), 0);
  for (size_t s = 0; s < stages.size(); ++s)
    for (size_t i = 0; i < timeline.entries[s].size(); ++i) {
      const Span &span = timeline.entries[s][i];
      if (stages[s][i].phase != Phase::Exchange)
        timeline.busy[s] += span.end - span.start;
      timeline.makespan = std::max(timeline.makespan, span.end);
    }
  return timeline;
}
