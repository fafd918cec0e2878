//===- PlanPropertiesTest.cpp - same bytes, same bits, dropout, volume ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "modelpar/CostModel/Cost.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::test;

namespace {

pipelines::CompileOptions tiny(int64_t tp, int64_t dp) {
  pipelines::CompileOptions options = compileOptions("gpt2-tiny.json", tp * dp);
  options.tp = tp;
  options.dp = dp;
  options.sequence = 16;
  return options;
}

TEST(Plan, CompilingTwiceGivesTheSameBytes) {
  pipelines::CompileResult first = compileModel(tiny(2, 2)), second = compileModel(tiny(2, 2));
  ASSERT_TRUE(first.ok);
  EXPECT_EQ(first.planText, second.planText);
}

/// A GPT-2 with this many layers.
pipelines::CompileResult deepModel(int layers) {
  pipelines::CompileOptions options;
  options.modelFile = "deep.json";
  options.sequence = 8;
  return compileText(
      R"({"model_type": "gpt2", "vocab_size": 32, "n_positions": 8, "n_embd": 16, "n_head": 2, "n_layer": )" +
          std::to_string(layers) + "}",
      options);
}

TEST(Plan, BlocksDoNotGrowWithLayers) {
  // Equal layers are calls of one block: a deeper model has more calls, not more to compile or to keep.
  const planformat::Plan few = deepModel(3).plan, many = deepModel(24).plan;
  auto instructions = [](const planformat::Plan &plan) {
    size_t count = 0;
    for (const planformat::Body &block : plan.blocks)
      count += block.instructions.size();
    return count;
  };
  ASSERT_GT(few.blocks.size(), 0u);
  EXPECT_EQ(many.blocks.size(), few.blocks.size());
  EXPECT_EQ(instructions(many), instructions(few));
  EXPECT_EQ(many.types.size(), few.types.size());
  EXPECT_GT(many.stages[0].programs[0].body.instructions.size(), few.stages[0].programs[0].body.instructions.size());
}

TEST(Plan, RunningTwiceGivesTheSameBits) {
  pipelines::CompileResult compiled = compileModel(tiny(2, 2));
  ASSERT_TRUE(compiled.ok);
  RunResult first = run(compiled.plan, {}), second = run(compiled.plan, {});
  ASSERT_EQ(first.error, "");
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.gradNorms, second.gradNorms);
  EXPECT_EQ(first.weights, second.weights);
}

/// Kernels divide their work by sizes alone (base/ThreadPool.h): any number of threads gives the same bits.
TEST(Plan, ThreadsPerRankDoNotChangeABit) {
  pipelines::CompileResult compiled = compileModel(tiny(1, 2));
  ASSERT_TRUE(compiled.ok);
  const RunResult one = run(compiled.plan, {});
  ASSERT_EQ(one.error, "");
  for (int numThreads : {2, 3, 8}) {
    RunOptions threads;
    threads.numThreads = numThreads;
    const RunResult many = run(compiled.plan, threads);
    ASSERT_EQ(many.error, "");
    EXPECT_EQ(one.losses, many.losses) << numThreads;
    EXPECT_EQ(one.gradNorms, many.gradNorms) << numThreads;
    EXPECT_EQ(one.gradients, many.gradients) << numThreads;
    EXPECT_EQ(one.weights, many.weights) << numThreads;
  }
}

TEST(Plan, MeasuredMemoryIsWithinThePlan) {
  pipelines::CompileResult compiled = compileModel(tiny(2, 1));
  ASSERT_TRUE(compiled.ok);
  RunResult result = run(compiled.plan, {});
  ASSERT_EQ(result.error, "");
  EXPECT_EQ(result.plannedBytes, compiled.plan.stages[0].arenaBytes);
  // Pages are 4 KiB; the last one may be begun.
  EXPECT_LE(result.measuredBytes, (result.plannedBytes + 4095) / 4096 * 4096);
}

TEST(Plan, TensorParallelismSplitsTheModelWhateverTheBatch) {
  for (int64_t batch : {1, 2, 8}) {
    pipelines::CompileOptions one = tiny(1, 1), two = tiny(2, 1);
    one.globalBatch = two.globalBatch = batch;
    auto parameterBytes = [](const planformat::Plan &plan) {
      for (const planformat::MemoryItem &item : plan.stages[0].memory)
        if (item.name == "parameters")
          return double(item.bytes);
      return 0.0;
    };
    EXPECT_LT(parameterBytes(compileModel(two).plan), 0.6 * parameterBytes(compileModel(one).plan))
        << "batch " << batch;
  }
}

TEST(Plan, PinsChangeThePlanNotTheStep) {
  pipelines::CompileOptions pinned = tiny(2, 2);
  pinned.microBatch = 2;
  pinned.pins = {"wte.weight:[-,-]", "h.*.attn.c_attn.weight:[-,-,-,-]", "h.*.mlp.c_fc.weight:[-,tp]"};
  pipelines::CompileResult one = compileModel(tiny(1, 1)), other = compileModel(pinned);
  ASSERT_TRUE(one.ok && other.ok);
  for (const planformat::Parameter &parameter : other.plan.parameters) {
    bool split = false;
    for (const sharding::DimSharding &dim : other.plan.types[parameter.type].sharding.dims)
      split |= !dim.empty();
    EXPECT_EQ(split, parameter.name.find("mlp.c_fc") != std::string::npos ||
                         parameter.name.find("mlp.c_proj.weight") != std::string::npos)
        << parameter.name;
  }
  RunResult a = run(one.plan, {}), b = run(other.plan, {});
  ASSERT_EQ(a.error, "");
  ASSERT_EQ(b.error, "");
  Agreement agreement = compare(a, b);
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

/// Bytes that a rank sends in one step of gpt2-tiny under tensor parallelism, by the textbook: rings send 2(n-1)/n·N
/// for an all_reduce of N bytes, and half of it for an all_gather or a reduce_scatter.
int64_t textbookBytes(int64_t n, int64_t batch, int64_t sequence, bool sp) {
  const int64_t width = 128, layers = 4, tokens = batch * sequence;
  auto allReduce = [n](int64_t elements) { return 2 * (n - 1) * elements * 4 / n; };
  // A layer forward and backward, the embedding, the head's input gradient; statistics of the loss; the gradient norm.
  const int64_t activations = (4 * layers + 2) * allReduce(tokens * width) + 2 * allReduce(tokens) + allReduce(1);
  if (!sp)
    return activations;
  // One of the two statistics is scattered, two gradients of statistics are gathered: half an all_reduce more.
  const int64_t gradients = layers * (2 * 2 + 2) * width + 2 * width + 256 * width;
  return activations + allReduce(tokens) / 2 + allReduce(gradients) + allReduce(1);
}

class Volume : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, bool>> {};

TEST_P(Volume, IsTheTextbooks) {
  auto [tp, numMicroBatches, sp] = GetParam();
  pipelines::CompileOptions options = tiny(tp, 1);
  options.microBatch = 8 / numMicroBatches;
  options.sequenceParallel = sp;
  pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  costmodel::Cluster cluster;
  std::string text, error;
  ASSERT_TRUE(costmodel::clusterFromOption(*options.cluster, cluster, text, error)) << error;
  const costmodel::Prediction prediction = costmodel::predict(compiled.plan, cluster);
  ASSERT_EQ(prediction.communicationBytesByAxis.size(), 1u);
  EXPECT_EQ(prediction.communicationBytesByAxis.at("tp"), textbookBytes(tp, 8, 16, sp));
  RunOptions runOptions;
  runOptions.steps = 3;
  RunResult result = run(compiled.plan, runOptions);
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.sentBytes.size(), 1u);
  EXPECT_EQ(result.sentBytes.at("tp"), runOptions.steps * textbookBytes(tp, 8, 16, sp));
}
INSTANTIATE_TEST_SUITE_P(TensorParallel, Volume,
                         ::testing::Combine(::testing::Values(2, 4), ::testing::Values(1, 2), ::testing::Bool()));

/// llama-tiny on tp=4 has two ranks for each key-value head. A layer sends what tensor parallelism always sends; the
/// gradients of the two projections are summed over the two ranks once a step, after the loop.
TEST(SubAxes, SendTheTextbooksBytesAndTheSharedGradients) {
  for (int64_t numMicroBatches : {1, 2}) {
    pipelines::CompileOptions options = compileOptions("llama-tiny.json", 4);
    options.tp = 4;
    options.sequence = 16;
    options.microBatch = 8 / numMicroBatches;
    pipelines::CompileResult compiled = compileModel(options);
    ASSERT_TRUE(compiled.ok);
    auto allReduce = [](int64_t n, int64_t elements) { return 2 * (n - 1) * elements * 4 / n; };
    const int64_t layers = 4, width = 128, headWidth = 32, tokens = 8 * 16;
    // The head's input gradient, and two statistics per token of the loss.
    const int64_t activations = (4 * layers + 1) * allReduce(4, tokens * width) + 2 * allReduce(4, tokens);
    const int64_t shared = allReduce(2, layers * 2 * headWidth * width);
    // The norm of what is split over both parts, and of what is split over the major one.
    const int64_t norms = allReduce(4, 1) + allReduce(2, 1);
    costmodel::Cluster cluster;
    std::string text, error;
    ASSERT_TRUE(costmodel::clusterFromOption(*options.cluster, cluster, text, error)) << error;
    const auto bytes = costmodel::predict(compiled.plan, cluster).communicationBytesByAxis;
    ASSERT_EQ(bytes.size(), 1u);
    EXPECT_EQ(bytes.at("tp"), activations + shared + norms);
    RunOptions runOptions;
    runOptions.steps = 2;
    RunResult result = run(compiled.plan, runOptions);
    ASSERT_EQ(result.error, "");
    EXPECT_EQ(result.sentBytes, (std::map<std::string, int64_t>{{"tp", 2 * (activations + allReduce(4, 1))},
                                                                {"tp:(1)2", 2 * allReduce(2, 1)},
                                                                {"tp:(2)2", 2 * shared}}));
  }
}

int64_t activationBytes(const planformat::Plan &plan) {
  for (const planformat::MemoryItem &item : plan.stages[0].memory)
    if (item.name == "activations")
      return item.bytes;
  return 0;
}

TEST(Plan, SequenceParallelismSplitsActivations) {
  for (int64_t tp : {2, 4}) {
    pipelines::CompileOptions off = tiny(tp, 1), on = off;
    on.sequenceParallel = true;
    const pipelines::CompileResult without = compileModel(off), with = compileModel(on);
    ASSERT_TRUE(without.ok && with.ok);
    // Kept for the backward pass by a layer and not split by tp: its input, the residual between its halves, two
    // normalised inputs of matrices. The first two are split by sp, and statistics with them.
    const int64_t token = 8 * 16 * 4, saved = 4 * 2 * 128 * token * (tp - 1) / tp;
    EXPECT_LE(activationBytes(with.plan), activationBytes(without.plan) - saved) << "tp " << tp;
    EXPECT_NE(with.summary.find("\"sequence_parallel\": true"), std::string::npos);
    EXPECT_NE(without.summary.find("\"sequence_parallel\": false"), std::string::npos);
  }
}

TEST(Plan, SequenceParallelismOfOneRankChangesNothing) {
  pipelines::CompileOptions off = tiny(1, 2), on = off;
  on.sequenceParallel = true;
  EXPECT_EQ(compileModel(off).planText, compileModel(on).planText);
}

TEST(Plan, WithoutASequenceSequenceParallelismChangesNothing) {
  pipelines::CompileOptions off = compileOptions("mlp.json", 2), on = off;
  off.tp = on.tp = 2;
  on.sequenceParallel = true;
  const pipelines::CompileResult result = compileModel(on);
  ASSERT_TRUE(result.ok);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_NE(result.warnings[0].find("no sequence for sequence parallelism"), std::string::npos) << result.warnings[0];
  EXPECT_EQ(result.planText, compileModel(off).planText);
}

class Gpt2Memory : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(Gpt2Memory, IsPlannedExactly) {
  pipelines::CompileOptions options = compileOptions("gpt2.json", 2);
  std::tie(options.tp, options.dp) = GetParam();
  options.globalBatch = 2;
  options.sequence = 64;
  pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  RunOptions runOptions;
  runOptions.steps = 2;
  runOptions.keepTensors = false;
  RunResult result = run(compiled.plan, runOptions);
  ASSERT_EQ(result.error, "");
  std::printf("  planned %.1f MiB, measured %.1f MiB\n", double(result.plannedBytes) / (1 << 20),
              double(result.measuredBytes) / (1 << 20));
  EXPECT_LE(result.measuredBytes, (result.plannedBytes + 4095) / 4096 * 4096);
  EXPECT_GE(double(result.measuredBytes), 0.9 * double(result.plannedBytes));
}
INSTANTIATE_TEST_SUITE_P(Meshes, Gpt2Memory,
                         ::testing::Values(std::pair<int64_t, int64_t>{2, 1}, std::pair<int64_t, int64_t>{1, 2}),
                         [](const auto &info) {
                           return "tp" + std::to_string(info.param.first) + "_dp" + std::to_string(info.param.second);
                         });

/// gpt2-tiny's text with dropout switched on.
std::string withDropout() {
  return R"({"model_type": "gpt2", "vocab_size": 96, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4,
             "resid_pdrop": 0.2, "embd_pdrop": 0.1, "attn_pdrop": 0.3})";
}

class Dropout : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, bool>> {};

TEST_P(Dropout, DropsTheSameElementsUnderEveryPlan) {
  auto [tp, dp, sp] = GetParam();
  pipelines::CompileOptions one = tiny(1, 1), parallel = tiny(tp, dp);
  one.modelFile = parallel.modelFile = "dropout.json";
  parallel.microBatch = 2;
  parallel.sequenceParallel = sp;
  RunResult a = run(compileText(withDropout(), one).plan, {}), b = run(compileText(withDropout(), parallel).plan, {});
  ASSERT_EQ(a.error, "");
  ASSERT_EQ(b.error, "");
  Agreement agreement = compare(a, b);
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  one.dropout = false;
  RunResult off = run(compileText(withDropout(), one).plan, {});
  EXPECT_GT(compare(a, off).losses, 10) << "dropout changes nothing";
}
INSTANTIATE_TEST_SUITE_P(Meshes, Dropout,
                         ::testing::Values(std::tuple(2, 1, false), std::tuple(1, 2, false), std::tuple(2, 2, false),
                                           std::tuple(2, 2, true)));

/// Every variant of a llama config that llama-tiny is not: tied, with biases and attention dropout, heads whose widths
/// do not add up to the hidden size.
std::string llamaVariant(int64_t keyValueHeads) {
  return R"({"model_type": "llama", "vocab_size": 96, "max_position_embeddings": 32, "hidden_size": 24,
             "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": )" +
         std::to_string(keyValueHeads) + R"(,
             "head_dim": 6, "attention_bias": true, "mlp_bias": true, "attention_dropout": 0.3,
             "tie_word_embeddings": true})";
}

struct LlamaCase {
  int64_t keyValueHeads, tp, dp;
  bool sequenceParallel = false;
};
void PrintTo(const LlamaCase &c, std::ostream *stream) {
  *stream << "kv" << c.keyValueHeads << "_tp" << c.tp << "_dp" << c.dp << (c.sequenceParallel ? "_sp" : "");
}

class LlamaVariant : public ::testing::TestWithParam<LlamaCase> {};

TEST_P(LlamaVariant, IsThatOfOneRank) {
  const LlamaCase &c = GetParam();
  pipelines::CompileOptions one = tiny(1, 1), parallel = tiny(c.tp, c.dp);
  one.modelFile = parallel.modelFile = "llama.json";
  parallel.microBatch = 2;
  parallel.sequenceParallel = c.sequenceParallel;
  const std::string text = llamaVariant(c.keyValueHeads);
  RunResult a = run(compileText(text, one).plan, {}), b = run(compileText(text, parallel).plan, {});
  ASSERT_EQ(a.error, "");
  ASSERT_EQ(b.error, "");
  Agreement agreement = compare(a, b);
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}
// Of two key-value heads with three query heads each: tp=4 gives a pair of ranks two and one, tp=6 each rank one, and
// of eight ranks two have none. Three key-value heads have no divisor in common with four ranks.
INSTANTIATE_TEST_SUITE_P(Meshes, LlamaVariant,
                         ::testing::Values(LlamaCase{3, 2, 1}, LlamaCase{3, 4, 1}, LlamaCase{3, 1, 2},
                                           LlamaCase{3, 2, 2}, LlamaCase{2, 4, 1}, LlamaCase{2, 4, 1, true},
                                           LlamaCase{2, 4, 2}, LlamaCase{2, 4, 2, true}, LlamaCase{2, 6, 1},
                                           LlamaCase{2, 6, 1, true}, LlamaCase{2, 8, 1}, LlamaCase{3, 6, 1}));

} // namespace
