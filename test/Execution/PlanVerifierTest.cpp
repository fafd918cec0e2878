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

/// Every value in turn with other partial axes: each one dropped or of another kind, and each axis of the mesh that the
/// type has no use for added. (Where sums follow each other, any of them may begin the sum over stages.) Returns the
/// number of changes that the verifier did not see.
int unseenPartials(Plan &plan, int &changes) {
  int unseen = 0;
  auto tryType = [&](Body &body, planformat::Value &value, planformat::TensorType type) {
    const planformat::TypeId kept = value.type;
    sharding::sortPartials(plan.mesh, type.sharding.partial);
    plan.types.push_back(std::move(type));
    value.type = static_cast<planformat::TypeId>(plan.types.size()) - 1;
    ++changes;
    if (planformat::verifyPlan(plan).empty()) {
      ++unseen;
      ADD_FAILURE() << "value " << &value - body.values.data() << " of " << body.name << " as "
                    << sharding::toString(plan.types.back().sharding);
    }
    plan.types.pop_back();
    value.type = kept;
  };
  forEachBody(plan, [&](Body &body) {
    std::vector<bool> used(body.values.size(), false), summed = used;
    for (const Instruction &instruction : body.instructions) {
      for (planformat::ValueId id : instruction.outputs)
        summed[static_cast<size_t>(id)] = instruction.op == "sum";
      for (const auto *list : {&instruction.inputs, &instruction.outputs})
        for (planformat::ValueId id : *list)
          used[static_cast<size_t>(id)] = true;
    }
    for (planformat::Value &value : body.values) {
      const auto id = static_cast<size_t>(&value - body.values.data());
      if (!used[id])
        continue; // A workspace.
      const planformat::TensorType type = plan.types[static_cast<size_t>(value.type)];
      for (size_t p = 0; p < type.sharding.partial.size(); ++p) {
        planformat::TensorType other = type;
        other.sharding.partial[p].kind = sharding::ReduceKind::Max;
        tryType(body, value, other);
        other.sharding.partial.erase(other.sharding.partial.begin() + static_cast<std::ptrdiff_t>(p));
        tryType(body, value, other);
      }
      for (const sharding::MeshAxis &axis : plan.mesh.axes()) {
        planformat::TensorType other = type;
        other.sharding.partial.push_back({plan.mesh.axis(axis.name)});
        if (summed[id] && axis.name == sharding::kStageAxis)
          continue;
        if (!sharding::validate(plan.mesh, other.shape, other.sharding))
          tryType(body, value, other);
      }
    }
  });
  return unseen;
}

struct MeshCase {
  const char *model;
  int64_t dp, cp, pp;
};

class Partials : public ::testing::TestWithParam<MeshCase> {};

TEST_P(Partials, OfEveryValueAreSeen) {
  const MeshCase &c = GetParam();
  pipelines::CompileOptions options = compileOptions(c.model, 4);
  options.tp = 2;
  options.dp = c.dp;
  options.cp = c.cp;
  options.pp = c.pp;
  options.microBatch = 2;
  if (std::string(c.model) != "mlp.json")
    options.sequence = 8;
  Plan plan = compileModel(options).plan;
  ASSERT_TRUE(planformat::verifyPlan(plan).empty());
  int changes = 0;
  EXPECT_EQ(unseenPartials(plan, changes), 0);
  EXPECT_GE(changes, 100);
}

INSTANTIATE_TEST_SUITE_P(Plans, Partials,
                         ::testing::Values(MeshCase{"mlp.json", 2, 1, 1}, MeshCase{"llama-tiny.json", 2, 1, 1},
                                           MeshCase{"llama-tiny.json", 1, 2, 1}, MeshCase{"gpt2-tiny.json", 1, 1, 2}));

TEST(PlanVerifier, ACollectiveOfAnotherKindIsSeen) {
  Plan plan = compiledPlan();
  const std::vector<std::string> ops = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"};
  int changes = expectEachIsSeen(
      plan,
      [&](Instruction &instruction, size_t k) {
        if (k >= ops.size() + 2 || instruction.kind != Instruction::Kind::Collective)
          return false;
        if (k < 2) { // The two other joins; what is only moved has none.
          const bool reduces = instruction.op == "all_reduce" || instruction.op == "reduce_scatter";
          instruction.reduce = static_cast<sharding::ReduceKind>((static_cast<size_t>(instruction.reduce) + k + 1) % 3);
          if (!reduces)
            instruction.axes.clear();
        } else if (instruction.op == ops[k - 2]) {
          instruction.axes.clear();
        } else {
          instruction.op = ops[k - 2];
          instruction.dim = 0;
          instruction.sourceDim = instruction.op == "all_to_all" ? 1 : -1;
        }
        return true;
      },
      "another kind");
  EXPECT_GE(changes, 30);
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
