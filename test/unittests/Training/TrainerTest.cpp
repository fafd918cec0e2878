//===- TrainerTest.cpp -----------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinearPlan.h"

#include "modelpar/Json/Json.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"
#include "runtime/training/Trainer.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <cmath>
#include <cstdlib>
#include <gmock/gmock.h>
#include <sstream>
#include <thread>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

struct Outcome {
  Status status;
  std::vector<double> losses, gradNorms;
  std::vector<float> gradient, weights;
};

class TrainerTest : public testing::Test {
protected:
  std::string writePlan(const planformat::Plan &plan, const std::string &name = "p.plan") {
    std::string error;
    EXPECT_TRUE(planformat::writePlanFile(directory_ / name, plan, error)) << error;
    return directory_ / name;
  }

  /// Short runs; outputs go to the directory.
  TrainerOptions options(const planformat::Plan &plan) {
    TrainerOptions result;
    result.planPath = writePlan(plan);
    result.steps = 5;
    result.seed = 3;
    result.learningRate.peak = 0.5;
    result.threadsPerRank = 1;
    result.metricsPath = directory_ / "m.jsonl";
    result.dumpGradsPath = directory_ / "grads/step-1";
    result.saveWeightsPath = directory_ / "w.safetensors";
    return result;
  }

  std::vector<float> tensor(const std::string &path) {
    SafetensorsFile file;
    Status status = SafetensorsFile::open(path, file);
    EXPECT_TRUE(status.ok()) << status.message();
    const FileTensor *found = file.find("linear.weight");
    EXPECT_NE(found, nullptr);
    if (!found)
      return {};
    EXPECT_EQ(found->shape, std::vector<int64_t>{30}); // The checkpoint's shape, not the plan's.
    std::vector<float> values(static_cast<size_t>(found->numElements()));
    std::memcpy(values.data(), file.bytes(*found).data(), values.size() * 4);
    return values;
  }

  Outcome run(const TrainerOptions &options) {
    Outcome outcome;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    outcome.status = train(options);
    stdout_ = testing::internal::GetCapturedStdout();
    stderr_ = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
    std::istringstream lines(readFile(options.metricsPath));
    for (std::string line; std::getline(lines, line);) {
      json::Value value;
      std::string error;
      EXPECT_TRUE(json::parse(line, value, error)) << error;
      outcome.losses.push_back(value["loss"].get<double>());
      outcome.gradNorms.push_back(value["grad_norm"].get<double>());
    }
    outcome.gradient = tensor(options.dumpGradsPath + "/gradients.safetensors");
    outcome.weights = tensor(options.saveWeightsPath);
    return outcome;
  }

  void expectRefused(const TrainerOptions &options, const std::string &part) {
    Status status = train(options);
    ASSERT_FALSE(status.ok()) << "accepted, expected: " << part;
    EXPECT_THAT(status.message(), HasSubstr(part));
  }

  TemporaryDirectory directory_;
  std::string stdout_, stderr_;
};

TEST_F(TrainerTest, ThePlansAreGood) {
  for (LinearPlanOptions o : {LinearPlanOptions{}, LinearPlanOptions{2, 2, 2}}) {
    std::string all;
    for (const planformat::Finding &finding : planformat::verifyPlan(linearPlan(o)))
      all += finding.toString() + "\n";
    EXPECT_EQ(all, "");
  }
}

TEST_F(TrainerTest, TheLossFalls) {
  TrainerOptions o = options(linearPlan({}));
  o.steps = 60;
  o.weightDecay = 0;
  Outcome outcome = run(o);
  ASSERT_EQ(outcome.losses.size(), 60u);
  EXPECT_LT(outcome.losses.back(), 0.05 * outcome.losses.front());
  EXPECT_THAT(stderr_, HasSubstr("step 1/60 | loss"));
  EXPECT_THAT(stderr_, HasSubstr("step 60/60 | loss"));
  EXPECT_THAT(stdout_, HasSubstr("stage 0, rank 0: planned peak"));
}

/// Every plan starts from the same weights, sees the same batches and gives the same gradients and weights within
/// rounding.
TEST_F(TrainerTest, EveryPlanTrainsAlike) {
  const Outcome one = run(options(linearPlan({})));
  for (LinearPlanOptions o :
       {LinearPlanOptions{2, 1, 1}, {1, 2, 1}, {1, 1, 2}, {2, 2, 2}, {1, 4, 1}, {1, 1, 4}, {3, 2, 1}}) {
    TrainerOptions parallel = options(linearPlan(o));
    parallel.streamFuzz = 11;
    const Outcome other = run(parallel);
    ASSERT_EQ(other.losses.size(), one.losses.size());
    for (size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(other.losses[i], one.losses[i], 2e-5 * one.losses[i]);
      EXPECT_NEAR(other.gradNorms[i], one.gradNorms[i], 1e-4 * one.gradNorms[i]);
    }
    for (size_t i = 0; i < one.weights.size(); ++i) {
      EXPECT_NEAR(other.gradient[i], one.gradient[i], 1e-5);
      EXPECT_NEAR(other.weights[i], one.weights[i], 1e-5);
    }
  }
}

/// Whole, in the order of samples and columns, whatever the plan.
TEST_F(TrainerTest, TheOutputIsThatOfOneRank) {
  auto output = [&](const LinearPlanOptions &plan) {
    TrainerOptions o = options(linearPlan(plan));
    o.steps = 2; // The second step has another output.
    o.dumpOutputsPath = directory_ / "outputs/step-1";
    run(o);
    SafetensorsFile file;
    Status status = SafetensorsFile::open(o.dumpOutputsPath + "/outputs.safetensors", file);
    EXPECT_TRUE(status.ok()) << status.message();
    const FileTensor *found = file.find("prediction");
    EXPECT_NE(found, nullptr);
    std::vector<float> values(found ? static_cast<size_t>(found->numElements()) : 0);
    if (found) {
      EXPECT_EQ(found->shape, (std::vector<int64_t>{8, 5}));
      std::memcpy(values.data(), file.bytes(*found).data(), values.size() * 4);
    }
    return values;
  };
  const std::vector<float> one = output({});
  ASSERT_EQ(one.size(), 40u);
  EXPECT_NE(one, std::vector<float>(40, one[0]));
  for (const LinearPlanOptions &plan : {LinearPlanOptions{3, 1, 1}, {1, 4, 1}, {1, 1, 4}, {2, 2, 2}}) {
    const std::vector<float> other = output(plan);
    ASSERT_EQ(other.size(), one.size());
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_NEAR(other[i], one[i], 1e-6) << "element " << i;
  }
}

TEST_F(TrainerTest, AnOutputNeedsALoss) {
  planformat::Plan plan = linearPlan({});
  TrainerOptions o = options(plan);
  for (planformat::Program &program : plan.stages[0].programs)
    for (planformat::Instruction &instruction : program.body.instructions)
      if (instruction.op == "squared_error")
        instruction.op = "sum_squares", instruction.inputs.pop_back();
  o.planPath = writePlan(plan, "no-loss.plan");
  o.verify = false;
  o.dumpOutputsPath = directory_ / "outputs";
  expectRefused(o, "--dump-outputs: the plan has 0 losses (softmax_stats or squared_error), expected one");
}

TEST_F(TrainerTest, TheSamePlanGivesTheSameBits) {
  TrainerOptions o = options(linearPlan({2, 2, 2}));
  const Outcome first = run(o);
  o.streamFuzz = 5;
  const Outcome second = run(o);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.gradNorms, second.gradNorms);
  EXPECT_EQ(first.gradient, second.gradient);
  EXPECT_EQ(first.weights, second.weights);
}

TEST_F(TrainerTest, TheSeedMatters) {
  TrainerOptions o = options(linearPlan({}));
  const Outcome first = run(o);
  o.seed = 4;
  EXPECT_NE(first.losses, run(o).losses);
}

TEST_F(TrainerTest, GradientsAreThoseBeforeClipping) {
  TrainerOptions o = options(linearPlan({1, 2, 2}));
  o.clip = 1e-3;
  const Outcome outcome = run(o);
  double square = 0;
  for (float g : outcome.gradient)
    square += static_cast<double>(g) * g;
  EXPECT_NEAR(std::sqrt(square), outcome.gradNorms[0], 1e-5 * outcome.gradNorms[0]);
  EXPECT_GT(outcome.gradNorms[0], 1e-2);
}

/// What a run saved is what another starts from: with the same weights and batch, step 1 has the same loss.
TEST_F(TrainerTest, InitReadsWhatSaveWrote) {
  TrainerOptions o = options(linearPlan({1, 2, 2}));
  o.steps = 1;
  o.learningRate.peak = 0; // The weights stay what they were.
  const Outcome saved = run(o);
  std::filesystem::rename(o.saveWeightsPath, directory_ / "init.safetensors");
  TrainerOptions other = options(linearPlan({2, 1, 4}));
  other.steps = 1;
  other.learningRate.peak = 0;
  other.initPath = directory_ / "init.safetensors";
  const Outcome loaded = run(other);
  EXPECT_EQ(saved.weights, loaded.weights);
  EXPECT_NEAR(saved.losses[0], loaded.losses[0], 1e-5 * saved.losses[0]);
}

TEST_F(TrainerTest, ADryRunRunsNothing) {
  TrainerOptions o = options(linearPlan({}));
  o.dryRun = true;
  testing::internal::CaptureStdout();
  EXPECT_TRUE(train(o).ok());
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("stage 0: arena"));
  EXPECT_FALSE(std::filesystem::exists(o.metricsPath));
  EXPECT_FALSE(std::filesystem::exists(o.saveWeightsPath));
}

TEST_F(TrainerTest, ArraysFeedIt) {
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(directory_ / "d.safetensors",
                                        {{"x", FileType::F32, {16, 6}}, {"y", FileType::F32, {16, 5}}}, writer)
                  .ok());
  auto x = reinterpret_cast<float *>(writer.bytes(*writer.find("x")).data());
  for (int i = 0; i < 96; ++i)
    x[i] = static_cast<float>(i % 9 - 4) / 4; // In the range of x, [-1, 1].
  ASSERT_TRUE(writer.finish().ok());
  TrainerOptions o = options(linearPlan({2, 2, 1}));
  o.data.path = directory_ / "d.safetensors";
  o.learningRate.peak = 0.05;
  EXPECT_LT(run(o).losses.back(), run(o).losses.front()); // Targets are zero.
}

TEST_F(TrainerTest, NumericsAreChecked) {
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(directory_ / "init", {{"linear.weight", FileType::F32, {30}}}, writer).ok());
  reinterpret_cast<float *>(writer.bytes(*writer.find("linear.weight")).data())[7] = INFINITY;
  ASSERT_TRUE(writer.finish().ok());
  TrainerOptions o = options(linearPlan({1, 2, 1}));
  o.initPath = directory_ / "init";
  o.checkNumerics = true;
  testing::internal::CaptureStderr();
  Status status = train(o);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_THAT(status.message(),
              testing::ContainsRegex("rank [01], step 1, micro-batch 0, .*: output 0 is not finite at element"));
}

/// Rank 0 is busy outside any collective while rank 1 loses patience.
TEST_F(TrainerTest, AStuckRankIsReported) {
  TrainerOptions o = options(linearPlan({1, 2, 1}));
  o.timeoutSeconds = 1;
  o.onStep = [](const StepMetrics &) { std::this_thread::sleep_for(std::chrono::seconds(4)); };
  std::string reported;
  o.onStuck = [&](const Status &error) { reported = error.message(); };
  testing::internal::CaptureStderr();
  Status status = train(o);
  testing::internal::GetCapturedStderr();
  EXPECT_THAT(reported, HasSubstr("no arrival of rank 0 within 1 s"));
  EXPECT_EQ(status.message(), reported);
}

TEST_F(TrainerTest, RefusesWhatItCannotDo) {
  const planformat::Plan plan = linearPlan({});
  TrainerOptions o = options(plan);
  o.comm = "nccl";
  expectRefused(o, "--comm=nccl is not supported yet");
  o = options(plan);
  o.backend = "cuda";
  expectRefused(o, "--backend=cuda is not supported yet");
  o = options(plan);
  o.learningRate.warmup = 10;
  o.learningRate.decaySteps = 10;
  expectRefused(o, "must exceed --warmup=10");
  o = options(plan);
  o.planPath = directory_ / "none.plan";
  expectRefused(o, "none.plan");
  o = options(plan);
  o.data.path = directory_ / "none.txt";
  expectRefused(o, "none.txt': No such file");
  o = options(plan);
  o.initPath = directory_ / "none";
  expectRefused(o, "none': No such file");
  o = options(plan);
  o.metricsPath = directory_ / "no/m.jsonl";
  expectRefused(o, "cannot create");
}

TEST_F(TrainerTest, RefusesPlansForOtherDevicesAndBrokenOnes) {
  planformat::Plan plan = linearPlan({1, 2, 1});
  plan.deviceKind = "cuda";
  expectRefused(options(plan), "the plan is for 'cuda' devices");
  plan = linearPlan({1, 2, 1});
  plan.stages[0].programs[1].body.instructions.erase(plan.stages[0].programs[1].body.instructions.begin() + 1);
  TrainerOptions broken = options(plan);
  expectRefused(broken, "the plan is wrong:");
  EXPECT_FALSE(std::filesystem::exists(broken.metricsPath));
}

TEST_F(TrainerTest, RefusesToBeOneOfSeveralProcesses) {
  TrainerOptions o = options(linearPlan({}));
  setenv("RANK", "1", 1);
  setenv("WORLD_SIZE", "4", 1);
  expectRefused(o, "this is process 1 of 4");
  unsetenv("RANK");
  unsetenv("WORLD_SIZE");
}

} // namespace
