//===- Schedule.h - which program runs on which micro-batch, in order -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule is data: per pipeline stage a list of *run phase P on micro-batch m*.
// One generator makes it and one checker verifies it; the cost model and the
// lowering both call them.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SCHEDULE_SCHEDULE_H
#define MODELPAR_SCHEDULE_SCHEDULE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelpar::schedule {

enum class Kind {
  GPipe,   ///< All forward passes, then all backward passes.
  OneFOneB ///< One forward, one backward in turn, after as many forwards as there are later stages.
};
std::string_view name(Kind kind); ///< "gpipe", "1f1b"
std::optional<Kind> parseKind(std::string_view);

enum class Phase { Forward, Backward, Update };
std::string_view name(Phase phase); ///< "forward", "backward", "update"

struct Entry {
  Phase phase = Phase::Forward;
  int64_t microBatch = 0;
  bool operator==(const Entry &) const = default;
};
/// `F0 F1 B0 B1 U`
std::string toString(const std::vector<Entry> &entries);

/// The entries of one stage for one step. With one stage nobody waits for a later forward, so both kinds alternate forward
/// and backward (one micro-batch in flight).
std::vector<Entry> generate(Kind kind, int64_t stage, int64_t numStages, int64_t numMicroBatches);

/// The largest number of micro-batches whose forward has started and whose backward has not finished: how many slots a saved
/// activation needs.
int64_t maxInFlight(const std::vector<Entry> &entries);

/// What is wrong with the schedules of all stages (index = stage); nothing when they are valid. Per stage: every micro-batch
/// forward once, then backward once; one update at the end; at most `slots[stage]` in flight when `slots` is given, and never two
/// that share a slot (micro-batch modulo slots). Over stages: run in order with the rendezvous of neighbours (forward
/// of m needs forward of m in the stage before, backward that of the stage after), all stages finish.
std::optional<std::string> verify(const std::vector<std::vector<Entry>> &stages, int64_t numMicroBatches,
                                  const std::vector<int64_t> &slots = {});

} // namespace modelpar::schedule

#endif // MODELPAR_SCHEDULE_SCHEDULE_H
