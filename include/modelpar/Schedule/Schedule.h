//===- Schedule.h - which program runs on which micro-batch, in order -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule is data: per pipeline stage a list of *run phase P on micro-batch m* and of
// exchanges with the neighbours. One generator makes it and one checker verifies it; the
// cost model and the lowering both call them.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SCHEDULE_SCHEDULE_H
#define MODELPAR_SCHEDULE_SCHEDULE_H

#include "modelpar/Schedule/Rendezvous.h"

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

enum class Phase { Forward, Backward, Update, Exchange };
std::string_view name(Phase phase); ///< "forward", "backward", "update", "exchange"

/// What a stage sends to a neighbour or receives from it: towards later stages the activations of a micro-batch,
/// towards earlier ones its gradients.
struct Transfer {
  enum class Direction { Send, Receive };
  Direction direction = Direction::Send;
  int64_t peer = 0; ///< Stage.
  int64_t microBatch = 0;
  bool operator==(const Transfer &) const = default;
};
/// Activations or gradients, seen from the stage whose transfer it is.
bool carriesActivations(const Transfer &transfer, int64_t stage);

/// Either a program (forward, backward, update) or an exchange: a grouped launch of all its transfers, between
/// programs. It ends when every transfer has met its counterpart.
struct Entry {
  Phase phase = Phase::Forward;
  int64_t microBatch = 0; ///< Of a program; an update has 0.
  std::vector<Transfer> transfers = {};
  bool operator==(const Entry &) const = default;
};
/// `F0 F1 B0 B1 U`; exchanges of stage 1 `(F0<0)`: receive forward activations of micro-batch 0 from stage 0, `(F1>2
/// B0<2)`: send activations of micro-batch 1 to stage 2 and receive gradients of micro-batch 0 from it.
std::string toString(const std::vector<Entry> &entries, int64_t stage = 0);
std::string toString(const Entry &entry, int64_t stage);
std::string toString(const Transfer &transfer, int64_t stage);

/// The programs of one stage for one step. With one stage nobody waits for a later forward, so both kinds alternate
/// forward and backward (one micro-batch in flight).
std::vector<Entry> generate(Kind kind, int64_t stage, int64_t numStages, int64_t numMicroBatches);

/// Puts the exchanges between the programs of all stages (index = stage): activations of a micro-batch are received
/// just before its forward and sent just after it, gradients likewise around its backward. Where the programs before
/// and after make a stage send to a neighbour and receive from the same one, and the neighbour does the converse
/// between two of its programs, both do it in one exchange (the steady state of 1f1b, as in Megatron-LM: Narayanan et
/// al., arXiv:2104.04473); alone, each would wait for the other.
std::vector<std::vector<Entry>> withExchanges(const std::vector<std::vector<Entry>> &stages);

/// `withExchanges` of what `generate` gives for every stage.
std::vector<std::vector<Entry>> pipeline(Kind kind, int64_t numStages, int64_t numMicroBatches);

/// The largest number of micro-batches that have been received or whose forward has started, and whose backward has not
/// finished: how many slots a saved activation needs.
int64_t maxInFlight(const std::vector<Entry> &entries);

/// What is wrong with the schedules of all stages (index = stage); nothing when they are valid. Per stage: every
/// micro-batch forward once, then backward once; one update at the end; activations received before the forward,
/// gradients before the backward, and sent only after them, each once; at most `slots[stage]` in flight when `slots` is
/// given, and never two that share a slot (micro-batch modulo slots). Over stages: every send meets its receive, in
/// order, and under rendezvous (nothing is buffered) all stages finish; a deadlock is named by the entries that wait
/// for each other.
std::optional<std::string> verify(const std::vector<std::vector<Entry>> &stages, int64_t numMicroBatches,
                                  const std::vector<int64_t> &slots = {});

/// How long a stage's programs take, and one transfer that it sends.
struct StageTimes {
  double forward = 1, backward = 1, update = 0, transfer = 0;
};

struct Timeline {
  std::vector<std::vector<Span>> entries; ///< Per stage and entry; an exchange's span has its waiting in it.
  std::vector<double> busy;               ///< Per stage: seconds in programs.
  double makespan = 0;                    ///< End of the last stage.
  /// The share of the makespan in which the stage runs no program: the bubble, and what exchanges take.
  double idleShare(size_t stage) const { return makespan > 0 ? (makespan - busy[stage]) / makespan : 0; }
};

/// Runs verified schedules with the given times (one per stage).
Timeline replay(const std::vector<std::vector<Entry>> &stages, const std::vector<StageTimes> &times);

} // namespace modelpar::schedule

#endif // MODELPAR_SCHEDULE_SCHEDULE_H
