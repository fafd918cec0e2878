//===- ExchangeConformance.cpp - exchanges between pairs of ranks ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the suite for communicators that can exchange: what arrives, what waits for what, failures.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorConformance.h"

#include <atomic>
#include <thread>
#include <vector>

namespace modelpar::runtime {
namespace {

constexpr auto kSend = Transfer::Direction::Send, kReceive = Transfer::Direction::Receive;

Transfer transfer(Transfer::Direction direction, int64_t peer, std::vector<int> &data) {
  return {.direction = direction,
          .peer = peer,
          .data = data.data(),
          .bytes = static_cast<int64_t>(data.size() * sizeof(int)),
          .label = std::string(direction == kSend ? "send" : "receive") + " test"};
}

Status expectAll(const std::vector<int> &data, int expected, const std::string &what) {
  for (int found : data)
    if (found != expected)
      return Status::internal(what + ": found " + std::to_string(found) + ", expected " + std::to_string(expected));
  return {};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ExchangeConformance);

/// Activations one way and gradients the other, as in the middle of a pipeline; several rounds over the same memory.
TEST_P(ExchangeConformance, NeighboursExchangeInBothDirections) {
  Status status = exchangeAll(4, [](Communicator &communicator, Group &group) {
    const int64_t me = communicator.rank(), last = group.size() - 1;
    std::vector<int> right(1000), left(500), fromLeft(1000), fromRight(500);
    std::vector<Transfer> transfers;
    if (me < last) {
      transfers.push_back(transfer(kSend, me + 1, right));
      transfers.push_back(transfer(kReceive, me + 1, fromRight));
    }
    if (me > 0) {
      transfers.push_back(transfer(kReceive, me - 1, fromLeft));
      transfers.push_back(transfer(kSend, me - 1, left));
    }
    for (int round = 0; round < 200; ++round) {
      right.assign(1000, static_cast<int>(me) * 10 + round);
      left.assign(500, -static_cast<int>(me) * 10 - round);
      MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, transfers));
      if (me > 0)
        MODELPAR_RETURN_IF_ERROR(expectAll(fromLeft, static_cast<int>(me - 1) * 10 + round, "from the left"));
      if (me < last)
        MODELPAR_RETURN_IF_ERROR(expectAll(fromRight, -static_cast<int>(me + 1) * 10 - round, "from the right"));
    }
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

/// One side groups, the other does not; tensors of several sizes, an empty one among them, keep their order.
TEST_P(ExchangeConformance, TransfersMeetInOrderWhateverTheCalls) {
  Status status = exchangeAll(2, [](Communicator &communicator, Group &group) {
    std::vector<int> a(3, 1), none, b(3, 2), back(2, 3);
    if (communicator.rank() == 0) {
      std::vector<Transfer> all{transfer(kSend, 1, a), transfer(kSend, 1, none), transfer(kSend, 1, b),
                                transfer(kReceive, 1, back)};
      MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, all));
      return expectAll(back, 5, "back");
    }
    std::vector<int> first(3), nothing, second(3), answer(2, 5);
    for (std::vector<int> *part : {&first, &nothing, &second}) {
      Transfer one = transfer(kReceive, 0, *part);
      MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, std::span(&one, 1)));
    }
    Transfer last = transfer(kSend, 0, answer);
    MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, std::span(&last, 1)));
    MODELPAR_RETURN_IF_ERROR(expectAll(first, 1, "first"));
    return expectAll(second, 2, "second");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(ExchangeConformance, ASendWaitsForItsReceive) {
  std::atomic<bool> posting{false};
  Status status = exchangeAll(2, [&](Communicator &communicator, Group &group) -> Status {
    std::vector<int> data(1);
    Transfer one = transfer(communicator.rank() == 0 ? kSend : kReceive, 1 - communicator.rank(), data);
    if (communicator.rank() == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      posting = true;
    }
    MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, std::span(&one, 1)));
    return posting ? Status() : Status::internal("the send ended before its receive was posted");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(ExchangeConformance, CountsWhatIsSent) {
  Status status = exchangeAll(2, [](Communicator &communicator, Group &group) {
    std::vector<int> out(100), in(10), small(10), large(100);
    bool first = communicator.rank() == 0;
    std::vector<Transfer> transfers{transfer(kSend, 1 - communicator.rank(), first ? out : small),
                                    transfer(kReceive, 1 - communicator.rank(), first ? in : large)};
    for (int round = 0; round < 3; ++round)
      MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, transfers));
    std::vector<Traffic> traffic = communicator.traffic();
    bool right = traffic.size() == 1 && traffic[0].axes == "pp" && traffic[0].bytes == 3 * (first ? 400 : 40);
    return right ? Status() : Status::internal("wrong traffic");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(ExchangeConformance, SendingFirstOnBothSidesIsADeadlockThatEnds) {
  Status status = exchangeAll(
      2,
      [](Communicator &communicator, Group &group) -> Status {
        MODELPAR_RETURN_IF_ERROR(communicator.barrier("start")); // A busy machine starts threads slowly.
        std::vector<int> out(1), in(1);
        Transfer send = transfer(kSend, 1 - communicator.rank(), out),
                 receive = transfer(kReceive, 1 - communicator.rank(), in);
        MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, std::span(&send, 1)));
        return communicator.exchange(group, std::span(&receive, 1));
      },
      1);
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  bool zero = status.message() == "rank 0: send test over {pp} (ranks 0, 1): rank 1 has not come to it within 1 s "
                                  "without progress there (--timeout=1)";
  bool one = status.message() == "rank 1: send test over {pp} (ranks 0, 1): rank 0 has not come to it within 1 s "
                                 "without progress there (--timeout=1)";
  EXPECT_TRUE(zero || one) << status.message();
}

TEST_P(ExchangeConformance, SizesMustFit) {
  Status status = exchangeAll(2, [](Communicator &communicator, Group &group) {
    std::vector<int> data(communicator.rank() == 0 ? 3 : 4);
    Transfer one = transfer(communicator.rank() == 0 ? kSend : kReceive, 1 - communicator.rank(), data);
    return communicator.exchange(group, std::span(&one, 1));
  });
  EXPECT_EQ(status.code(), StatusCode::Internal);
  EXPECT_EQ(status.message(), "rank 1: receive test over {pp} (ranks 0, 1): expected 16 bytes, rank 0 sends 12");
}

// Without a timeout: only the failure ends the other.
TEST_P(ExchangeConformance, AFailedRankStopsTheOthers) {
  StatusCode code = StatusCode::Ok;
  Status status = exchangeAll(
      2,
      [&](Communicator &communicator, Group &group) -> Status {
        if (communicator.rank() == 1)
          return Status::internal("rank 1 broke");
        std::vector<int> data(4);
        Transfer one = transfer(kReceive, 1, data);
        Status result = communicator.exchange(group, std::span(&one, 1));
        code = result.code();
        return result;
      },
      0);
  EXPECT_EQ(status.message(), "rank 1 broke");
  EXPECT_EQ(code, StatusCode::Aborted);
}

// Memory is freed as soon as exchange() returns: a peer that still read it would be seen by the address sanitizer.
TEST_P(ExchangeConformance, AbortsAtRandomTimesLeaveNoReaderBehind) {
  for (int round = 0; round < 20; ++round) {
    Status status = exchangeAll(3, [&](Communicator &communicator, Group &group) -> Status {
      for (int i = 0;; ++i) {
        std::vector<int> out(20000), in(20000);
        std::vector<Transfer> ring{transfer(kSend, (communicator.rank() + 1) % 3, out),
                                   transfer(kReceive, (communicator.rank() + 2) % 3, in)};
        if (communicator.rank() == 2 && i == 3) {
          std::thread killer([&] { communicator.abort(Status::internal("killed")); });
          Status result = communicator.exchange(group, ring);
          killer.join();
          return Status::internal("killed");
        }
        MODELPAR_RETURN_IF_ERROR(communicator.exchange(group, ring));
      }
    });
    EXPECT_EQ(status.message(), "killed");
  }
}

} // namespace
} // namespace modelpar::runtime
