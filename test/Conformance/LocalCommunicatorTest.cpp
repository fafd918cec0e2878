//===- LocalCommunicatorTest.cpp - local passes the suite -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ranks are threads.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorConformance.h"

#include "runtime/comm/local/LocalCommunicator.h"

using namespace modelpar::runtime;

static Status run(int64_t worldSize, std::chrono::duration<double> timeout,
                  const std::function<Status(Communicator &)> &body) {
  return runLocalRanks(worldSize, timeout, body);
}

INSTANTIATE_TEST_SUITE_P(Local, CommunicatorConformance, testing::Values(CommunicatorFactory{"local", run}),
                         [](const auto &info) { return info.param.name; });
