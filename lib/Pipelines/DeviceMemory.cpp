//===- DeviceMemory.cpp - whether a plan fits its devices -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/DeviceMemory.h"

#include <algorithm>
#include <cstdio>

namespace modelpar::pipelines {

using planformat::MemoryItem;

static int64_t totalOf(const planformat::Stage &stage) {
  int64_t bytes = stage.arenaBytes;
  for (const MemoryItem &item : stage.reserved)
    bytes += item.bytes;
  return bytes;
}

static std::string gibibytes(int64_t bytes) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f GiB", double(bytes) / double(int64_t{1} << 30));
  return text;
}

/// The largest parts first.
static std::string partsOf(const planformat::Stage &stage) {
  constexpr size_t kShown = 3;
  std::vector<MemoryItem> items = stage.memory;
  items.insert(items.end(), stage.reserved.begin(), stage.reserved.end());
  std::stable_sort(items.begin(), items.end(),
                   [](const MemoryItem &a, const MemoryItem &b) { return a.bytes > b.bytes; });
  std::string text;
  for (size_t i = 0; i < std::min(items.size(), kShown); ++i)
    text += (i ? ", " : "; most of it: ") + items[i].name + " " + gibibytes(items[i].bytes);
  return text;
}

std::string checkDeviceMemory(const planformat::Plan &plan, const costmodel::Cluster &cluster) {
  size_t worst = 0, over = 0;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    over += totalOf(plan.stages[i]) > cluster.memoryBytes;
    if (totalOf(plan.stages[i]) > totalOf(plan.stages[worst]))
      worst = i;
  }
  if (over == 0)
    return "";
  const planformat::Stage &stage = plan.stages[worst];
  const int64_t needed = totalOf(stage);
  return "the plan does not fit: a rank of stage " + std::to_string(worst) + " needs " + std::to_string(needed) +
         " bytes (" + gibibytes(needed) + "), a device of cluster " + cluster.name + " has " +
         std::to_string(cluster.memoryBytes) + " bytes (" + gibibytes(cluster.memoryBytes) + ")" + partsOf(stage) +
         (plan.stages.size() > 1
              ? "; " + std::to_string(over) + " of " + std::to_string(plan.stages.size()) + " stages do not fit"
              : "");
}

} // namespace modelpar::pipelines
