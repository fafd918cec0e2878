//===- ExchangeBoard.h - where the members of a local group exchange ------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A member shows its transfers while it is in a call. The receiver of a pair copies from the sender's memory, and
// neither leaves before. So a send ends only when its receive was posted: nothing is buffered, as with NCCL.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_LOCAL_EXCHANGEBOARD_H
#define MODELPAR_RUNTIME_COMM_LOCAL_EXCHANGEBOARD_H

#include "runtime/comm/Communicator.h"
#include "runtime/comm/local/Watch.h"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace modelpar::runtime {

class ExchangeBoard final : public WaitingPlace {
public:
  explicit ExchangeBoard(std::vector<int64_t> ranks) : ranks_(std::move(ranks)), posted_(ranks_.size()) {}

  enum class Outcome { Done, Aborted, TimedOut, Mismatch };
  struct Result {
    Outcome outcome = Outcome::Done;
    const Transfer *transfer = nullptr; ///< Not Done: one of this member's that has not ended.
    int64_t peerBytes = 0;              ///< Mismatch: what the peer sends.
  };

  /// All of one member's transfers. A member is in one call at a time.
  Result run(int64_t member, std::span<Transfer> transfers, Patience &patience);
  /// From now on nobody exchanges here. Any thread.
  void abort();

  void markAwaited(int64_t member, std::span<char> awaited) override;
  bool spread(std::span<char> awaited) override;

private:
  /// markAwaited, under the lock; true when a mark is new.
  bool mark(size_t member, std::span<char> awaited) const;
  /// Copies what can be received now. False when nothing can, or when sizes differ (see `result`).
  bool receiveOne(std::unique_lock<std::mutex> &lock, int64_t member, std::span<Transfer> transfers, Result &result);

  const std::vector<int64_t> ranks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::span<Transfer>> posted_; ///< Per member, while it is in a call.
  bool aborted_ = false;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_LOCAL_EXCHANGEBOARD_H
