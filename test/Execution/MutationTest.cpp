//===- MutationTest.cpp - no reduction can be wrong unnoticed -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Doubles, drops or misplaces each reduction of a partitioned module in turn: the verifier must reject it, and with the
// verifier off the run must differ from one rank's.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "test/lib/TestPasses.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace modelpar;
using namespace modelpar::test;

namespace {

/// What is mutated: four ranks with tp and dp, the same with sequence parallelism, two stages with dp, tp alone
/// (key-value heads shared by two ranks) with sequence parallelism or without, or tp and cp.
enum class Mesh { One, TensorData, Sequence, Stages, Shared, SharedSequence, Context };

pipelines::CompileOptions optionsFor(const std::string &model, Mesh mesh) {
  pipelines::CompileOptions options = compileOptions(model, mesh == Mesh::One ? 1 : 4);
  options.pp = mesh == Mesh::Stages ? 2 : 1;
  const bool tensorAlone = mesh == Mesh::Shared || mesh == Mesh::SharedSequence, context = mesh == Mesh::Context;
  options.tp = tensorAlone ? 4 : mesh == Mesh::One || mesh == Mesh::Stages ? 1 : 2;
  options.dp = mesh == Mesh::One || tensorAlone || context ? 1 : 2;
  options.cp = context ? 2 : 1;
  options.microBatch = mesh == Mesh::One ? 8 : context ? 4 : 2;
  options.optimizer = "sgd";
  options.sequenceParallel = mesh == Mesh::Sequence || mesh == Mesh::SharedSequence;
  if (model != "mlp.json")
    options.sequence = 12;
  return options;
}

std::string readText(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Mutation : public ::testing::TestWithParam<std::tuple<const char *, const char *, Mesh>> {};

TEST_P(Mutation, IsRejectedAndWouldBeSeen) {
  [[maybe_unused]] static const bool registered = (pipelines::registerModelparPasses(), registerTestPasses(), true);
  auto [model, mode, mesh] = GetParam();
  RunOptions runOptions;
  runOptions.steps = 2;
  runOptions.learningRate = 0.5;
  const RunResult one = run(compileModel(optionsFor(model, Mesh::One)).plan, runOptions);
  ASSERT_EQ(one.error, "");

  const pipelines::CompileOptions base = optionsFor(model, mesh);
  const std::string text = readText(base.modelFile);
  int mutated = 0;
  for (int index = 0;; ++index) {
    ASSERT_LT(index, 1000);
    pipelines::CompileOptions options = base;
    options.passesAfterPartition =
        "test-mutate-reductions{index=" + std::to_string(index) + " mode=" + mode + "},verify-partitioned";
    pipelines::CompileResult rejected = pipelines::compile(text, options);
    if (!rejected.errors.empty() && rejected.errors[0].find("no reduction") != std::string::npos)
      break; // Past the last one.
    ASSERT_TRUE(rejected.errors.empty() || rejected.errors[0].find("pass pipeline") == std::string::npos)
        << rejected.errors[0];
    EXPECT_FALSE(rejected.ok) << mode << " of reduction " << index << " passes the verifier";
    ++mutated;

    options.passesAfterPartition = "test-mutate-reductions{index=" + std::to_string(index) + " mode=" + mode + "}";
    options.verify = options.verifyPlan = false;
    pipelines::CompileResult unverified = pipelines::compile(text, options);
    ASSERT_TRUE(unverified.ok) << (unverified.errors.empty() ? "" : unverified.errors[0]);
    RunResult result = run(unverified.plan, runOptions);
    // A run that fails would say nothing about (a) to (d).
    ASSERT_EQ(result.error, "") << mode << " of reduction " << index;
    Agreement agreement = compare(one, result);
    EXPECT_FALSE(agreement.worst() <= 1.0)
        << mode << " of reduction " << index << " is not seen: " << agreement.toString();
  }
  // With dp alone beside the stages only what goes over stages has another axis to be put over: the tied gradient and
  // the norm.
  const bool overStages = mesh == Mesh::Stages && std::string(mode) == "misplace";
  EXPECT_GE(mutated, overStages ? 2 : 6) << "too few reductions were found";
  std::printf("  %d mutations\n", mutated);
}

std::string caseName(const ::testing::TestParamInfo<Mutation::ParamType> &info) {
  std::string name = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
  for (char &c : name)
    c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  static constexpr const char *kSuffixes[] = {"", "", "_sp", "_pp", "_tp4", "_tp4_sp", "_cp"};
  return name + kSuffixes[static_cast<size_t>(std::get<2>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Reductions, Mutation,
                         ::testing::Combine(::testing::Values("mlp.json", "gpt2-tiny.json", "llama-tiny.json"),
                                            ::testing::Values("double", "drop", "misplace"),
                                            ::testing::Values(Mesh::TensorData)),
                         caseName);
INSTANTIATE_TEST_SUITE_P(SequenceParallel, Mutation,
                         ::testing::Combine(::testing::Values("gpt2-tiny.json"),
                                            ::testing::Values("double", "drop", "misplace"),
                                            ::testing::Values(Mesh::Sequence)),
                         caseName);
INSTANTIATE_TEST_SUITE_P(Stages, Mutation,
                         ::testing::Combine(::testing::Values("gpt2-tiny.json"),
                                            ::testing::Values("double", "drop", "misplace"),
                                            ::testing::Values(Mesh::Stages)),
                         caseName);
// Without dp nothing can be joined inside the loop that belongs after it.
INSTANTIATE_TEST_SUITE_P(SubAxes, Mutation,
                         ::testing::Combine(::testing::Values("llama-tiny.json"), ::testing::Values("double", "drop"),
                                            ::testing::Values(Mesh::Shared, Mesh::SharedSequence)),
                         caseName);
INSTANTIATE_TEST_SUITE_P(Context, Mutation,
                         ::testing::Combine(::testing::Values("gpt2-tiny.json", "llama-tiny.json"),
                                            ::testing::Values("double", "drop", "misplace"),
                                            ::testing::Values(Mesh::Context)),
                         caseName);

} // namespace
