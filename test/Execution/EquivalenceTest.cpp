//===- EquivalenceTest.cpp - every plan computes what one rank computes ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table of models, optimizers and plans. One rank's run is made once for each model, optimizer and batch; each
// plan is compared with it, then run again under stream fuzz, which may not change a bit.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace modelpar;
using namespace modelpar::test;

namespace {

/// How a model is spread: everything that one rank's run does not depend on.
struct Plan {
  int64_t tp = 1, dp = 1, pp = 1, cp = 1;
  int64_t numMicroBatches = 1;
  bool sequenceParallel = false;
  std::string schedule = "1f1b";
  int64_t numRanks() const { return tp * dp * pp * cp; }
};

struct Case {
  std::string model, optimizer;
  Plan plan;
  int64_t globalBatch = 8, sequence = 24;
  bool hasSequence() const { return model != "mlp"; }
};

std::string nameOf(const Case &c) {
  const Plan &p = c.plan;
  std::string name = c.model + "_" + c.optimizer;
  for (const auto &[axis, size] :
       {std::pair<const char *, int64_t>{"dp", p.dp}, {"cp", p.cp}, {"pp", p.pp}, {"tp", p.tp}})
    name += size > 1 ? std::string("_") + axis + std::to_string(size) : "";
  name += p.sequenceParallel ? "_sp" : "";
  name += p.pp > 1 ? "_" + p.schedule : "";
  name += "_mb" + std::to_string(p.numMicroBatches);
  name += c.globalBatch != 8 ? "_batch" + std::to_string(c.globalBatch) : "";
  name += c.sequence != 24 ? "_seq" + std::to_string(c.sequence) : "";
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

pipelines::CompileOptions optionsOf(const Case &c, const Plan &plan) {
  pipelines::CompileOptions options = compileOptions(c.model + ".json", plan.numRanks());
  options.tp = plan.tp;
  options.dp = plan.dp;
  options.pp = plan.pp;
  options.cp = plan.cp;
  options.globalBatch = c.globalBatch;
  // Without a sequence, cp splits the batch.
  const int64_t share = ceilDiv(ceilDiv(c.globalBatch, plan.dp), c.hasSequence() ? 1 : plan.cp);
  options.microBatch = ceilDiv(share, plan.numMicroBatches);
  options.optimizer = c.optimizer;
  if (c.hasSequence())
    options.sequence = c.sequence;
  options.sequenceParallel = plan.sequenceParallel;
  options.schedule = plan.schedule;
  return options;
}

RunOptions runOptions(const std::string &optimizer) {
  RunOptions options;
  options.steps = 5;
  options.learningRate = optimizer == "sgd" ? 0.5 : 1e-3;
  return options;
}

/// The run of one rank with one micro-batch.
const RunResult &reference(const Case &c) {
  static std::map<std::string, RunResult> results;
  const std::string key = nameOf({c.model, c.optimizer, Plan(), c.globalBatch, c.sequence});
  auto it = results.find(key);
  if (it == results.end())
    it = results.emplace(key, run(compileModel(optionsOf(c, Plan())).plan, runOptions(c.optimizer))).first;
  return it->second;
}

/// The worst figure of each bound over all cases of the process, printed at its end.
class WorstFigures : public ::testing::Environment {
public:
  static void note(const std::string &name, const Agreement &agreement) {
    const double figures[] = {agreement.gradients, agreement.gradNorms, agreement.losses, agreement.weights};
    for (size_t i = 0; i < std::size(figures); ++i)
      if (!(figures[i] <= worst[i].first))
        worst[i] = {figures[i], name};
    ++count;
  }
  void TearDown() override {
    static constexpr const char *kBounds[] = {"(a) gradients", "(b) grad_norm", "(c) loss", "(d) weights"};
    for (size_t i = 0; i < std::size(kBounds) && count; ++i)
      std::printf("worst of %d cases, %-14s %.3f of its bound: %s\n", count, kBounds[i], worst[i].first,
                  worst[i].second.c_str());
  }

private:
  static inline std::pair<double, std::string> worst[4] = {{-1, ""}, {-1, ""}, {-1, ""}, {-1, ""}};
  static inline int count = 0;
};
const auto *const figures = ::testing::AddGlobalTestEnvironment(new WorstFigures);

std::string caseName(const ::testing::TestParamInfo<Case> &info) { return nameOf(info.param); }
void PrintTo(const Case &c, std::ostream *stream) { *stream << nameOf(c); }

class Equivalence : public ::testing::TestWithParam<Case> {};

TEST_P(Equivalence, WithOneRank) {
  const Case &c = GetParam();
  const RunResult &one = reference(c);
  ASSERT_EQ(one.error, "");
  pipelines::CompileResult compiled = compileModel(optionsOf(c, c.plan));
  ASSERT_TRUE(compiled.ok);
  ASSERT_EQ(compiled.plan.mesh.numMicroBatches(), c.plan.numMicroBatches);
  ASSERT_EQ(compiled.plan.mesh.numRanks(), c.plan.numRanks());
  ASSERT_EQ(int64_t(compiled.plan.stages.size()), c.plan.pp);
  RunOptions options = runOptions(c.optimizer);
  RunResult plain = run(compiled.plan, options);
  ASSERT_EQ(plain.error, "");
  Agreement agreement = compare(one, plain);
  WorstFigures::note(nameOf(c), agreement);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  // The order of sums does not depend on timing: delays change nothing, not a bit.
  options.streamFuzz = 17;
  RunResult fuzzed = run(compiled.plan, options);
  ASSERT_EQ(fuzzed.error, "");
  EXPECT_EQ(plain.losses, fuzzed.losses);
  EXPECT_EQ(plain.gradNorms, fuzzed.gradNorms);
  EXPECT_EQ(plain.gradients, fuzzed.gradients);
  EXPECT_EQ(plain.weights, fuzzed.weights);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

const std::string kModels[] = {"mlp", "gpt2-tiny", "llama-tiny"};
const std::string kOptimizers[] = {"sgd", "adamw"};

void add(std::vector<Case> &list, const std::vector<std::string> &models, Plan plan, int64_t globalBatch = 8,
         int64_t sequence = 24) {
  for (const std::string &model : models)
    for (const std::string &optimizer : kOptimizers)
      list.push_back({model, optimizer, plan, globalBatch, sequence});
}

/// Each axis alone, and mixed, up to all of them on 16 ranks.
std::vector<Case> axes() {
  std::vector<Case> list;
  for (const Plan &plan : {Plan{.tp = 4},
                           {.tp = 4, .sequenceParallel = true},
                           {.dp = 4},
                           {.dp = 2, .pp = 2, .numMicroBatches = 4, .schedule = "gpipe"},
                           {.pp = 4, .numMicroBatches = 8},
                           {.cp = 2},
                           {.cp = 4},
                           {.tp = 2, .dp = 2, .sequenceParallel = true},
                           {.tp = 2, .pp = 2, .cp = 2, .numMicroBatches = 4},
                           {.tp = 2, .dp = 2, .pp = 2, .numMicroBatches = 4},
                           {.tp = 2, .dp = 2, .pp = 2, .cp = 2, .numMicroBatches = 2}})
    add(list, {std::begin(kModels), std::end(kModels)}, plan);
  return list;
}

/// Accumulation over micro-batches; batches that are not split evenly, and shards that are short or empty.
std::vector<Case> microBatches() {
  std::vector<Case> list;
  const std::vector<std::string> models = {"mlp", "gpt2-tiny"};
  for (const Plan &plan : {Plan{.tp = 2}, {.tp = 4}, {.dp = 2}, {.dp = 4}, {.tp = 2, .dp = 2}})
    for (int64_t numMicroBatches : {1, 2, 4}) {
      Plan each = plan;
      each.numMicroBatches = numMicroBatches;
      if (numMicroBatches > 1 || (plan.tp != 4 && plan.dp != 4)) // The others are among axes().
        // With dp=4 a share of 2 has no four micro-batches: a larger batch there.
        add(list, models, each, plan.dp == 4 && numMicroBatches == 4 ? 16 : 8);
    }
  add(list, models, {.numMicroBatches = 4});
  add(list, models, {.dp = 3, .numMicroBatches = 2}, 7);
  add(list, models, {.tp = 3});
  add(list, models, {.tp = 3, .dp = 2, .numMicroBatches = 2}, 5);
  return list;
}

/// Two key-value heads: with tp=4 two ranks share one, with tp=3 a rank has none.
std::vector<Case> groupedHeads() {
  std::vector<Case> list;
  for (const Plan &plan : {Plan{.tp = 2}, {.dp = 2}, {.tp = 2, .dp = 2}, {.tp = 4, .dp = 2}})
    for (int64_t numMicroBatches : {1, 2}) {
      Plan each = plan;
      each.numMicroBatches = numMicroBatches;
      add(list, {"llama-tiny"}, each);
    }
  for (const Plan &plan : {Plan{.tp = 4, .numMicroBatches = 2}, {.dp = 4, .numMicroBatches = 2}})
    add(list, {"llama-tiny"}, plan);
  add(list, {"llama-tiny"}, {.tp = 3}, 5);
  add(list, {"llama-tiny"}, {.tp = 4, .dp = 2, .numMicroBatches = 2}, 5);
  return list;
}

/// Even shards of the sequence, shards of 9, 9 and 7, and an empty one.
std::vector<Case> sequenceParallel() {
  std::vector<Case> list;
  const std::vector<std::string> models = {"gpt2-tiny", "llama-tiny"};
  for (int64_t numMicroBatches : {1, 2}) {
    add(list, models, {.tp = 2, .numMicroBatches = numMicroBatches, .sequenceParallel = true});
    add(list, models, {.tp = 3, .numMicroBatches = numMicroBatches, .sequenceParallel = true}, 8, 25);
  }
  add(list, models, {.tp = 4, .numMicroBatches = 2, .sequenceParallel = true});
  add(list, models, {.tp = 2, .dp = 2, .numMicroBatches = 2, .sequenceParallel = true});
  add(list, models, {.tp = 3, .dp = 2, .numMicroBatches = 2, .sequenceParallel = true}, 5, 4);
  add(list, models, {.tp = 4, .dp = 2, .numMicroBatches = 2, .sequenceParallel = true}, 5, 7);
  return list;
}

/// Uneven shares and several axes at once; sequences that have no balanced split.
std::vector<Case> uneven() {
  std::vector<Case> list;
  const std::vector<std::string> models = {"gpt2-tiny", "llama-tiny"};
  add(list, models, {.cp = 3}, 5, 25);
  add(list, models, {.dp = 2, .cp = 2, .numMicroBatches = 2}, 5, 7);
  add(list, models, {.tp = 2, .cp = 2, .sequenceParallel = true}, 8, 24);
  add(list, models, {.tp = 4, .pp = 2, .numMicroBatches = 4, .sequenceParallel = true});
  add(list, models, {.tp = 4, .cp = 2, .sequenceParallel = true});
  add(list, models, {.tp = 4, .pp = 2, .cp = 2, .numMicroBatches = 2}, 5, 22);
  add(list, models, {.tp = 2, .dp = 2, .pp = 2, .cp = 2, .numMicroBatches = 2, .sequenceParallel = true}, 5, 22);
  add(list, {std::begin(kModels), std::end(kModels)}, {.dp = 2, .pp = 3, .numMicroBatches = 3, .schedule = "gpipe"}, 5);
  add(list, {std::begin(kModels), std::end(kModels)}, {.dp = 2, .pp = 3, .numMicroBatches = 3}, 5);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Axes, Equivalence, ::testing::ValuesIn(axes()), caseName);
INSTANTIATE_TEST_SUITE_P(MicroBatches, Equivalence, ::testing::ValuesIn(microBatches()), caseName);
INSTANTIATE_TEST_SUITE_P(GroupedHeads, Equivalence, ::testing::ValuesIn(groupedHeads()), caseName);
INSTANTIATE_TEST_SUITE_P(SequenceParallel, Equivalence, ::testing::ValuesIn(sequenceParallel()), caseName);
INSTANTIATE_TEST_SUITE_P(Uneven, Equivalence, ::testing::ValuesIn(uneven()), caseName);

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

/// An embedding of its own whose rows tp does not divide: 10, 10, 10 and 7 of 37.
TEST(Vocabulary, OfPrimeSize_llama_tiny) {
  const std::string text =
      R"({"model_type": "llama", "vocab_size": 37, "max_position_embeddings": 32, "hidden_size": 16,
    "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "tie_word_embeddings": false})";
  auto optionsFor = [](const Plan &plan) { return optionsOf({"llama-tiny", "sgd", plan}, plan); };
  const RunResult one = run(compileText(text, optionsFor(Plan())).plan, runOptions("sgd"));
  ASSERT_EQ(one.error, "");
  for (const Plan &plan : {Plan{.tp = 4},
                           {.tp = 4, .numMicroBatches = 2, .sequenceParallel = true},
                           {.tp = 2, .dp = 2, .pp = 2, .numMicroBatches = 2},
                           {.tp = 2, .cp = 2, .sequenceParallel = true}}) {
    pipelines::CompileResult compiled = compileText(text, optionsFor(plan));
    ASSERT_TRUE(compiled.ok);
    const RunResult parallel = run(compiled.plan, runOptions("sgd"));
    ASSERT_EQ(parallel.error, "");
    const Agreement agreement = compare(one, parallel);
    EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  }
}

} // namespace
