//===- Schedule.cpp - schedule generators ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPipe (Huang et al., arXiv:1811.06965) and one-forward-one-backward (Narayanan et
// al., arXiv:1806.03377, with the flush at the end of the step).
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include "modelpar/Schedule/MicroBatchSet.h"

#include <algorithm>
#include <tuple>

using namespace modelpar::schedule;

std::string_view modelpar::schedule::name(Kind kind) { return kind == Kind::GPipe ? "gpipe" : "1f1b"; }

std::optional<Kind> modelpar::schedule::parseKind(std::string_view text) {
  if (text == "gpipe")
    return Kind::GPipe;
  if (text == "1f1b")
    return Kind::OneFOneB;
  return std::nullopt;
}

std::string_view modelpar::schedule::name(Phase phase) {
  switch (phase) {
  case Phase::Forward:
    return "forward";
  case Phase::Backward:
    return "backward";
  case Phase::Update:
    return "update";
  case Phase::Exchange:
    return "exchange";
  }
  return "?";
}

bool modelpar::schedule::carriesActivations(const Transfer &transfer, int64_t stage) {
  return (transfer.direction == Transfer::Direction::Send) == (transfer.peer > stage);
}

std::string modelpar::schedule::toString(const Transfer &transfer, int64_t stage) {
  return (carriesActivations(transfer, stage) ? "F" : "B") + std::to_string(transfer.microBatch) +
         (transfer.direction == Transfer::Direction::Send ? ">" : "<") + std::to_string(transfer.peer);
}

std::string modelpar::schedule::toString(const Entry &entry, int64_t stage) {
  if (entry.phase == Phase::Update)
    return "U";
  if (entry.phase != Phase::Exchange)
    return (entry.phase == Phase::Forward ? "F" : "B") + std::to_string(entry.microBatch);
  std::string text;
  for (const Transfer &transfer : entry.transfers)
    text += (text.empty() ? "" : " ") + toString(transfer, stage);
  return "(" + text + ")";
}

std::string modelpar::schedule::toString(const std::vector<Entry> &entries, int64_t stage) {
  std::string text;
  for (const Entry &entry : entries)
    text += (text.empty() ? "" : " ") + toString(entry, stage);
  return text;
}

std::vector<Entry> modelpar::schedule::generate(Kind kind, int64_t stage, int64_t numStages, int64_t numMicroBatches) {
  // How many forwards run before the first backward; afterwards each backward is followed by the next forward.
  int64_t warmUp = numStages - stage;
  if (kind == Kind::GPipe && numStages > 1)
    warmUp = numMicroBatches;
  warmUp = std::min(warmUp, numMicroBatches);
  std::vector<Entry> entries;
  entries.reserve(static_cast<size_t>(2 * numMicroBatches + 1));
  int64_t forward = 0;
  for (; forward < warmUp; ++forward)
    entries.push_back({Phase::Forward, forward});
  for (int64_t backward = 0; backward < numMicroBatches; ++backward) {
    entries.push_back({Phase::Backward, backward});
    if (forward < numMicroBatches)
      entries.push_back({Phase::Forward, forward++});
  }
  entries.push_back({Phase::Update, 0});
  return entries;
}

namespace {

using Direction = Transfer::Direction;

/// What a stage exchanges between two of its programs: a send of what the one made, and a receive of what the other
/// needs.
struct Gap {
  std::optional<Transfer> send, receive;
};

/// The gap before each entry.
std::vector<Gap> gapsOf(const std::vector<Entry> &programs, int64_t stage, int64_t numStages) {
  // Activations come from the stage before and go to the one after; gradients the other way round.
  auto transfer = [&](const Entry &entry, Direction direction) -> std::optional<Transfer> {
    if (entry.phase != Phase::Forward && entry.phase != Phase::Backward)
      return std::nullopt;
    bool next = (entry.phase == Phase::Forward) == (direction == Direction::Send);
    int64_t peer = next ? stage + 1 : stage - 1;
    if (peer < 0 || peer >= numStages)
      return std::nullopt;
    return Transfer{direction, peer, entry.microBatch};
  };
  std::vector<Gap> gaps(programs.size());
  for (size_t i = 0; i < programs.size(); ++i) {
    gaps[i].receive = transfer(programs[i], Direction::Receive);
    if (i > 0)
      gaps[i].send = transfer(programs[i - 1], Direction::Send);
  }
  return gaps;
}

bool isPair(const Gap &gap) { return gap.send && gap.receive && gap.send->peer == gap.receive->peer; }

/// The pairs of all stages: stage, peer, micro-batch sent, micro-batch received.
using Pairs = std::vector<std::tuple<int64_t, int64_t, int64_t, int64_t>>;

} // namespace

std::vector<std::vector<Entry>> modelpar::schedule::withExchanges(const std::vector<std::vector<Entry>> &stages) {
  std::vector<std::vector<Gap>> gaps;
  Pairs pairs;
  for (size_t s = 0; s < stages.size(); ++s) {
    auto stage = static_cast<int64_t>(s);
    gaps.push_back(gapsOf(stages[s], stage, static_cast<int64_t>(stages.size())));
    for (const Gap &gap : gaps.back())
      if (isPair(gap))
        pairs.emplace_back(stage, gap.send->peer, gap.send->microBatch, gap.receive->microBatch);
  }
  std::sort(pairs.begin(), pairs.end());
  auto isMet = [&](int64_t stage, const Gap &gap) {
    return std::binary_search(pairs.begin(), pairs.end(),
                              std::tuple(gap.send->peer, stage, gap.receive->microBatch, gap.send->microBatch));
  };
  std::vector<std::vector<Entry>> result(stages.size());
  for (size_t s = 0; s < stages.size(); ++s)
    for (size_t i = 0; i < stages[s].size(); ++i) {
      const auto &[send, receive] = gaps[s][i];
      auto exchange = [&](std::vector<Transfer> transfers) {
        result[s].push_back({Phase::Exchange, 0, std::move(transfers)});
      };
      if (isPair(gaps[s][i]) && isMet(static_cast<int64_t>(s), gaps[s][i])) {
        exchange({*send, *receive});
      } else {
        if (send)
          exchange({*send});
        if (receive)
          exchange({*receive});
      }
      result[s].push_back(stages[s][i]);
    }
  return result;
}

std::vector<std::vector<Entry>> modelpar::schedule::pipeline(Kind kind, int64_t numStages, int64_t numMicroBatches) {
  std::vector<std::vector<Entry>> stages;
  for (int64_t stage = 0; stage < numStages; ++stage)
    stages.push_back(generate(kind, stage, numStages, numMicroBatches));
  return withExchanges(stages);
}

int64_t modelpar::schedule::maxInFlight(const std::vector<Entry> &entries) {
  MicroBatchSet inFlight;
  int64_t most = 0;
  for (const Entry &entry : entries) {
    if (entry.phase == Phase::Forward)
      inFlight.insert(entry.microBatch);
    else if (entry.phase == Phase::Backward)
      inFlight.erase(entry.microBatch);
    // Gradients are received for what is in flight already.
    for (const Transfer &transfer : entry.transfers)
      if (transfer.direction == Direction::Receive)
        inFlight.insert(transfer.microBatch);
    most = std::max(most, inFlight.size());
  }
  return most;
}
