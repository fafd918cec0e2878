//===- ScheduleRuns.cpp - what a stage's schedule runs --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"
#include "modelpar/Schedule/MicroBatchSet.h"

namespace modelpar::planformat {

std::string transferText(const Stage &stage, const std::string &where, size_t entry, const Transfer &transfer) {
  const Channel &channel = stage.channels[transfer.channel];
  bool sends = channel.direction == Channel::Direction::Send;
  return where + ", schedule entry " + std::to_string(entry) + " (exchange), " + (sends ? "send to" : "receive from") +
         " stage " + std::to_string(channel.peer) + " of micro-batch " + std::to_string(transfer.microBatch);
}

namespace {

using schedule::MicroBatchSet;

/// Every program and every channel runs on every micro-batch once; updates once.
class RunsChecker {
public:
  RunsChecker(const Plan &plan, size_t stage, Findings &findings)
      : stage_(plan.stages[stage]), where_("stage " + std::to_string(stage)), findings_(findings),
        microBatches_(plan.mesh.numMicroBatches()) {}

  void check() {
    programs();
    transfers();
  }

private:
  void programs() {
    std::vector<MicroBatchSet> seen(stage_.programs.size());
    std::vector<int64_t> counts(stage_.programs.size(), 0);
    for (const ScheduleEntry &entry : stage_.schedule) {
      if (entry.isExchange())
        continue;
      const Program &program = stage_.programs[entry.program];
      if (!seen[entry.program].insert(entry.microBatch))
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

  void transfers() {
    std::vector<MicroBatchSet> seen(stage_.channels.size());
    for (size_t e = 0; e < stage_.schedule.size(); ++e)
      for (const Transfer &transfer : stage_.schedule[e].exchange)
        if (!seen[transfer.channel].insert(transfer.microBatch))
          findings_.add(transferText(stage_, where_, e, transfer), "is done a second time");
    for (size_t c = 0; c < seen.size(); ++c)
      if (seen[c].size() != microBatches_)
        findings_.add(where_, "channel " + std::to_string(c) + " (" + std::string(name(stage_.channels[c].direction)) +
                                  ", stage " + std::to_string(stage_.channels[c].peer) + ") transfers " +
                                  std::to_string(seen[c].size()) + " micro-batches, expected " +
                                  std::to_string(microBatches_));
  }

  const Stage &stage_;
  std::string where_;
  Findings &findings_;
  int64_t microBatches_;
};

} // namespace

void checkRuns(const Plan &plan, size_t stage, Findings &findings) { RunsChecker(plan, stage, findings).check(); }

} // namespace modelpar::planformat
