//===- DeviceMemoryTest.cpp -----------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/DeviceMemory.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::pipelines;

namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

planformat::Stage stage(int64_t activations, int64_t parameters, int64_t reserved) {
  planformat::Stage result;
  result.memory = {{"parameters", parameters * kGiB}, {"activations", activations * kGiB}};
  result.reserved = {{"communicators", reserved * kGiB}};
  result.arenaBytes = (activations + parameters) * kGiB;
  return result;
}

costmodel::Cluster cluster(int64_t bytes) {
  costmodel::Cluster result;
  result.name = "box";
  result.memoryBytes = bytes;
  return result;
}

TEST(DeviceMemory, WhatFitsIsQuiet) {
  planformat::Plan plan;
  plan.stages = {stage(3, 2, 1)};
  EXPECT_EQ(checkDeviceMemory(plan, cluster(6 * kGiB)), "");
  EXPECT_NE(checkDeviceMemory(plan, cluster(6 * kGiB - 1)), ""); // What is reserved counts.
}

TEST(DeviceMemory, NamesBothFiguresTheWorstStageAndItsParts) {
  planformat::Plan plan;
  plan.stages = {stage(3, 2, 1), stage(6, 2, 1), stage(1, 1, 0)};
  // 9 GiB = 9663676416 bytes, 4 GiB = 4294967296 bytes.
  EXPECT_EQ(checkDeviceMemory(plan, cluster(4 * kGiB)),
            "the plan does not fit: a rank of stage 1 needs 9663676416 bytes (9.0 GiB), a device of cluster box has "
            "4294967296 bytes (4.0 GiB); most of it: activations 6.0 GiB, parameters 2.0 GiB, communicators 1.0 GiB; "
            "2 of 3 stages do not fit");
}

} // namespace
