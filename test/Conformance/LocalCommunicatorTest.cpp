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

static std::string nameOf(const testing::TestParamInfo<CommunicatorFactory> &info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Local, CommunicatorConformance, testing::Values(CommunicatorFactory{"local", run}), nameOf);
INSTANTIATE_TEST_SUITE_P(Local, ExchangeConformance, testing::Values(CommunicatorFactory{"local", run}), nameOf);
