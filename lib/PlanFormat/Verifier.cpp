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

/// The axis whose coordinate is the stage.
constexpr std::string_view kStageAxis = "pp";

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

/// Adds the collectives of a body that cross stages, in the order ranks enter them.
void addCrossStage(const Plan &plan, const Body &body, std::vector<std::string> &out) {
  for (const Instruction &i : body.instructions) {
    if (i.kind == Instruction::Kind::Call)
      addCrossStage(plan, plan.blocks[i.block], out);
    bool crosses = std::any_of(i.axes.begin(), i.axes.end(),
                               [](const sharding::AxisRef &axis) { return axis.name == kStageAxis; });
    if (i.kind != Instruction::Kind::Collective || !crosses)
      continue;
    std::string text = i.op + " " + std::string(sharding::name(i.reduce));
    for (const sharding::AxisRef &axis : i.axes)
      text += " " + toText(plan.mesh, axis);
    for (ValueId input : i.inputs)
      text += " " + describe(plan.types[body.values[input].type]);
    out.push_back(text);
  }
}

std::vector<std::string> crossStageSequence(const Plan &plan, const Stage &stage) {
  std::vector<std::vector<std::string>> programs(stage.programs.size());
  for (size_t p = 0; p < programs.size(); ++p)
    addCrossStage(plan, stage.programs[p].body, programs[p]);
  std::vector<std::string> sequence;
  for (const ScheduleEntry &entry : stage.schedule)
    sequence.insert(sequence.end(), programs[entry.program].begin(), programs[entry.program].end());
  return sequence;
}

/// Collectives over the stage axis are entered by every stage alike. All others stay inside a stage, whose ranks share
/// one list, so the order over all groups has no cycle.
void checkCrossStage(const Plan &plan, Findings &findings) {
  if (plan.mesh.size(kStageAxis) != static_cast<int64_t>(plan.stages.size()))
    findings.add("stages", "the plan has " + std::to_string(plan.stages.size()) + " stages on " +
                               std::to_string(plan.mesh.size(kStageAxis)) + " coordinates of axis pp");
  if (plan.stages.size() == 1)
    return;
  std::vector<std::string> first = crossStageSequence(plan, plan.stages[0]);
  for (size_t s = 1; s < plan.stages.size(); ++s) {
    std::vector<std::string> sequence = crossStageSequence(plan, plan.stages[s]);
    size_t n = std::mismatch(first.begin(), first.end(), sequence.begin(), sequence.end()).first - first.begin();
    if (n < first.size() || n < sequence.size())
      findings.add("stage " + std::to_string(s), "its collective " + std::to_string(n) + " over stages is " +
                                                     (n < sequence.size() ? sequence[n] : "missing") +
                                                     ", stage 0 enters " + (n < first.size() ? first[n] : "none"));
  }
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
  checkCrossStage(plan, findings);
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
