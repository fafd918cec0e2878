//===- Schedule.cpp - schedule generators and checker ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GPipe (Huang et al., arXiv:1811.06965) and one-forward-one-backward (Narayanan et
// al., arXiv:1806.03377, with the flush at the end of the step), and their checker.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Schedule.h"

#include <algorithm>
#include <set>

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
  }
  return "?";
}

static std::string toString(const Entry &entry) {
  if (entry.phase == Phase::Update)
    return "U";
  return (entry.phase == Phase::Forward ? "F" : "B") + std::to_string(entry.microBatch);
}

std::string modelpar::schedule::toString(const std::vector<Entry> &entries) {
  std::string text;
  for (const Entry &entry : entries)
    text += (text.empty() ? "" : " ") + ::toString(entry);
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

int64_t modelpar::schedule::maxInFlight(const std::vector<Entry> &entries) {
  int64_t inFlight = 0, most = 0;
  for (const Entry &entry : entries) {
    if (entry.phase == Phase::Forward)
      most = std::max(most, ++inFlight);
    else if (entry.phase == Phase::Backward)
      --inFlight;
  }
  return most;
}

namespace {

/// The order within one stage.
std::optional<std::string> verifyStage(size_t stage, const std::vector<Entry> &entries, int64_t numMicroBatches,
                                       int64_t slots) {
  auto error = [&](size_t i, std::string what) {
    return "stage " + std::to_string(stage) + ", entry " + std::to_string(i) + " (" + ::toString(entries[i]) +
           "): " + what;
  };
  std::set<int64_t> forward, backward;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry &entry = entries[i];
    if (entry.phase == Phase::Update) {
      if (i + 1 != entries.size())
        return error(i, "expected the update at the end");
      if (static_cast<int64_t>(backward.size()) != numMicroBatches)
        return error(i, "expected " + std::to_string(numMicroBatches) + " backward passes before the update, found " +
                            std::to_string(backward.size()));
      return std::nullopt;
    }
    if (entry.microBatch < 0 || entry.microBatch >= numMicroBatches)
      return error(i, "expected a micro-batch below " + std::to_string(numMicroBatches));
    if (entry.phase == Phase::Forward) {
      if (!forward.insert(entry.microBatch).second)
        return error(i, "runs twice");
      for (int64_t other : forward)
        if (slots > 0 && other != entry.microBatch && !backward.count(other) && other % slots == entry.microBatch % slots)
          return error(i, "takes the slot of micro-batch " + std::to_string(other) + ", which is in flight");
      continue;
    }
    if (!forward.count(entry.microBatch))
      return error(i, "backward before forward");
    if (!backward.insert(entry.microBatch).second)
      return error(i, "runs twice");
  }
  return "stage " + std::to_string(stage) + ": expected an update at the end, found none";
}

} // namespace

std::optional<std::string> modelpar::schedule::verify(const std::vector<std::vector<Entry>> &stages,
                                                      int64_t numMicroBatches, const std::vector<int64_t> &slots) {
  for (size_t s = 0; s < stages.size(); ++s)
    if (auto error = verifyStage(s, stages[s], numMicroBatches, s < slots.size() ? slots[s] : 0))
      return error;

  // Replay: a stage runs its next entry once what it needs from a neighbour has run.
  std::vector<size_t> next(stages.size(), 0);
  std::vector<std::set<int64_t>> forward(stages.size()), backward(stages.size());
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t s = 0; s < stages.size(); ++s) {
      while (next[s] < stages[s].size()) {
        const Entry &entry = stages[s][next[s]];
        if (entry.phase == Phase::Forward && s > 0 && !forward[s - 1].count(entry.microBatch))
          break;
        if (entry.phase == Phase::Backward && s + 1 < stages.size() && !backward[s + 1].count(entry.microBatch))
          break;
        if (entry.phase == Phase::Forward)
          forward[s].insert(entry.microBatch);
        else if (entry.phase == Phase::Backward)
          backward[s].insert(entry.microBatch);
        ++next[s];
        progress = true;
      }
    }
  }
  for (size_t s = 0; s < stages.size(); ++s)
    if (next[s] < stages[s].size())
      return "deadlock: stage " + std::to_string(s) + " waits at entry " + std::to_string(next[s]) + " (" +
             ::toString(stages[s][next[s]]) + ")";
  return std::nullopt;
}
