//===- PipelineTest.cpp - pipelines compute what one rank computes --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stages alone: schedules, tied weights over two and four stages, uneven stages, a short last micro-batch.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace modelpar;
using namespace modelpar::test;

namespace {

struct Case {
  std::string model;
  int64_t pp, microBatch;
  std::string schedule, optimizer;
  int64_t dp = 1, tp = 1;
  bool sequenceParallel = false;
  int layers = 4; ///< Of the language models.
  int64_t globalBatch = 8;
};

std::string nameOf(const Case &c) {
  std::string name = c.model;
  for (char &letter : name)
    letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  auto add = [&](const char *what, int64_t value, int64_t usual) {
    if (value != usual)
      name += std::string("_") + what + std::to_string(value);
  };
  add("pp", c.pp, 1);
  add("dp", c.dp, 1);
  add("tp", c.tp, 1);
  name += c.sequenceParallel ? "_sp" : "";
  add("layers", c.layers, 4);
  add("batch", c.globalBatch, 8);
  return name + "_" + c.schedule + "_micro" + std::to_string(c.microBatch) + "_" + c.optimizer;
}

/// The model with another number of layers, by the key of its configuration.
std::string modelText(const Case &c) {
  std::ifstream file(compileOptions(c.model + ".json", 1).modelFile);
  std::stringstream stream;
  stream << file.rdbuf();
  std::string text = stream.str();
  for (const char *key : {"\"n_layer\": 4", "\"num_hidden_layers\": 4"})
    if (size_t at = text.find(key); at != std::string::npos)
      text.replace(at + std::string(key).size() - 1, 1, std::to_string(c.layers));
  return text;
}

pipelines::CompileOptions optionsOf(const Case &c) {
  pipelines::CompileOptions options = compileOptions(c.model + ".json", c.pp * c.dp * c.tp);
  options.pp = c.pp;
  options.dp = c.dp;
  options.tp = c.tp;
  options.sequenceParallel = c.sequenceParallel;
  options.schedule = c.schedule;
  options.microBatch = c.microBatch;
  options.globalBatch = c.globalBatch;
  options.optimizer = c.optimizer;
  if (!c.model.starts_with("mlp"))
    options.sequence = 24;
  return options;
}

RunOptions runOptions(const Case &c) {
  RunOptions options;
  options.steps = 5;
  options.learningRate = c.optimizer == "sgd" ? 0.5 : 1e-3;
  return options;
}

/// One rank with one micro-batch, run once for each model and optimizer.
const RunResult &reference(const Case &c) {
  static std::map<std::string, RunResult> results;
  Case one{c.model, 1, c.globalBatch, "1f1b", c.optimizer};
  one.layers = c.layers;
  one.globalBatch = c.globalBatch;
  auto it = results.find(nameOf(one));
  if (it == results.end())
    it = results.emplace(nameOf(one), run(compileText(modelText(one), optionsOf(one)).plan, runOptions(one))).first;
  return it->second;
}

std::string caseName(const ::testing::TestParamInfo<Case> &info) { return nameOf(info.param); }
void PrintTo(const Case &c, std::ostream *stream) { *stream << nameOf(c); }

class Pipeline : public ::testing::TestWithParam<Case> {};

TEST_P(Pipeline, EqualsOneRank) {
  const Case &c = GetParam();
  const RunResult &one = reference(c);
  ASSERT_EQ(one.error, "");
  pipelines::CompileResult compiled = compileText(modelText(c), optionsOf(c));
  ASSERT_TRUE(compiled.ok);
  ASSERT_EQ(static_cast<int64_t>(compiled.plan.stages.size()), c.pp);
  RunOptions options = runOptions(c);
  RunResult plain = run(compiled.plan, options);
  ASSERT_EQ(plain.error, "");
  EXPECT_EQ(plain.replicaMismatch, "");
  Agreement agreement = compare(one, plain);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
  options.streamFuzz = 23;
  RunResult fuzzed = run(compiled.plan, options);
  ASSERT_EQ(fuzzed.error, "");
  EXPECT_EQ(plain.losses, fuzzed.losses);
  EXPECT_EQ(plain.weights, fuzzed.weights);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const char *model : {"mlp", "gpt2-tiny", "llama-tiny"})
    for (const char *optimizer : {"sgd", "adamw"}) {
      list.push_back({model, 2, 2, "gpipe", optimizer});
      list.push_back({model, 2, 2, "1f1b", optimizer});
      list.push_back({model, 4, 1, "1f1b", optimizer});
      list.push_back({model, 4, 1, "gpipe", optimizer});
      // Three micro-batches of 3, 3 and 2.
      list.push_back({model, 2, 3, "1f1b", optimizer});
    }
  for (const char *model : {"gpt2-tiny", "llama-tiny"}) {
    list.push_back({model, 2, 2, "1f1b", "sgd", 1, 1, false, 5});
    list.push_back({model, 3, 1, "gpipe", "adamw", 1, 1, false, 5});
    list.push_back({model, 8, 1, "1f1b", "adamw"}); // Layers cut behind their attention.
    list.push_back({model, 2, 1, "1f1b", "sgd", 2});
    list.push_back({model, 2, 2, "1f1b", "sgd", 1, 2});
    list.push_back({model, 2, 2, "1f1b", "adamw", 1, 2, true});
    list.push_back({model, 2, 1, "gpipe", "sgd", 2, 2, true});
    // Shares of 3 and 2, so that the last micro-batch of one rank is empty and nothing of it crosses.
    list.push_back({model, 2, 1, "1f1b", "sgd", 2, 1, false, 4, 5});
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Plans, Pipeline, ::testing::ValuesIn(cases()), caseName);

void replaceAll(std::string &text, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// The mlp with a connection from its stem past both layers to the head, so that stages between pass activations and
/// gradients on, and with one parameter that all but the stem use: with four stages the group of its gradients is
/// pp{1,2,-1}.
std::string mlpWithSkip() {
  std::string text = modelText({"mlp", 1, 8, "1f1b", "sgd"});
  replaceAll(text, R"("ops": [
    {
      "block": "stem")",
             R"("parameters": {"shift": {"dims": ["hidden"], "init": "zeros"}},
  "ops": [
    {
      "block": "stem")");
  replaceAll(text, R"({"op": "layer_norm", "inputs": ["hidden", )",
             R"({"op": "add", "inputs": ["hidden", "stem"], "outputs": ["joined"]},
        {"op": "add", "inputs": ["joined", "shift"], "outputs": ["shifted"]},
        {"op": "layer_norm", "inputs": ["shifted", )");
  replaceAll(text, R"({"op": "add", "inputs": ["down", "h"], "outputs": ["out"]})",
             R"({"op": "add", "inputs": ["down", "shift"], "outputs": ["moved"]},
        {"op": "add", "inputs": ["moved", "h"], "outputs": ["out"]})");
  return text;
}

/// Dropout in every place of gpt2; a llama with tied weights, which is cut into its embedding, two layers and its head;
/// a graph whose tensors and parameters pass over stages.
struct NamedText {
  const char *name;
  std::string text;
};
void PrintTo(const NamedText &model, std::ostream *stream) { *stream << model.name; }

class Variant : public ::testing::TestWithParam<NamedText> {};

TEST_P(Variant, EqualsOneRank) {
  auto [name, text] = GetParam();
  const Case one{name, 1, 8, "1f1b", "adamw"};
  const RunResult reference = run(compileText(text, optionsOf(one)).plan, runOptions(one));
  ASSERT_EQ(reference.error, "");
  for (int64_t pp : {2, 4}) {
    const Case c{name, pp, 1, "1f1b", "adamw"};
    const RunResult result = run(compileText(text, optionsOf(c)).plan, runOptions(c));
    ASSERT_EQ(result.error, "");
    EXPECT_EQ(result.replicaMismatch, "");
    const Agreement agreement = compare(reference, result);
    EXPECT_LE(agreement.worst(), 1.0) << "pp=" << pp << ": " << agreement.toString();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Plans, Variant,
    ::testing::Values(NamedText{"gpt2_tiny_dropout",
                                std::string(R"({"model_type": "gpt2", "vocab_size": 96, "n_positions": 32, "n_embd": 32,
          "n_layer": 2, "n_head": 4, "resid_pdrop": 0.2, "embd_pdrop": 0.1, "attn_pdrop": 0.3})")},
                      NamedText{"llama_tiny_tied",
                                std::string(R"({"model_type": "llama", "vocab_size": 96, "max_position_embeddings": 32,
          "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3,
          "head_dim": 6, "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true})")},
                      NamedText{"mlp_skip", mlpWithSkip()}),
    [](const auto &info) { return std::string(info.param.name); });

/// The most micro-batches that any activation of the stage is kept for.
int32_t slotsOf(const planformat::Stage &stage) {
  int32_t slots = 0;
  for (const planformat::Buffer &buffer : stage.buffers)
    if (buffer.kind == planformat::Buffer::Kind::Activation)
      slots = std::max(slots, buffer.slots);
  return slots;
}

// What gpipe keeps of every micro-batch, 1f1b keeps of as many as there are stages behind, the own one included.
TEST(Pipeline_gpt2_tiny, KeepsMicroBatchesInFlight) {
  for (int64_t pp : {2, 4})
    for (const char *schedule : {"gpipe", "1f1b"}) {
      const Case c{"gpt2-tiny", pp, 1, schedule, "sgd"};
      const pipelines::CompileResult compiled = compileText(modelText(c), optionsOf(c));
      ASSERT_TRUE(compiled.ok);
      for (int64_t stage = 0; stage < pp; ++stage) {
        // A stage may hold one more that it has received ahead.
        const int64_t kept = std::string(schedule) == "gpipe" ? 8 : pp - stage;
        EXPECT_GE(slotsOf(compiled.plan.stages[stage]), kept) << schedule << ", stage " << stage << " of " << pp;
        EXPECT_LE(slotsOf(compiled.plan.stages[stage]), stage == 0 ? kept : std::min<int64_t>(kept + 1, 8))
            << schedule << ", stage " << stage << " of " << pp;
      }
    }
}

} // namespace
