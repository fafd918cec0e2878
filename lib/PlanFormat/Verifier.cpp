//===- Verifier.cpp - the whole proof of a plan --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Verifier.h"

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"

#include <algorithm>

namespace modelpar::planformat {
namespace {

/// Buffers lie apart, slot by slot, and the memory report adds up.
void checkLayout(const Stage &stage, const std::string &where, Findings &findings) {
  struct Range {
    int64_t begin, end;
    size_t buffer;
  };
  std::vector<Range> ranges;
  for (size_t b = 0; b < stage.buffers.size(); ++b) {
    const Buffer &buffer = stage.buffers[b];
    // Slots that touch are one range: a long in-flight window costs nothing.
    if (buffer.slots == 1 || buffer.slotStride == buffer.bytes)
      ranges.push_back({buffer.offset, buffer.offset + buffer.bytes * buffer.slots, b});
    else
      for (int32_t slot = 0; slot < buffer.slots; ++slot)
        ranges.push_back(
            {buffer.offset + slot * buffer.slotStride, buffer.offset + slot * buffer.slotStride + buffer.bytes, b});
  }
  std::erase_if(ranges, [](const Range &range) { return range.begin == range.end; });
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) { return a.begin < b.begin; });
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin < ranges[i - 1].end)
      findings.add(where, "buffers " + stage.buffers[ranges[i - 1].buffer].name + " and " +
                              stage.buffers[ranges[i].buffer].name + " overlap at arena byte " +
                              std::to_string(ranges[i].begin));
  int64_t sum = 0;
  for (const MemoryItem &item : stage.memory)
    if (__builtin_add_overflow(sum, item.bytes, &sum))
      break;
  if (sum != stage.arenaBytes)
    findings.add(where, "memory items add up to " + std::to_string(sum) + " bytes, expected arena_bytes " +
                            std::to_string(stage.arenaBytes));
}

} // namespace

std::vector<Finding> verifyPlan(const Plan &plan) {
  // Everything after indexes freely, and happens-before means little between values of wrong types.
  std::vector<Finding> structure = checkStructure(plan);
  if (!structure.empty())
    return structure;
  Findings findings;
  checkTypes(plan, findings);
  for (size_t s = 0; s < plan.stages.size(); ++s)
    checkLayout(plan.stages[s], "stage " + std::to_string(s), findings);
  checkStages(plan, findings);
  if (!findings.empty())
    return findings.take();
  std::vector<std::vector<ProgramEffects>> effects(plan.stages.size());
  for (size_t s = 0; s < plan.stages.size(); ++s)
    for (const Program &program : plan.stages[s].programs)
      effects[s].push_back(checkProgram(plan, plan.stages[s], program,
                                        "stage " + std::to_string(s) + ", program " + program.body.name, findings));
  if (!findings.empty())
    return findings.take();
  for (size_t s = 0; s < plan.stages.size(); ++s)
    checkSchedule(plan, s, effects[s], findings);
  return findings.take();
}

} // namespace modelpar::planformat
