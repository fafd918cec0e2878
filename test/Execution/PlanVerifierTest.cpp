//===- PlanVerifierTest.cpp - what is wrong with a compiled plan is named -===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "modelpar/PlanFormat/Verifier.h"

#include <gtest/gtest.h>

#include <functional>

using namespace modelpar;
using namespace modelpar::test;
using planformat::Body;
using planformat::Instruction;
using planformat::Plan;

namespace {

Plan compiledPlan() {
  pipelines::CompileOptions options = compileOptions("gpt2-tiny.json", 4);
  options.tp = options.dp = 2;
  options.microBatch = 2;
  options.sequence = 16;
  return compileModel(options).plan;
}

void forEachBody(Plan &plan, const std::function<void(Body &)> &visit) {
  for (Body &body : plan.blocks)
    visit(body);
  for (planformat::Stage &stage : plan.stages)
    for (planformat::Program &program : stage.programs)
      visit(program.body);
}

/// Changes every instruction in turn by `change` (which says whether it applied) and expects the verifier to object;
/// the plan is restored in between. Returns the number of changes.
int expectEachIsSeen(Plan &plan, const std::function<bool(Instruction &, size_t)> &change, const std::string &what) {
  int changes = 0;
  forEachBody(plan, [&](Body &body) {
    for (Instruction &instruction : body.instructions)
      for (size_t k = 0;; ++k) {
        const Instruction original = instruction;
        if (!change(instruction, k))
          break;
        ++changes;
        std::vector<planformat::Finding> findings = planformat::verifyPlan(plan);
        EXPECT_FALSE(findings.empty()) << what << " of " << instruction.op << " in " << body.name << " is not seen";
        instruction = original;
      }
  });
  return changes;
}

TEST(PlanVerifier, ACompiledPlanIsGood) {
  for (const planformat::Finding &finding : planformat::verifyPlan(compiledPlan()))
    ADD_FAILURE() << finding.toString();
}

TEST(PlanVerifier, EveryWaitIsNeeded) {
  Plan plan = compiledPlan();
  int waits = expectEachIsSeen(
      plan,
      [](Instruction &instruction, size_t k) {
        if (k >= instruction.waits.size())
          return false;
        instruction.waits.erase(instruction.waits.begin() + static_cast<std::ptrdiff_t>(k));
        return true;
      },
      "a deleted wait");
  EXPECT_GE(waits, 10);
}

TEST(PlanVerifier, NamesTheTwoInstructionsOfARace) {
  Plan plan = compiledPlan();
  for (Body &body : plan.blocks)
    for (Instruction &instruction : body.instructions)
      if (instruction.kind == Instruction::Kind::Collective && !instruction.waits.empty()) {
        instruction.waits.clear();
        std::vector<planformat::Finding> findings = planformat::verifyPlan(plan);
        ASSERT_FALSE(findings.empty());
        const std::string text = findings[0].toString();
        EXPECT_NE(text.find(body.name), std::string::npos) << text;
        EXPECT_NE(text.find("all_reduce"), std::string::npos) << text;
        size_t named = 0;
        for (size_t at = text.find("instruction "); at != std::string::npos; at = text.find("instruction ", at + 1))
          ++named;
        EXPECT_GE(named, 2u) << text;
        return;
      }
  FAIL() << "no collective waits for its producer";
}

TEST(PlanVerifier, ACollectiveOverAnotherAxisIsSeen) {
  Plan plan = compiledPlan();
  int changes = expectEachIsSeen(
      plan,
      [](Instruction &instruction, size_t k) {
        if (k > 0 || instruction.kind != Instruction::Kind::Collective)
          return false;
        for (sharding::AxisRef &axis : instruction.axes)
          axis.name = axis.name == "tp" ? "dp" : "tp";
        return true;
      },
      "another axis");
  EXPECT_GE(changes, 5);
}

TEST(PlanVerifier, ADeletedCollectiveIsSeen) {
  Plan plan = compiledPlan();
  int changes = expectEachIsSeen(
      plan,
      [](Instruction &instruction, size_t k) {
        if (k > 0 || instruction.kind != Instruction::Kind::Collective)
          return false;
        instruction.kind = Instruction::Kind::Wait; // Keeps its events, so that only the reduction is missing.
        instruction.op.clear();
        instruction.inputs.clear();
        instruction.outputs.clear();
        instruction.axes.clear();
        return true;
      },
      "deletion");
  EXPECT_GE(changes, 5);
}

} // namespace
