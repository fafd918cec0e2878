//===- CommunicatorConformance.h - one suite for every communicator -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A communicator's test instantiates the suite with a way to run ranks. Inputs are small integers, so sums are exact
// and compared bit by bit.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_CONFORMANCE_COMMUNICATORCONFORMANCE_H
#define MODELPAR_TEST_CONFORMANCE_COMMUNICATORCONFORMANCE_H

#include "runtime/comm/Communicator.h"

#include <chrono>
#include <functional>
#include <gtest/gtest.h>

namespace modelpar::runtime {

/// Runs the body on every rank of a world (threads, or this process's rank) and returns the first error.
using RunRanks = std::function<Status(int64_t worldSize, std::chrono::duration<double> timeout,
                                      const std::function<Status(Communicator &)> &body)>;

struct CommunicatorFactory {
  std::string name;
  RunRanks run;
};

class CommunicatorConformance : public testing::TestWithParam<CommunicatorFactory> {
protected:
  Status run(int64_t worldSize, const std::function<Status(Communicator &)> &body, double timeout = 30) {
    return GetParam().run(worldSize, std::chrono::duration<double>(timeout), body);
  }
};

/// For communicators that can exchange.
class ExchangeConformance : public CommunicatorConformance {
protected:
  /// Runs `body(communicator, group of all ranks)` on every rank.
  Status exchangeAll(int64_t worldSize, const std::function<Status(Communicator &, Group &)> &body,
                     double timeout = 30) {
    auto withGroup = [&](Communicator &communicator) -> Status {
      std::vector<int64_t> ranks;
      for (int64_t rank = 0; rank < worldSize; ++rank)
        ranks.push_back(rank);
      std::unique_ptr<Group> group;
      MODELPAR_RETURN_IF_ERROR(communicator.createGroup(ranks, "pp", -1, group));
      return body(communicator, *group);
    };
    return run(worldSize, withGroup, timeout);
  }
};

} // namespace modelpar::runtime

#endif // MODELPAR_TEST_CONFORMANCE_COMMUNICATORCONFORMANCE_H
