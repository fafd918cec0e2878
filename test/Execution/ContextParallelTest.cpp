//===- ContextParallelTest.cpp - sequences over ranks ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ring attention computes what one rank computes, sends what the textbook says, and needs
// two blocks beside its own however long the ring is.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "modelpar/CostModel/Cost.h"
#include "modelpar/PlanFormat/Verifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

using namespace modelpar;
using namespace modelpar::test;

namespace {

struct Case {
  std::string name, model;
  int64_t cp, tp = 1, dp = 1, numMicroBatches = 1;
  int64_t sequence = 24, globalBatch = 8;
  bool sequenceParallel = false;
  int64_t parts = 1; ///< Of the tokens' order.
};

pipelines::CompileOptions optionsOf(const Case &c, const std::string &optimizer) {
  pipelines::CompileOptions options = compileOptions(c.model, c.cp * c.tp * c.dp);
  options.cp = c.cp;
  options.tp = c.tp;
  options.dp = c.dp;
  options.globalBatch = c.globalBatch;
  const int64_t share = (c.globalBatch + c.dp - 1) / c.dp;
  options.microBatch = (share + c.numMicroBatches - 1) / c.numMicroBatches;
  options.sequence = c.sequence;
  options.sequenceParallel = c.sequenceParallel;
  options.optimizer = optimizer;
  return options;
}

Case oneRank(Case c) {
  c.cp = c.tp = c.dp = c.numMicroBatches = 1;
  c.sequenceParallel = false;
  return c;
}

RunOptions runOptions(const std::string &optimizer) {
  RunOptions options;
  options.steps = 4;
  options.learningRate = optimizer == "sgd" ? 0.5 : 1e-3;
  return options;
}

/// gpt2 with dropout everywhere, attention included.
constexpr const char *kDropout =
    R"({"model_type": "gpt2", "vocab_size": 96, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4,
        "resid_pdrop": 0.2, "embd_pdrop": 0.1, "attn_pdrop": 0.3})";

/// What this suite runs of each model: files of models/, or a text for names that are none.
pipelines::CompileResult compileCase(const Case &c, const std::string &optimizer) {
  const pipelines::CompileOptions options = optionsOf(c, optimizer);
  return c.model == "dropout.json" ? compileText(kDropout, options) : compileModel(options);
}

/// Runs of one rank, made once for each model and shape.
const RunResult &reference(const Case &c, const std::string &optimizer) {
  static std::map<std::string, RunResult> results;
  const std::string key = c.model + optimizer + std::to_string(c.globalBatch) + "," + std::to_string(c.sequence);
  auto it = results.find(key);
  if (it == results.end())
    it = results.emplace(key, run(compileCase(oneRank(c), optimizer).plan, runOptions(optimizer))).first;
  return it->second;
}

void PrintTo(const Case &c, std::ostream *stream) { *stream << c.name; }

class ContextParallel : public ::testing::TestWithParam<std::tuple<Case, const char *>> {};

TEST_P(ContextParallel, IsOneRank) {
  const auto &[c, optimizer] = GetParam();
  const RunResult &one = reference(c, optimizer);
  ASSERT_EQ(one.error, "");
  const pipelines::CompileResult compiled = compileCase(c, optimizer);
  ASSERT_TRUE(compiled.ok);
  for (const planformat::Input &input : compiled.plan.inputs)
    if (input.role == "tokens") {
      const planformat::TensorType &type = compiled.plan.types[input.type];
      EXPECT_EQ(sharding::orderOf(type.shape[1], type.sharding.dims[1]).parts, c.parts);
    }
  EXPECT_EQ(compiled.plan.mesh.numRanks(), c.cp * c.tp * c.dp);
  RunOptions options = runOptions(optimizer);
  const RunResult plain = run(compiled.plan, options);
  ASSERT_EQ(plain.error, "");
  const Agreement agreement = compare(one, plain);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  options.streamFuzz = 17;
  const RunResult fuzzed = run(compiled.plan, options);
  ASSERT_EQ(fuzzed.error, "");
  EXPECT_EQ(plain.losses, fuzzed.losses);
  EXPECT_EQ(plain.weights, fuzzed.weights);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const char *model : {"gpt2-tiny.json", "llama-tiny.json"}) {
    list.push_back({"cp2", model, 2, 1, 1, 1, 24, 8, false, 2});
    list.push_back({"cp4", model, 4, 1, 1, 1, 24, 8, false, 4});
    list.push_back({"cp3", model, 3, 1, 1, 1, 24, 8, false, 3});
    list.push_back({"cp2_tp2", model, 2, 2, 1, 1, 24, 8, false, 2});
    list.push_back({"cp2_tp2_sp", model, 2, 2, 1, 2, 24, 8, true, 2});
    list.push_back({"cp2_dp2_mb2", model, 2, 1, 2, 2, 24, 8, false, 2});
    // No multiple of 2·cp: contiguous shards of 9, 9 and 7; of 2, 2, 1 and none; of 7 and 6 over cp and tp.
    list.push_back({"cp3_seq25", model, 3, 1, 1, 1, 25});
    list.push_back({"cp4_seq5", model, 4, 1, 1, 2, 5, 5});
    list.push_back({"cp2_tp3_sp_seq13", model, 2, 3, 1, 1, 13, 5, true});
  }
  list.push_back({"cp2", "dropout.json", 2, 1, 1, 2, 24, 8, false, 2});
  list.push_back({"cp2_tp2_sp", "dropout.json", 2, 2, 1, 1, 24, 8, true, 2});
  list.push_back({"cp3_seq25", "dropout.json", 3, 1, 1, 1, 25});
  return list;
}

std::string caseName(const ::testing::TestParamInfo<ContextParallel::ParamType> &info) {
  const Case &c = std::get<0>(info.param);
  std::string name = c.model.substr(0, c.model.find('.')) + "_" + c.name + "_" + std::get<1>(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Plans, ContextParallel,
                         ::testing::Combine(::testing::ValuesIn(cases()), ::testing::Values("sgd", "adamw")), caseName);

struct Model {
  const char *file;
  int64_t layers, keyValueWidth; ///< Heads times their width.
};

class RingVolume : public ::testing::TestWithParam<std::tuple<Model, int64_t, int64_t, int64_t>> {};

/// With dp the gradients' all_reduce is over dp and cp together: what goes over cp alone is the ring.
TEST_P(RingVolume, IsTheTextbooks) {
  const auto &[model, cp, tp, numMicroBatches] = GetParam();
  constexpr int64_t dp = 2, batch = 8, sequence = 24;
  pipelines::CompileOptions options = compileOptions(model.file, cp * tp * dp);
  options.cp = cp;
  options.tp = tp;
  options.dp = dp;
  options.globalBatch = batch;
  options.microBatch = batch / dp / numMicroBatches;
  options.sequence = sequence;
  const pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  // |K| = |V| = |dK| = |dV|: the heads and samples that a rank has, of the whole sequence, in f32.
  const int64_t keys = batch / dp * sequence * (model.keyValueWidth / tp) * 4;
  const int64_t forward = (cp - 1) * 2 * keys / cp, backward = forward + (cp - 1) * 2 * keys / cp;
  const int64_t expected = model.layers * (forward + backward);
  costmodel::Cluster cluster;
  std::string text, error;
  ASSERT_TRUE(costmodel::clusterFromOption(*options.cluster, cluster, text, error)) << error;
  EXPECT_EQ(costmodel::predict(compiled.plan, cluster).communicationBytesByAxis.at("cp"), expected);
  RunOptions runOptions;
  runOptions.steps = 2;
  const RunResult result = run(compiled.plan, runOptions);
  ASSERT_EQ(result.error, "");
  EXPECT_EQ(result.sentBytes.at("cp"), runOptions.steps * expected);
  EXPECT_EQ(result.sentBytes.count("dp,cp"), 1u) << "gradients go over both axes at once";
  EXPECT_EQ(result.sentBytes.count("dp"), 0u);
}

std::string volumeName(const ::testing::TestParamInfo<RingVolume::ParamType> &info) {
  const std::string file = std::get<0>(info.param).file;
  return file.substr(0, file.find('-')) + "_cp" + std::to_string(std::get<1>(info.param)) + "_tp" +
         std::to_string(std::get<2>(info.param)) + "_mb" + std::to_string(std::get<3>(info.param));
}

INSTANTIATE_TEST_SUITE_P(
    Meshes, RingVolume,
    ::testing::Combine(::testing::Values(Model{"gpt2-tiny.json", 4, 128}, Model{"llama-tiny.json", 4, 64}),
                       ::testing::Values(2, 3, 4), ::testing::Values(1, 2), ::testing::Values(1, 2)),
    volumeName);

/// A longer ring of the same blocks needs no more memory: blocks take turns in two buffers.
TEST(Ring, NeedsTwoBuffers) {
  auto transientBytes = [](int64_t cp) {
    pipelines::CompileOptions options = compileOptions("gpt2-tiny.json", cp);
    options.cp = cp;
    options.tp = options.dp = 1;
    options.sequence = 16 * cp; // 16 positions a rank.
    options.globalBatch = 4;
    const pipelines::CompileResult compiled = compileModel(options);
    EXPECT_TRUE(compiled.ok);
    const planformat::Stage &stage = compiled.plan.stages[0];
    return stage.arenaBytes - stage.transientOffset;
  };
  EXPECT_LT(transientBytes(2), transientBytes(4)); // A ring of two has one hop, which needs one.
  EXPECT_EQ(transientBytes(4), transientBytes(5));
  EXPECT_EQ(transientBytes(4), transientBytes(8));
}

planformat::Plan ringOfFour() {
  pipelines::CompileOptions options = compileOptions("llama-tiny.json", 4);
  options.cp = 4;
  options.tp = options.dp = 1;
  options.sequence = 16;
  return compileModel(options).plan;
}

/// Changes every instruction that `change` applies to in turn, and expects the verifier to object. Returns how many.
int expectEachIsSeen(planformat::Plan &plan, const std::function<bool(planformat::Instruction &)> &change) {
  int changes = 0;
  for (planformat::Body &body : plan.blocks)
    for (planformat::Instruction &instruction : body.instructions) {
      const planformat::Instruction kept = instruction;
      if (change(instruction)) {
        ++changes;
        EXPECT_FALSE(planformat::verifyPlan(plan).empty()) << kept.op << " in " << body.name;
      }
      instruction = kept;
    }
  return changes;
}

TEST(RingPlan, EveryHopIsNeeded) {
  planformat::Plan plan = ringOfFour();
  ASSERT_TRUE(planformat::verifyPlan(plan).empty());
  // A layer has three hops of blocks forward and backward, and three of gradients.
  const int dropped = expectEachIsSeen(plan, [](planformat::Instruction &i) {
    if (i.op != "collective_permute")
      return false;
    planformat::Instruction wait;
    wait.kind = planformat::Instruction::Kind::Wait;
    wait.stream = i.stream, wait.waits = i.waits, wait.record = i.record;
    i = wait;
    return true;
  });
  EXPECT_EQ(dropped % 9, 0);
  EXPECT_GE(dropped, 9);
  EXPECT_EQ(
      expectEachIsSeen(plan, [](planformat::Instruction &i) { return i.op == "collective_permute" && ++i.shift; }),
      dropped);
}

TEST(RingPlan, EveryEventIsNeeded) {
  planformat::Plan plan = ringOfFour();
  EXPECT_GE(expectEachIsSeen(plan,
                             [](planformat::Instruction &i) {
                               if (i.op.rfind("attention", 0) != 0 && i.op != "collective_permute")
                                 return false;
                               return !std::exchange(i.waits, {}).empty();
                             }),
            9);
}

/// The loss of a model without a sequence does not depend on cp, which splits its batch.
TEST(WithoutASequence, ContextParallelismIsDataParallelism) {
  pipelines::CompileOptions one = compileOptions("mlp.json", 1), parallel = compileOptions("mlp.json", 8);
  parallel.cp = parallel.dp = parallel.tp = 2;
  parallel.microBatch = 1;
  const pipelines::CompileResult compiled = compileModel(parallel);
  ASSERT_TRUE(compiled.ok);
  ASSERT_EQ(compiled.warnings.size(), 1u);
  EXPECT_NE(compiled.warnings[0].find("it splits the batch"), std::string::npos) << compiled.warnings[0];
  EXPECT_EQ(compiled.plan.mesh.numMicroBatches(), 2);
  const RunResult a = run(compileModel(one).plan, {}), b = run(compiled.plan, {});
  ASSERT_EQ(a.error, "");
  ASSERT_EQ(b.error, "");
  const Agreement agreement = compare(a, b);
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

} // namespace
