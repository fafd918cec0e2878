//===- DroppedKernelTest.cpp - no kernel can be missing unnoticed ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Drops each kernel of a compiled plan in turn, its events kept: the plan's verifier must refuse what is left, and say
// which tensor nothing makes. There is no exception: every kernel writes a tensor that something reads, in place or
// not.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "modelpar/PlanFormat/Verifier.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::planformat;
using namespace modelpar::test;

namespace {

/// One layer is enough: the others run the same blocks.
constexpr const char *kOneLayer =
    R"({"model_type": "gpt2", "vocab_size": 96, "n_positions": 32, "n_embd": 32, "n_layer": 1, "n_head": 4,
  "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1})";

struct Case {
  const char *name;
  int64_t tp, dp, microBatch;
  const char *optimizer;
  int64_t cp = 1;
};

class DroppedKernel : public ::testing::TestWithParam<Case> {
protected:
  Plan compilePlan(const std::string &model) {
    const Case &c = GetParam();
    pipelines::CompileOptions options =
        compileOptions(model == "mlp.json" ? model : "gpt2-tiny.json", c.tp * c.dp * c.cp);
    options.tp = c.tp;
    options.dp = c.dp;
    options.cp = c.cp;
    options.microBatch = c.microBatch;
    options.optimizer = c.optimizer;
    if (model == "mlp.json")
      return compileModel(options).plan;
    options.sequence = 12;
    options.modelFile = model;
    return compileText(kOneLayer, options).plan;
  }

  void dropEach(Plan &plan, Body &body, int &dropped) {
    for (Instruction &instruction : body.instructions) {
      if (instruction.kind != Instruction::Kind::Kernel)
        continue;
      Instruction kept = instruction;
      instruction = {};
      instruction.kind = Instruction::Kind::Wait;
      instruction.stream = kept.stream;
      instruction.waits = kept.waits;
      instruction.record = kept.record;
      std::vector<Finding> findings = verifyPlan(plan);
      ++dropped;
      if (findings.empty())
        ADD_FAILURE() << kept.op << " (" << kept.origin << ") of " << body.name << " can be dropped unnoticed";
      else
        EXPECT_TRUE(saysWhatIsMissing(findings)) << kept.op << " of " << body.name << ": " << findings[0].toString();
      instruction = std::move(kept);
    }
  }

  static bool saysWhatIsMissing(const std::vector<Finding> &findings) {
    for (const char *words : {"no instruction before it has written", "intermediate result", "no update writes it",
                              "nothing in the schedule has written before", "is never written", "has not begun"})
      for (const Finding &finding : findings)
        if (finding.message.find(words) != std::string::npos)
          return true;
    return false;
  }

  void expectNoneCanBeDropped(const std::string &model) {
    Plan plan = compilePlan(model);
    ASSERT_FALSE(plan.stages.empty());
    ASSERT_TRUE(verifyPlan(plan).empty());
    int dropped = 0;
    for (Body &block : plan.blocks)
      dropEach(plan, block, dropped);
    for (Program &program : plan.stages[0].programs)
      dropEach(plan, program.body, dropped);
    EXPECT_GE(dropped, 10);
    std::printf("  %d kernels\n", dropped);
  }
};

TEST_P(DroppedKernel, IsFoundInMlp) { expectNoneCanBeDropped("mlp.json"); }
TEST_P(DroppedKernel, IsFoundInGpt2) { expectNoneCanBeDropped("one-layer.json"); }

INSTANTIATE_TEST_SUITE_P(Plans, DroppedKernel,
                         ::testing::Values(Case{"one_rank", 1, 1, 8, "adamw"}, Case{"tp2_dp2", 2, 2, 4, "adamw"},
                                           Case{"tp2_dp2_micro_batches", 2, 2, 2, "sgd"},
                                           Case{"tp2_cp3", 2, 1, 2, "sgd", 3}),
                         [](const auto &info) { return info.param.name; });

} // namespace
