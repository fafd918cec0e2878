//===- MemoryReportTest.cpp -------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/MemoryReport.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {

planformat::Plan plan(std::vector<sharding::MeshAxis> axes, std::vector<int64_t> arenas) {
  planformat::Plan plan;
  plan.mesh = sharding::Mesh(std::move(axes));
  for (int64_t bytes : arenas)
    plan.stages.emplace_back().arenaBytes = bytes;
  return plan;
}

TEST(MemoryReport, ALinePerStageWithTheLeastAndTheMost) {
  const std::vector<int64_t> measured = {900, 1000, 700, 2048, 512, 1024}; // Ranks 0 to 2 are of stage 0.
  EXPECT_EQ(
      memoryReport(plan({{"mb", 4}, {"pp", 2}, {"dp", 3}}, {1000, 2048}), measured),
      "stage 0, 3 ranks: planned peak 1000 bytes (1000 B), measured 700 to 1000 bytes (700 B to 1000 B), 70.0% to "
      "100.0%\n"
      "stage 1, 3 ranks: planned peak 2048 bytes (2.0 KiB), measured 512 to 2048 bytes (512 B to 2.0 KiB), 25.0% to "
      "100.0%\n");
}

TEST(MemoryReport, OneRankPerStageHasOneNumber) {
  EXPECT_EQ(memoryReport(plan({{"pp", 2}}, {1000, 2048}), std::vector<int64_t>{250, 2048}),
            "stage 0, rank 0: planned peak 1000 bytes (1000 B), measured 250 bytes (250 B), 25.0%\n"
            "stage 1, rank 1: planned peak 2048 bytes (2.0 KiB), measured 2048 bytes (2.0 KiB), 100.0%\n");
}

TEST(MemoryReport, HundredsOfRanksAreOneLine) {
  EXPECT_EQ(
      memoryReport(plan({{"dp", 256}}, {1024}), std::vector<int64_t>(256, 512)),
      "stage 0, 256 ranks: planned peak 1024 bytes (1.0 KiB), measured 512 to 512 bytes (512 B to 512 B), 50.0% to "
      "50.0%\n");
}

TEST(MemoryReport, AnEmptyArenaIsNoDivision) {
  EXPECT_EQ(memoryReport(plan({}, {0}), std::vector<int64_t>{0}),
            "stage 0, rank 0: planned peak 0 bytes (0 B), measured 0 bytes (0 B), 0.0%\n");
}

} // namespace
