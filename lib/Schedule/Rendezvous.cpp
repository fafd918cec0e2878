//===- Rendezvous.cpp - replay of parties that wait for each other --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Schedule/Rendezvous.h"

#include <algorithm>

using namespace modelpar::schedule;

namespace {

/// A member's coming to a meeting.
struct Arrival {
  Position position;
  double time = 0;
};

struct Group {
  const std::vector<size_t> *members = nullptr;
  std::vector<std::vector<Arrival>> arrivals; ///< Per member, in order.
};

class Replay {
public:
  Replay(const std::vector<std::vector<Event>> &parties, const std::vector<std::vector<size_t>> &groups)
      : parties_(parties), next_(parties.size(), 0), open_(parties.size(), 0), clock_(parties.size(), 0) {
    for (const std::vector<size_t> &members : groups)
      groups_.push_back({&members, std::vector<std::vector<Arrival>>(members.size())});
    outcome_.spans.resize(parties.size());
  }

  Outcome run() {
    for (size_t party = 0; party < parties_.size(); ++party)
      ready_.push_back(party);
    while (!ready_.empty() && !outcome_.mismatch) {
      size_t party = ready_.back();
      ready_.pop_back();
      advance(party);
    }
    if (!outcome_.mismatch)
      findWaits();
    return std::move(outcome_);
  }

private:
  /// Runs events until one waits.
  void advance(size_t party) {
    while (next_[party] < parties_[party].size() && !outcome_.mismatch) {
      const Event &event = parties_[party][next_[party]];
      double start = clock_[party];
      clock_[party] += event.seconds;
      outcome_.spans[party].push_back({start, clock_[party]});
      double arrival = clock_[party];
      open_[party] = event.meetings.size();
      for (size_t m = 0; m < event.meetings.size(); ++m)
        arrive({{party, next_[party], m}, arrival});
      if (open_[party] > 0)
        return; // The last member to come moves this party on.
      finish(party);
    }
  }

  void finish(size_t party) {
    outcome_.spans[party].back().end = clock_[party];
    ++next_[party];
  }

  const Meeting &at(const Position &p) const { return parties_[p.party][p.event].meetings[p.meeting]; }

  void arrive(const Arrival &arrival) {
    const Meeting &meeting = at(arrival.position);
    Group &group = groups_[meeting.group];
    size_t self = memberOf(group, arrival.position.party);
    size_t n = group.arrivals[self].size();
    group.arrivals[self].push_back(arrival);
    double last = arrival.time, seconds = 0;
    for (const std::vector<Arrival> &others : group.arrivals) {
      if (others.size() <= n)
        return;
      const Meeting &other = at(others[n].position);
      if (other.content != meeting.content) {
        outcome_.mismatch = std::minmax(arrival.position, others[n].position,
                                        [](const Position &a, const Position &b) { return a.party < b.party; });
        return;
      }
      last = std::max(last, others[n].time);
      seconds = std::max(seconds, other.seconds);
    }
    for (const std::vector<Arrival> &others : group.arrivals)
      leave(others[n].position.party, arrival.position.party, last + seconds);
  }

  static size_t memberOf(const Group &group, size_t party) {
    return static_cast<size_t>(std::find(group.members->begin(), group.members->end(), party) - group.members->begin());
  }

  void leave(size_t party, size_t running, double time) {
    clock_[party] = std::max(clock_[party], time);
    if (--open_[party] > 0 || party == running)
      return; // The running party looks after itself.
    finish(party);
    ready_.push_back(party);
  }

  /// The first meeting of the party's event that not everybody has come to, and a member that it waits for.
  std::pair<Position, size_t> waitOf(size_t party) const {
    const Event &event = parties_[party][next_[party]];
    for (size_t m = 0; m < event.meetings.size(); ++m) {
      Position position{party, next_[party], m};
      const Group &group = groups_[event.meetings[m].group];
      const std::vector<Arrival> &mine = group.arrivals[memberOf(group, party)];
      auto here = std::find_if(mine.rbegin(), mine.rend(), [&](const Arrival &a) { return a.position == position; });
      size_t n = mine.size() - 1 - static_cast<size_t>(here - mine.rbegin());
      for (size_t member = 0; member < group.arrivals.size(); ++member)
        if (group.arrivals[member].size() <= n)
          return {position, (*group.members)[member]};
    }
    return {};
  }

  void findWaits() {
    size_t party = 0;
    while (party < parties_.size() && next_[party] == parties_[party].size())
      ++party;
    if (party == parties_.size())
      return;
    // Follow who waits for whom until somebody comes again: what leads to the cycle is not part of it.
    std::vector<Position> &waits = outcome_.waits;
    while (true) {
      auto [position, other] = waitOf(party);
      auto seen = std::find_if(waits.begin(), waits.end(), [&](const Position &p) { return p.party == party; });
      if (seen != waits.end()) {
        waits.erase(waits.begin(), seen);
        return;
      }
      waits.push_back(position);
      party = other;
      if (next_[party] == parties_[party].size()) {
        outcome_.ended = party;
        return;
      }
    }
  }

  const std::vector<std::vector<Event>> &parties_;
  std::vector<Group> groups_;
  std::vector<size_t> next_;  ///< Per party: the event it is at.
  std::vector<size_t> open_;  ///< Per party: meetings of that event that have not ended.
  std::vector<double> clock_; ///< Per party: the latest end of what it has done.
  std::vector<size_t> ready_;
  Outcome outcome_;
};

} // namespace

Outcome modelpar::schedule::rendezvous(const std::vector<std::vector<Event>> &parties,
                                       const std::vector<std::vector<size_t>> &groups) {
  return Replay(parties, groups).run();
}
