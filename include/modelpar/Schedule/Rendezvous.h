//===- Rendezvous.h - replay of parties that wait for each other ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parties (pipeline stages) run lists of events in order. An event may meet others: a
// send meets its receive, a collective all members of its group. Nothing is buffered: no
// member leaves a meeting before the last one has come. What may happen is then
// independent of how fast anyone is, so one replay either completes, and so does every
// execution, or it names the parties that wait for each other.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SCHEDULE_RENDEZVOUS_H
#define MODELPAR_SCHEDULE_RENDEZVOUS_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace modelpar::schedule {

/// The n-th meeting of a member on a group is with the n-th of every other member.
struct Meeting {
  size_t group = 0;    ///< Index into the groups; the party is a member.
  int64_t content = 0; ///< What is exchanged: must be equal for all members.
  double seconds = 0;  ///< Duration once all have come; the largest of the members counts.
};

/// Takes `seconds` of the party's own work, then begins all its meetings at once and ends with the last of them.
struct Event {
  double seconds = 0;
  std::vector<Meeting> meetings = {};
};

/// Seconds from the start of the first event of all.
struct Span {
  double start = 0, end = 0;
};

/// A meeting of an event of a party.
struct Position {
  size_t party = 0, event = 0, meeting = 0;
  bool operator==(const Position &) const = default;
};

struct Outcome {
  /// Per party and event; only as far as the replay came.
  std::vector<std::vector<Span>> spans;
  /// Two members of a group whose n-th meetings differ in content.
  std::optional<std::pair<Position, Position>> mismatch;
  /// Who waits at the end of the replay: each for the next one, the last for the first, or for `ended`. Empty:
  /// everybody came to the end.
  std::vector<Position> waits;
  /// The party that has no more events and is still waited for.
  std::optional<size_t> ended;
  bool completes() const { return !mismatch && waits.empty(); }
};

/// `groups[g]` lists the members of a group, each once.
Outcome rendezvous(const std::vector<std::vector<Event>> &parties, const std::vector<std::vector<size_t>> &groups);

} // namespace modelpar::schedule

#endif // MODELPAR_SCHEDULE_RENDEZVOUS_H
