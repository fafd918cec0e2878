//===- LocalCommunicator.cpp - ranks that are threads of one process ------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An all_reduce is two pieces of work, each ended by a meeting: the owner of a chunk sums it from all inputs, then
// every member copies the others' chunks. The other collectives are one piece: each member takes what it needs from the
// peers' inputs.
//
//===----------------------------------------------------------------------===//

#include "runtime/comm/local/LocalCommunicator.h"

#include "runtime/comm/DataMovement.h"
#include "runtime/comm/local/ExchangeBoard.h"
#include "runtime/comm/local/Rendezvous.h"
#include "runtime/comm/local/Watch.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {
/// What the members of a group share.
struct MeetingPlace {
  explicit MeetingPlace(const std::vector<int64_t> &ranks) : rendezvous(ranks), board(ranks) {}
  void abort() {
    rendezvous.abort();
    board.abort();
  }
  Rendezvous rendezvous; ///< Collectives.
  ExchangeBoard board;   ///< Exchanges.
};
} // namespace

struct LocalWorld::State {
  State(int64_t size, std::chrono::duration<double> timeout) : size(size), world(allRanks(size)), watch(size, timeout) {
    watch.add(world);
  }

  static std::vector<int64_t> allRanks(int64_t size) {
    std::vector<int64_t> ranks;
    for (int64_t i = 0; i < size; ++i)
      ranks.push_back(i);
    return ranks;
  }
  void abort(const Status &status) {
    std::lock_guard lock(mutex);
    if (reason.ok())
      reason = status;
    world.abort();
    for (auto &[key, group] : groups)
      group->abort();
  }
  Status whyAborted() {
    std::lock_guard lock(mutex);
    return reason;
  }

  const int64_t size;
  Rendezvous world;
  std::mutex mutex;
  std::map<std::tuple<std::string, int64_t, std::vector<int64_t>>, std::unique_ptr<MeetingPlace>> groups;
  Status reason; ///< Of the first abort; ok before.
  Watch watch;
};

namespace {

class LocalGroup final : public Group {
public:
  LocalGroup(std::string name, std::vector<int64_t> ranks, int64_t index, MeetingPlace &place,
             std::atomic<int64_t> &sent)
      : Group(std::move(name), ranks, index), rendezvous(place.rendezvous), board(place.board), sent(sent),
        sources(ranks.size()) {}
  Rendezvous &rendezvous;
  ExchangeBoard &board;
  std::atomic<int64_t> &sent;
  std::vector<const std::byte *> sources; ///< Room for the members' pointers.
};

bool same(const CollectivePart &a, const CollectivePart &b) {
  return a.dtype == b.dtype && a.outer == b.outer && a.inner == b.inner && a.extents == b.extents &&
         a.middle == b.middle && a.gathered == b.gathered && a.splitFirst == b.splitFirst;
}

bool same(const Collective &a, const Collective &b) {
  return a.kind == b.kind && a.reduce == b.reduce && a.root == b.root && a.shift == b.shift &&
         std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(),
                    [](const CollectivePart &x, const CollectivePart &y) { return same(x, y); });
}

std::string text(const std::vector<int64_t> &ranks) {
  std::string result;
  for (int64_t rank : ranks)
    result += (result.empty() ? "" : ", ") + std::to_string(rank);
  return result;
}

/// Without trailing zeros.
std::string decimal(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text.back() == '.' ? text.substr(0, text.size() - 1) : text;
}

class LocalCommunicator final : public Communicator {
public:
  LocalCommunicator(LocalWorld::State &state, int64_t rank) : state_(state), rank_(rank) {}

  std::string_view kind() const override { return "local"; }
  int64_t rank() const override { return rank_; }
  int64_t worldSize() const override { return state_.size; }

  Status createGroup(const std::vector<int64_t> &ranks, const std::string &axes, int64_t tag,
                     std::unique_ptr<Group> &group) override;
  Status run(Group &group, const Collective &collective, std::span<void *const> inputs, std::span<void *const> outputs,
             void *nativeStream) override;
  bool canExchange() const override { return true; }
  Status exchange(Group &group, std::span<Transfer> transfers, void *nativeStream) override;
  Status barrier(std::string_view what) override { return agree(0, what); }
  Status agree(uint64_t value, std::string_view what) override;
  void abort(const Status &reason) override { state_.abort(reason); }
  std::vector<Traffic> traffic() const override {
    std::lock_guard lock(mutex_);
    std::vector<Traffic> result;
    for (const auto &[axes, bytes] : sent_)
      result.push_back({axes, bytes.load()});
    return result;
  }

private:
  /// "60 s without progress there (--timeout=60)"
  std::string limit() const {
    const std::string value = decimal(state_.watch.timeout().count());
    return value + " s without progress there (--timeout=" + value + ")";
  }
  /// The status of an outcome other than Met; a timeout aborts everybody. `where` is only put together for an error.
  template <typename Where> Status explain(Rendezvous::Outcome outcome, Rendezvous &rendezvous, Where where) {
    if (outcome == Rendezvous::Outcome::Met)
      return {};
    std::string prefix = "rank " + std::to_string(rank_) + ": " + where();
    if (outcome == Rendezvous::Outcome::Aborted)
      return {StatusCode::Aborted, prefix + ": stopped because another rank failed: " + state_.whyAborted().message()};
    Status status = Status::unavailable(prefix + ": no arrival of rank " + rendezvous.missing() + " within " + limit() +
                                        "; arrived: rank " + rendezvous.present());
    state_.abort(status);
    return status;
  }

  LocalWorld::State &state_;
  const int64_t rank_;
  mutable std::mutex mutex_; ///< Guards the map, not the counters in it.
  std::map<std::string, std::atomic<int64_t>> sent_;
};

} // namespace

Status LocalCommunicator::createGroup(const std::vector<int64_t> &ranks, const std::string &axes, int64_t tag,
                                      std::unique_ptr<Group> &group) {
  auto place = std::find(ranks.begin(), ranks.end(), rank_);
  for (int64_t rank : ranks)
    if (rank < 0 || rank >= state_.size || std::count(ranks.begin(), ranks.end(), rank) != 1)
      place = ranks.end();
  std::string name = "{" + axes + "} (ranks " + text(ranks) + ")";
  if (place == ranks.end())
    return Status::internal("group " + name + " is not a set of ranks below " + std::to_string(state_.size) +
                            " with rank " + std::to_string(rank_));
  std::atomic<int64_t> *sent = nullptr;
  {
    std::lock_guard lock(mutex_);
    sent = &sent_[axes];
  }
  std::lock_guard lock(state_.mutex);
  std::unique_ptr<MeetingPlace> &meeting = state_.groups[{axes, tag, ranks}];
  if (!meeting) {
    meeting = std::make_unique<MeetingPlace>(ranks);
    state_.watch.add(meeting->rendezvous);
    state_.watch.add(meeting->board);
    if (!state_.reason.ok())
      meeting->abort();
  }
  group = std::make_unique<LocalGroup>(name, ranks, place - ranks.begin(), *meeting, *sent);
  return {};
}

Status LocalCommunicator::agree(uint64_t value, std::string_view what) {
  auto where = [&] { return std::string(what) + " over all ranks"; };
  Patience patience(state_.watch);
  Offer offer;
  offer.value = value;
  MODELPAR_RETURN_IF_ERROR(explain(state_.world.enter(rank_, offer, patience), state_.world, where));
  int64_t other = -1;
  for (int64_t i = 0; i < state_.size && other < 0; ++i)
    if (state_.world.offer(i).value != state_.world.offer(0).value)
      other = i;
  // All members see the same offers and leave by the same way.
  MODELPAR_RETURN_IF_ERROR(explain(state_.world.next(rank_, /*working=*/false, patience), state_.world, where));
  if (other < 0)
    return {};
  return Status::invalid("ranks 0 and " + std::to_string(other) + " do not have the same " + std::string(what));
}

/// Every member compares all offers, so either all go on or none touches another's memory.
static Status compare(const LocalGroup &group) {
  auto at = [&](int64_t member) {
    const Collective &collective = *group.rendezvous.offer(member).collective;
    return "rank " + std::to_string(group.ranks()[static_cast<size_t>(member)]) + " is at " +
           std::string(modelpar::runtime::name(collective.kind)) + " in " + collective.label;
  };
  for (int64_t i = 1; i < group.size(); ++i)
    if (!same(*group.rendezvous.offer(i).collective, *group.rendezvous.offer(0).collective))
      return Status::internal("the members of " + group.name() + " do not run the same collective: " + at(0) + ", " +
                              at(i));
  return {};
}

/// The one piece of work of most collectives, the first one of an all_reduce: from all inputs to this member's output.
static void compute(LocalGroup &group, const Collective &collective, size_t p, std::byte *output) {
  const CollectivePart &part = collective.parts[p];
  const int64_t me = group.index(), size = group.size();
  for (int64_t i = 0; i < size; ++i)
    group.sources[static_cast<size_t>(i)] = static_cast<std::byte *>(group.rendezvous.offer(i).inputs[p]);
  std::span<const std::byte *const> sources = group.sources;
  switch (collective.kind) {
  case CollectiveKind::AllReduce: {
    Chunk chunk = chunkOf(part.outer * part.inner, me, size);
    return reduce(collective.reduce, part.dtype, sources, chunk.offset, chunk.count,
                  output + chunk.offset * planformat::byteSize(part.dtype));
  }
  case CollectiveKind::ReduceScatter:
    return reduceScatter(collective.reduce, part, me, sources, output);
  case CollectiveKind::AllGather:
    for (int64_t i = 0; i < size; ++i)
      gatherFrom(part, i, sources[static_cast<size_t>(i)], output);
    return;
  case CollectiveKind::AllToAll:
    for (int64_t i = 0; i < size; ++i)
      exchangeFrom(part, me, i, sources[static_cast<size_t>(i)], output);
    return;
  case CollectiveKind::Broadcast:
  case CollectiveKind::CollectivePermute: {
    const bool permutes = collective.kind == CollectiveKind::CollectivePermute;
    const std::byte *source =
        sources[static_cast<size_t>(permutes ? permuteSource(collective, me, size) : collective.root)];
    if (int64_t bytes = outputBytes(collective, part, me); bytes > 0 && source != output)
      std::memcpy(output, source, static_cast<size_t>(bytes));
    return;
  }
  }
}

/// The second piece of an all_reduce: the chunks that the others own.
static void copyChunks(const LocalGroup &group, const CollectivePart &part, size_t p, std::byte *output) {
  const int64_t size = group.size(), element = planformat::byteSize(part.dtype);
  for (int64_t i = 0; i < size; ++i) {
    Chunk chunk = chunkOf(part.outer * part.inner, i, size);
    const auto *theirs = static_cast<const std::byte *>(group.rendezvous.offer(i).outputs[p]);
    if (i != group.index() && chunk.count > 0)
      std::memcpy(output + chunk.offset * element, theirs + chunk.offset * element,
                  static_cast<size_t>(chunk.count * element));
  }
}

Status LocalCommunicator::run(Group &base, const Collective &collective, std::span<void *const> inputs,
                              std::span<void *const> outputs, void *) {
  auto &group = static_cast<LocalGroup &>(base);
  Rendezvous &rendezvous = group.rendezvous;
  const int64_t me = group.index();
  Patience patience(state_.watch);
  auto where = [&] {
    return collective.label + ": " + std::string(modelpar::runtime::name(collective.kind)) + " over " + group.name();
  };
  Offer mine;
  mine.collective = &collective;
  mine.inputs = inputs;
  mine.outputs = outputs;
  MODELPAR_RETURN_IF_ERROR(explain(rendezvous.enter(me, mine, patience), rendezvous, where));
  if (Status status = compare(group); !status.ok()) {
    state_.abort(status);
    rendezvous.leave();
    return status;
  }
  for (size_t p = 0; p < collective.parts.size(); ++p)
    compute(group, collective, p, static_cast<std::byte *>(outputs[p]));
  if (collective.kind == CollectiveKind::AllReduce) {
    MODELPAR_RETURN_IF_ERROR(explain(rendezvous.next(me, /*working=*/true, patience), rendezvous, where));
    for (size_t p = 0; p < collective.parts.size(); ++p)
      copyChunks(group, collective.parts[p], p, static_cast<std::byte *>(outputs[p]));
  }
  MODELPAR_RETURN_IF_ERROR(explain(rendezvous.next(me, /*working=*/false, patience), rendezvous, where));
  group.sent.fetch_add(ringBytes(collective, group), std::memory_order_relaxed);
  return {};
}

Status LocalCommunicator::exchange(Group &base, std::span<Transfer> transfers, void *) {
  auto &group = static_cast<LocalGroup &>(base);
  Patience patience(state_.watch);
  const ExchangeBoard::Result result = group.board.run(group.index(), transfers, patience);
  if (result.outcome == ExchangeBoard::Outcome::Done) {
    for (const Transfer &transfer : transfers)
      if (transfer.direction == Transfer::Direction::Send)
        group.sent.fetch_add(transfer.bytes, std::memory_order_relaxed);
    return {};
  }
  std::string where = "rank " + std::to_string(rank_) + ": ", peer = "a peer";
  if (result.transfer) {
    where += result.transfer->label + " ";
    peer = "rank " + std::to_string(group.ranks()[static_cast<size_t>(result.transfer->peer)]);
  }
  where += "over " + group.name() + ": ";
  if (result.outcome == ExchangeBoard::Outcome::Aborted)
    return {StatusCode::Aborted, where + "stopped because another rank failed: " + state_.whyAborted().message()};
  Status status = result.outcome == ExchangeBoard::Outcome::TimedOut
                      ? Status::unavailable(where + peer + " has not come to it within " + limit())
                      : Status::internal(where + "expected " + std::to_string(result.transfer->bytes) + " bytes, " +
                                         peer + " sends " + std::to_string(result.peerBytes));
  state_.abort(status);
  return status;
}

LocalWorld::LocalWorld(int64_t size, std::chrono::duration<double> timeout)
    : state_(std::make_unique<State>(size, timeout)) {}
LocalWorld::~LocalWorld() = default;
int64_t LocalWorld::size() const { return state_->size; }
Activity &LocalWorld::activity(int64_t rank) { return state_->watch.activity(rank); }
std::unique_ptr<Communicator> LocalWorld::communicator(int64_t rank) {
  return std::make_unique<LocalCommunicator>(*state_, rank);
}
