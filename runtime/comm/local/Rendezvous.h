//===- Rendezvous.h - where the members of a local group meet -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A barrier that knows who has arrived, gives up in bounded time, and does not let anybody leave while a peer may still
// read its memory: an aborted member stays until no peer is working.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_LOCAL_RENDEZVOUS_H
#define MODELPAR_RUNTIME_COMM_LOCAL_RENDEZVOUS_H

#include "runtime/comm/Communicator.h"
#include "runtime/comm/local/Watch.h"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace modelpar::runtime {

/// What a member shows to its peers while it is in a call.
struct Offer {
  const Collective *collective = nullptr;
  std::span<void *const> inputs, outputs;
  uint64_t value = 0;
};

class Rendezvous final : public WaitingPlace {
public:
  explicit Rendezvous(std::vector<int64_t> ranks);

  enum class Outcome { Met, Aborted, TimedOut };

  /// Enters a call: shows the offer and waits for all members. Met: the member is working, and reads peers' offers and
  /// memory until it calls next() or leave().
  Outcome enter(int64_t member, const Offer &offer, Patience &patience);
  /// Ends this member's work and waits until all have ended theirs; when `working`, all go on working.
  Outcome next(int64_t member, bool working, Patience &patience);
  /// Ends this member's work in an error: waits only until no peer works.
  void leave();
  /// From now on nobody meets here. Any thread.
  void abort();

  /// A peer's offer, while working.
  const Offer &offer(int64_t member) const { return offers_[static_cast<size_t>(member)]; }
  /// After TimedOut: "1, 3"; those that had come and those that had not.
  std::string present() { return list(true); }
  std::string missing() { return list(false); }

  void markAwaited(int64_t member, std::span<char> awaited) override;
  bool spread(std::span<char> awaited) override;

private:
  Outcome meet(std::unique_lock<std::mutex> &lock, int64_t member, bool working, Patience &patience);
  std::string list(bool present);
  /// markAwaited, under the lock; true when a mark is new.
  bool mark(size_t member, std::span<char> awaited) const;

  std::vector<int64_t> ranks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Offer> offers_;
  std::vector<bool> present_;
  size_t arrived_ = 0, working_ = 0;
  uint64_t generation_ = 0; ///< Meetings so far.
  bool aborted_ = false;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_LOCAL_RENDEZVOUS_H
