//===- PipelineTrainerTest.cpp - runs with pipeline stages -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chain of matrices with a tied one at both ends: every cut into stages, under both schedules, trains as one rank
// does.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"
#include "modelpar/PlanFormat/Writer.h"
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/training/Trainer.h"
#include "test/unittests/Checkpoint/TestFiles.h"
#include "test/unittests/PlanFormat/PipelinePlan.h"

#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <map>
#include <sstream>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::PipelinePlanOptions;
using schedule::Kind;
using testing::HasSubstr;

namespace {

using Tensors = std::map<std::string, std::vector<float>>;

struct Outcome {
  std::vector<double> losses, gradNorms;
  Tensors gradients, weights;
  std::string log, report;
};

class PipelineTrainerTest : public testing::Test {
protected:
  TrainerOptions options(const PipelinePlanOptions &plan) {
    TrainerOptions result;
    result.planPath = directory_ / "p.plan";
    std::string error;
    EXPECT_TRUE(planformat::writePlanFile(result.planPath, planformat::pipelinePlan(plan), error)) << error;
    result.steps = 4;
    result.seed = 3;
    result.learningRate.peak = 0.1;
    result.threadsPerRank = 1;
    result.metricsPath = directory_ / "m.jsonl";
    result.dumpGradsPath = directory_ / "grads";
    result.saveWeightsPath = directory_ / "w.safetensors";
    return result;
  }

  Tensors tensors(const std::string &path) {
    SafetensorsFile file;
    Status status = SafetensorsFile::open(path, file);
    EXPECT_TRUE(status.ok()) << status.message();
    Tensors result;
    for (const char *name : {"tied.weight", "w1.weight", "w2.weight", "w3.weight"}) {
      const FileTensor *found = file.find(name);
      EXPECT_NE(found, nullptr) << name;
      if (!found)
        continue;
      std::vector<float> &values = result[name];
      values.resize(static_cast<size_t>(found->numElements()));
      std::memcpy(values.data(), file.bytes(*found).data(), values.size() * 4);
    }
    return result;
  }

  Outcome run(const TrainerOptions &options) {
    Outcome outcome;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Status status = train(options);
    outcome.report = testing::internal::GetCapturedStdout();
    outcome.log = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(status.ok()) << status.message();
    std::istringstream lines(readFile(options.metricsPath));
    for (std::string line; std::getline(lines, line);) {
      json::Value value;
      std::string error;
      EXPECT_TRUE(json::parse(line, value, error)) << error;
      outcome.losses.push_back(value["loss"].get<double>());
      outcome.gradNorms.push_back(value["grad_norm"].get<double>());
    }
    outcome.gradients = tensors(options.dumpGradsPath + "/gradients.safetensors");
    outcome.weights = tensors(options.saveWeightsPath);
    return outcome;
  }

  static void expectNear(const Tensors &found, const Tensors &expected, const std::string &what) {
    for (const auto &[name, values] : expected)
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(found.at(name)[i], values[i], 1e-5)
            << what << " of " << name << ", element " << i; // f32 sums in other orders.
  }

  TemporaryDirectory directory_;
};

TEST_F(PipelineTrainerTest, EveryCutTrainsAlike) {
  const Outcome one = run(options({.pp = 1, .microBatches = 1}));
  ASSERT_EQ(one.losses.size(), 4u);
  EXPECT_LT(one.losses.back(), one.losses.front());
  for (PipelinePlanOptions o : {PipelinePlanOptions{Kind::OneFOneB, 1, 1, 4},
                                {Kind::OneFOneB, 2, 1, 4},
                                {Kind::GPipe, 2, 1, 4},
                                {Kind::OneFOneB, 4, 1, 8},
                                {Kind::GPipe, 4, 1, 8},
                                {Kind::OneFOneB, 4, 1, 2},
                                {Kind::OneFOneB, 3, 2, 1},
                                {Kind::GPipe, 2, 2, 3}}) {
    TrainerOptions cut = options(o);
    cut.streamFuzz = 7;
    SCOPED_TRACE(std::string(name(o.kind)) + " pp " + std::to_string(o.pp) + " dp " + std::to_string(o.dp) + " mb " +
                 std::to_string(o.microBatches));
    const Outcome other = run(cut);
    ASSERT_EQ(other.losses.size(), one.losses.size());
    for (size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(other.losses[i], one.losses[i], 2e-5 * one.losses[i]);
      EXPECT_NEAR(other.gradNorms[i], one.gradNorms[i], 1e-4 * one.gradNorms[i]);
    }
    expectNear(other.gradients, one.gradients, "gradient");
    expectNear(other.weights, one.weights, "weights");
  }
}

TEST_F(PipelineTrainerTest, TheSamePlanGivesTheSameBits) {
  TrainerOptions o = options({.pp = 4, .microBatches = 4});
  const Outcome first = run(o);
  o.streamFuzz = 5;
  const Outcome second = run(o);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.gradients, second.gradients);
  EXPECT_EQ(first.weights, second.weights);
}

// Weights from a file reach the replica too: with another value at one end, the loss of step 1 would differ.
TEST_F(PipelineTrainerTest, InitReachesReplicas) {
  const Outcome saved = run(options({.pp = 1, .microBatches = 2}));
  std::filesystem::rename(directory_ / "w.safetensors", directory_ / "init.safetensors");
  TrainerOptions one = options({.pp = 1, .microBatches = 2}), two = one;
  one.initPath = directory_ / "init.safetensors";
  const Outcome whole = run(one);
  two = options({.pp = 2, .microBatches = 2});
  two.initPath = one.initPath;
  const Outcome cut = run(two);
  EXPECT_NEAR(cut.losses[0], whole.losses[0], 2e-5 * whole.losses[0]);
  EXPECT_NEAR(cut.losses[3], whole.losses[3], 2e-5 * whole.losses[3]);
  EXPECT_NE(whole.losses[0], saved.losses[0]);
}

TEST_F(PipelineTrainerTest, EveryStageReportsItsMemory) {
  const Outcome outcome = run(options({.pp = 2, .dp = 2, .microBatches = 2}));
  const planformat::Plan plan = planformat::pipelinePlan({.pp = 2, .dp = 2, .microBatches = 2});
  ASSERT_NE(plan.stages[0].arenaBytes, plan.stages[1].arenaBytes);
  for (size_t stage : {0, 1})
    EXPECT_THAT(outcome.report, HasSubstr("stage " + std::to_string(stage) + ", 2 ranks: planned peak " +
                                          std::to_string(plan.stages[stage].arenaBytes) + " bytes"));
  EXPECT_THAT(outcome.log, HasSubstr("step 4/4 | loss"));
}

} // namespace
