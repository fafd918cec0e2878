//===- MemoryReport.cpp - planned against measured memory -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All ranks of a stage have one plan, so a line tells as much as their hundreds would.
//
//===----------------------------------------------------------------------===//

#include "runtime/training/MemoryReport.h"

#include "runtime/training/HostMemory.h"

#include <algorithm>
#include <cstdio>

using namespace modelpar;
using namespace modelpar::runtime;

size_t runtime::stageOf(const planformat::Plan &plan, int64_t rank) {
  if (!plan.mesh.has(sharding::kStageAxis))
    return 0;
  return static_cast<size_t>(sharding::coordinateAlong(plan.mesh, sharding::coordinatesOf(plan.mesh, rank),
                                                       plan.mesh.axis(sharding::kStageAxis)));
}

namespace {
/// The ranks of a stage.
struct Extremes {
  int64_t rank = 0, count = 0; ///< The first one, and how many.
  int64_t least = 0, most = 0;
};
} // namespace

static std::string percent(int64_t part, int64_t whole) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f%%",
                whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0);
  return text;
}

std::string runtime::memoryReport(const planformat::Plan &plan, std::span<const int64_t> measured) {
  std::vector<Extremes> stages(plan.stages.size());
  for (size_t rank = 0; rank < measured.size(); ++rank) {
    Extremes &stage = stages[stageOf(plan, static_cast<int64_t>(rank))];
    if (stage.count++ == 0)
      stage.rank = static_cast<int64_t>(rank), stage.least = stage.most = measured[rank];
    stage.least = std::min(stage.least, measured[rank]);
    stage.most = std::max(stage.most, measured[rank]);
  }
  std::string text;
  for (size_t s = 0; s < stages.size(); ++s) {
    const Extremes &stage = stages[s];
    const int64_t planned = plan.stages[s].arenaBytes;
    const bool one = stage.count == 1;
    auto both = [&](auto show) { return show(stage.least) + (one ? "" : " to " + show(stage.most)); };
    text += "stage " + std::to_string(s) + ", " +
            (one ? "rank " + std::to_string(stage.rank) : std::to_string(stage.count) + " ranks") + ": planned peak " +
            std::to_string(planned) + " bytes (" + formatBytes(planned) + "), measured " +
            both([](int64_t bytes) { return std::to_string(bytes); }) + " bytes (" + both(formatBytes) + "), " +
            both([&](int64_t bytes) { return percent(bytes, planned); }) + "\n";
  }
  return text;
}
