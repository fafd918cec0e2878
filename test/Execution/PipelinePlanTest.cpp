//===- PipelinePlanTest.cpp - compiled pipelines: proof, volume, slots ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the verifier sees when a compiled pipeline is changed, what passes between stages by the plan, by the textbook
// and by the communicator's count, and how many micro-batches a stage holds.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "modelpar/CostModel/Cost.h"
#include "modelpar/PlanFormat/Verifier.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;
using planformat::Channel;
using planformat::Instruction;
using planformat::Plan;
using planformat::ScheduleEntry;
using planformat::Stage;

namespace {

constexpr int64_t kBatch = 8, kSequence = 16;

pipelines::CompileOptions pipelineOptions(const std::string &model, int64_t pp, int64_t dp,
                                          const std::string &schedule) {
  pipelines::CompileOptions options = compileOptions(model, pp * dp);
  options.pp = pp;
  options.dp = dp;
  options.tp = 1;
  options.schedule = schedule;
  options.globalBatch = kBatch;
  options.sequence = kSequence;
  options.microBatch = 1;
  return options;
}

Plan compiledPlan(int64_t pp, const std::string &schedule) {
  return compileModel(pipelineOptions("gpt2-tiny.json", pp, 1, schedule)).plan;
}

std::string findings(const Plan &plan) {
  std::string text;
  for (const planformat::Finding &finding : planformat::verifyPlan(plan))
    text += finding.toString() + "\n";
  return text;
}

//===----------------------------------------------------------------------===//
// The proof
//===----------------------------------------------------------------------===//

TEST(PipelineVerifier, CompiledPlansAreGood) {
  for (const char *schedule : {"gpipe", "1f1b"})
    for (int64_t pp : {2, 4})
      EXPECT_EQ(findings(compiledPlan(pp, schedule)), "") << schedule << " pp " << pp;
}

bool isAlone(const Stage &stage, const ScheduleEntry &entry, Channel::Direction direction, int32_t peer) {
  return entry.exchange.size() == 1 && stage.channels[entry.exchange[0].channel].direction == direction &&
         stage.channels[entry.exchange[0].channel].peer == peer;
}

TEST(PipelineVerifier, ASendSwappedWithItsReceiveIsANamedDeadlock) {
  Plan plan = compiledPlan(2, "gpipe");
  Stage &first = plan.stages[0];
  // The last activations go out, then the first gradients come in.
  for (size_t e = 0; e + 1 < first.schedule.size(); ++e)
    if (isAlone(first, first.schedule[e], Channel::Direction::Send, 1) &&
        isAlone(first, first.schedule[e + 1], Channel::Direction::Receive, 1)) {
      std::swap(first.schedule[e], first.schedule[e + 1]);
      const std::string found = findings(plan);
      const std::string entry = "stage 0, schedule entry " + std::to_string(e) + " (exchange), receive of ";
      EXPECT_EQ(found.find(entry), 0u) << found;
      EXPECT_NE(found.find(" of micro-batch 0 from stage 1: deadlock: waits for stage 1, schedule entry "),
                std::string::npos)
          << found;
      EXPECT_NE(found.find(" of micro-batch 7 from stage 0, which waits for the first"), std::string::npos) << found;
      return;
    }
  FAIL() << "no send before a receive";
}

TEST(PipelineVerifier, EveryExchangeAndEveryTransferIsNeeded) {
  for (const char *schedule : {"gpipe", "1f1b"}) {
    Plan plan = compiledPlan(4, schedule);
    int deleted = 0;
    for (size_t s = 0; s < plan.stages.size(); ++s)
      for (size_t e = 0; e < plan.stages[s].schedule.size(); ++e) {
        const std::vector<ScheduleEntry> original = plan.stages[s].schedule;
        for (size_t t = 0; t < original[e].exchange.size(); ++t) {
          std::vector<ScheduleEntry> &changed = plan.stages[s].schedule;
          if (original[e].exchange.size() == 1)
            changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(e));
          else
            changed[e].exchange.erase(changed[e].exchange.begin() + static_cast<std::ptrdiff_t>(t));
          ++deleted;
          EXPECT_NE(findings(plan), "") << schedule << ", stage " << s << ", entry " << e << ", transfer " << t;
          plan.stages[s].schedule = original;
        }
      }
    // Three boundaries, two directions, two ends.
    EXPECT_EQ(deleted, 3 * 2 * 2 * kBatch);
  }
}

TEST(PipelineVerifier, EveryWaitIsNeeded) {
  Plan plan = compiledPlan(2, "1f1b");
  int waits = 0;
  for (Stage &stage : plan.stages)
    for (planformat::Program &program : stage.programs)
      for (Instruction &instruction : program.body.instructions)
        for (size_t w = 0; w < instruction.waits.size(); ++w) {
          const std::vector<int32_t> original = instruction.waits;
          instruction.waits.erase(instruction.waits.begin() + static_cast<std::ptrdiff_t>(w));
          EXPECT_NE(findings(plan), "") << program.body.name << ", a wait of " << instruction.op;
          instruction.waits = original;
          ++waits;
        }
  EXPECT_GE(waits, 4);
}

TEST(PipelineVerifier, TiedGradientsAreJoinedByTheStagesThatUseThem) {
  Plan plan = compiledPlan(4, "1f1b");
  int changes = 0;
  for (Stage &stage : plan.stages)
    for (planformat::Program &program : stage.programs)
      for (Instruction &instruction : program.body.instructions)
        for (sharding::AxisRef &axis : instruction.axes)
          if (!axis.subset.empty()) {
            EXPECT_EQ(axis.subset, (std::vector<int64_t>{0, 3}));
            for (const std::vector<int64_t> &other : {std::vector<int64_t>{}, {0, 2}, {1, 3}}) {
              axis.subset = other;
              EXPECT_NE(findings(plan), "");
              ++changes;
            }
            axis.subset = {0, 3};
          }
  EXPECT_EQ(changes, 2 * 3);
}

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

int32_t mostSlots(const Stage &stage) {
  int32_t most = 0;
  for (const planformat::Buffer &buffer : stage.buffers)
    most = std::max(most, buffer.slots);
  return most;
}

TEST(PipelinePlan, MicroBatchesHeldByAStage) {
  for (int64_t pp : {2, 4}) {
    Plan gpipe = compiledPlan(pp, "gpipe"), oneFOneB = compiledPlan(pp, "1f1b");
    for (int64_t stage = 0; stage < pp; ++stage) {
      EXPECT_EQ(mostSlots(gpipe.stages[stage]), kBatch) << "pp " << pp << ", stage " << stage;
      EXPECT_EQ(mostSlots(oneFOneB.stages[stage]), pp - stage) << "pp " << pp << ", stage " << stage;
    }
    EXPECT_LT(oneFOneB.stages[0].arenaBytes, gpipe.stages[0].arenaBytes);
  }
}

//===----------------------------------------------------------------------===//
// Volume
//===----------------------------------------------------------------------===//

struct VolumeCase {
  std::string model;
  int64_t pp, dp;
  std::string schedule;
};
void PrintTo(const VolumeCase &c, std::ostream *stream) {
  *stream << c.model << " pp " << c.pp << " dp " << c.dp << " " << c.schedule;
}

class PipelineVolume : public ::testing::TestWithParam<VolumeCase> {};

/// Per micro-batch b·s·h forward to the next stage and the same backward to the one before; the norm is one number over
/// all stages; a tied embedding is joined once by the two stages that hold it.
int64_t textbookBytes(const VolumeCase &c, int64_t stage) {
  const int64_t width = 128, vocabulary = 256;
  const int64_t crossing = kBatch / c.dp * kSequence * width * 4;
  int64_t bytes = ((stage + 1 < c.pp) + (stage > 0)) * crossing + 2 * (c.pp - 1) * 4 / c.pp;
  if (c.model == "gpt2-tiny.json" && (stage == 0 || stage + 1 == c.pp))
    bytes += 2 * vocabulary * width * 4 / 2;
  return bytes;
}

int64_t pipelineBytes(const std::map<std::string, int64_t> &sent) {
  int64_t bytes = 0;
  for (const auto &[axes, count] : sent)
    if (axes.starts_with("pp"))
      bytes += count;
  return bytes;
}

TEST_P(PipelineVolume, IsTheTextbooksInThePlanAndAtRunTime) {
  const VolumeCase &c = GetParam();
  pipelines::CompileOptions options = pipelineOptions(c.model, c.pp, c.dp, c.schedule);
  pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  int64_t most = 0;
  for (int64_t stage = 0; stage < c.pp; ++stage)
    most = std::max(most, textbookBytes(c, stage));
  costmodel::Cluster cluster;
  std::string text, error;
  ASSERT_TRUE(costmodel::clusterFromOption(*options.cluster, cluster, text, error)) << error;
  EXPECT_EQ(costmodel::predict(compiled.plan, cluster).communicationBytesByAxis.at("pp"), most);
  RunOptions runOptions;
  runOptions.steps = 2;
  RunResult result = run(compiled.plan, runOptions);
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(static_cast<int64_t>(result.sentBytesByRank.size()), c.pp * c.dp);
  for (int64_t rank = 0; rank < c.pp * c.dp; ++rank)
    EXPECT_EQ(pipelineBytes(result.sentBytesByRank[rank]), runOptions.steps * textbookBytes(c, rank / c.dp))
        << "rank " << rank;
}

INSTANTIATE_TEST_SUITE_P(Plans, PipelineVolume,
                         ::testing::Values(VolumeCase{"gpt2-tiny.json", 2, 1, "gpipe"},
                                           VolumeCase{"gpt2-tiny.json", 2, 2, "1f1b"},
                                           VolumeCase{"gpt2-tiny.json", 4, 1, "1f1b"},
                                           VolumeCase{"llama-tiny.json", 4, 1, "gpipe"},
                                           VolumeCase{"llama-tiny.json", 2, 2, "1f1b"}));

} // namespace
