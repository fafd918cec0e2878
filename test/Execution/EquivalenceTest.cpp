//===- EquivalenceTest.cpp - every plan computes what one rank computes ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;

namespace {

struct Case {
  std::string model;
  int64_t tp, dp, numMicroBatches;
  std::string optimizer;
  int64_t globalBatch = 8;
  bool sequenceParallel = false;
  int64_t sequence = 24;
};

std::string nameOf(const Case &c) {
  std::string name = c.model.substr(0, c.model.find('.'));
  for (char &letter : name)
    letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name + "_tp" + std::to_string(c.tp) + "_dp" + std::to_string(c.dp) + "_mb" +
         std::to_string(c.numMicroBatches) + "_batch" + std::to_string(c.globalBatch) + "_" + c.optimizer +
         (c.sequenceParallel ? "_sp_seq" + std::to_string(c.sequence) : "");
}

pipelines::CompileOptions optionsOf(const Case &c, int64_t tp, int64_t dp, int64_t numMicroBatches) {
  pipelines::CompileOptions options = compileOptions(c.model, tp * dp);
  options.tp = tp;
  options.dp = dp;
  options.globalBatch = c.globalBatch;
  const int64_t share = (c.globalBatch + dp - 1) / dp;
  options.microBatch = (share + numMicroBatches - 1) / numMicroBatches;
  options.optimizer = c.optimizer;
  if (c.model != "mlp.json")
    options.sequence = c.sequence;
  options.sequenceParallel = c.sequenceParallel;
  return options;
}

RunOptions runOptions(const std::string &optimizer) {
  RunOptions options;
  options.steps = 5;
  options.learningRate = optimizer == "sgd" ? 0.5 : 1e-3;
  return options;
}

/// The run of one rank with one micro-batch, made once for each model, optimizer and batch.
const RunResult &reference(const Case &c) {
  static std::map<std::string, RunResult> results;
  const std::string key = c.model + c.optimizer + std::to_string(c.globalBatch) + "," + std::to_string(c.sequence);
  auto it = results.find(key);
  if (it == results.end()) {
    Case one = c;
    one.sequenceParallel = false;
    it = results.emplace(key, run(compileModel(optionsOf(one, 1, 1, 1)).plan, runOptions(c.optimizer))).first;
  }
  return it->second;
}

std::string caseName(const ::testing::TestParamInfo<Case> &info) { return nameOf(info.param); }
void PrintTo(const Case &c, std::ostream *stream) { *stream << nameOf(c); }

class Equivalence : public ::testing::TestWithParam<Case> {};

TEST_P(Equivalence, WithOneRank) {
  const Case &c = GetParam();
  const RunResult &one = reference(c);
  ASSERT_EQ(one.error, "");
  pipelines::CompileResult compiled = compileModel(optionsOf(c, c.tp, c.dp, c.numMicroBatches));
  ASSERT_TRUE(compiled.ok);
  ASSERT_EQ(compiled.plan.mesh.numMicroBatches(), c.numMicroBatches);
  ASSERT_EQ(compiled.plan.mesh.numRanks(), c.tp * c.dp);
  RunOptions options = runOptions(c.optimizer);
  RunResult plain = run(compiled.plan, options);
  ASSERT_EQ(plain.error, "");
  Agreement agreement = compare(one, plain);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  // The order of sums does not depend on timing: delays change nothing, not a bit.
  options.streamFuzz = 17;
  RunResult fuzzed = run(compiled.plan, options);
  ASSERT_EQ(fuzzed.error, "");
  EXPECT_EQ(plain.losses, fuzzed.losses);
  EXPECT_EQ(plain.weights, fuzzed.weights);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  const std::pair<int64_t, int64_t> meshes[] = {{2, 1}, {4, 1}, {1, 2}, {1, 4}, {2, 2}};
  for (const char *model : {"mlp.json", "gpt2-tiny.json"})
    for (const char *optimizer : {"sgd", "adamw"}) {
      for (auto [tp, dp] : meshes)
        for (int64_t numMicroBatches : {1, 2, 4})
          // With dp=4 a share of 2 has no four micro-batches: a larger batch there.
          list.push_back({model, tp, dp, numMicroBatches, optimizer, dp == 4 && numMicroBatches == 4 ? 16 : 8});
      // One rank with several micro-batches; shares and shards that are not equal, and empty ones.
      list.push_back({model, 1, 1, 4, optimizer});
      list.push_back({model, 1, 3, 2, optimizer, 7});
      list.push_back({model, 3, 1, 1, optimizer});
      list.push_back({model, 3, 2, 2, optimizer, 5});
    }
  // Grouped heads: two key-value heads, so with tp=4 two ranks have none, and with tp=3 one.
  for (const char *optimizer : {"sgd", "adamw"}) {
    for (auto [tp, dp] : meshes)
      for (int64_t numMicroBatches : {1, 2})
        list.push_back({"llama-tiny.json", tp, dp, numMicroBatches, optimizer});
    list.push_back({"llama-tiny.json", 3, 1, 1, optimizer, 5});
  }
  // Sequence parallelism: even shards, shards of 9, 9 and 7, and an empty one.
  for (const char *model : {"gpt2-tiny.json", "llama-tiny.json"})
    for (const char *optimizer : {"sgd", "adamw"}) {
      for (int64_t numMicroBatches : {1, 2}) {
        for (auto [tp, dp] : {std::pair<int64_t, int64_t>{2, 1}, {4, 1}, {2, 2}})
          list.push_back({model, tp, dp, numMicroBatches, optimizer, 8, true});
        list.push_back({model, 3, 1, numMicroBatches, optimizer, 8, true, 25});
      }
      list.push_back({model, 3, 2, 2, optimizer, 5, true, 4});
    }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Plans, Equivalence, ::testing::ValuesIn(cases()), caseName);

} // namespace
