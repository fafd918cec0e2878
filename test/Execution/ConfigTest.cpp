//===- ConfigTest.cpp - keys of configs that change the maths -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Configs whose keys give other maths than the models of models/: attention without a
// mask, scores that are scaled by layer, a token of padding. Every plan computes what
// one rank computes, and what each key changes shows.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::test;

namespace {

std::string gpt2(const std::string &key) {
  return R"({"model_type": "gpt2", "vocab_size": 61, "n_positions": 16, "n_embd": 24, "n_layer": 3, "n_head": 4,
             "attn_pdrop": 0.2, "embd_pdrop": 0, "resid_pdrop": 0)" +
         key + "}";
}
std::string llama(const std::string &key) {
  return R"({"model_type": "llama", "vocab_size": 23, "max_position_embeddings": 16, "hidden_size": 24,
             "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2)" +
         key + "}";
}
const std::string kFull = R"(, "is_causal": false)", kScaled = R"(, "scale_attn_by_inverse_layer_idx": true)",
                  kTied = R"(, "tie_word_embeddings": true)";
std::string padding(int64_t row) { return R"(, "pad_token_id": )" + std::to_string(row); }

struct Case {
  const char *name;
  int64_t tp = 1, dp = 1, cp = 1, pp = 1, microBatch = 8;
  bool sequenceParallel = false;
};

RunResult runConfig(const std::string &text, const Case &c) {
  pipelines::CompileOptions options = compileOptions("config.json", c.tp * c.dp * c.cp * c.pp);
  options.tp = c.tp;
  options.dp = c.dp;
  options.cp = c.cp;
  options.pp = c.pp;
  options.globalBatch = 8;
  options.sequence = 12;
  options.microBatch = c.microBatch;
  options.sequenceParallel = c.sequenceParallel;
  return compileAndRun(text, options);
}

const RunResult &onOneRank(const std::string &text) {
  static std::map<std::string, RunResult> results;
  auto it = results.find(text);
  return it == results.end() ? results.emplace(text, runConfig(text, {"one"})).first->second : it->second;
}

struct Model {
  const char *name;
  std::string text;
};
void PrintTo(const Model &model, std::ostream *stream) { *stream << model.name; }
void PrintTo(const Case &c, std::ostream *stream) { *stream << c.name; }

class Config : public ::testing::TestWithParam<std::tuple<Model, Case>> {};

TEST_P(Config, AsOneRank) {
  const auto &[model, plan] = GetParam();
  const RunResult &one = onOneRank(model.text), many = runConfig(model.text, plan);
  ASSERT_EQ(one.error, "");
  ASSERT_EQ(many.error, "");
  EXPECT_EQ(many.replicaMismatch, "");
  const Agreement agreement = compare(one, many);
  std::printf("  %s\n", agreement.toString().c_str());
  EXPECT_LE(agreement.worst(), 1.0) << agreement.toString();
}

const Model kModels[] = {{"gpt2_full", gpt2(kFull)},
                         {"llama_full", llama(kFull)},
                         {"gpt2_scaled_by_layer", gpt2(kScaled)},
                         {"llama_padding", llama(padding(-20))},
                         {"llama_padding_tied", llama(padding(7) + kTied)}};
// Over four ranks the vocabulary of 23 has shards of 6, 6, 6 and 5.
const Case kPlans[] = {{.name = "tp4", .tp = 4},
                       {.name = "dp2_mb2", .dp = 2, .microBatch = 2},
                       {.name = "cp3", .cp = 3},
                       {.name = "tp2_sp_cp2", .tp = 2, .cp = 2, .sequenceParallel = true},
                       {.name = "tp2_dp2_pp2", .tp = 2, .dp = 2, .pp = 2, .microBatch = 2}};
INSTANTIATE_TEST_SUITE_P(Plans, Config, ::testing::Combine(::testing::ValuesIn(kModels), ::testing::ValuesIn(kPlans)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

/// Without the mask, and with other scales, it is another model.
TEST(ConfigValues, ReachTheGradients) {
  for (const auto &[plain, other] :
       {std::pair{gpt2(""), gpt2(kFull)}, std::pair{llama(""), llama(kFull)}, std::pair{gpt2(""), gpt2(kScaled)}}) {
    ASSERT_EQ(onOneRank(plain).error + onOneRank(other).error, "");
    EXPECT_GT(compare(onOneRank(plain), onOneRank(other)).gradients, 100) << other;
  }
}

constexpr int64_t kRows = 23, kWidth = 24;
std::vector<double> rowOf(const RunResult &result, int64_t row) {
  const std::vector<double> &all = result.gradients.at("embed_tokens.weight");
  return {all.begin() + row * kWidth, all.begin() + (row + 1) * kWidth};
}
double norm(const std::vector<double> &values) {
  double squares = 0;
  for (double value : values)
    squares += value * value;
  return std::sqrt(squares);
}

/// The row's gradient (3, counted from the end here) is zero where the table is only looked up in; the others are what
/// they are without padding.
TEST(Padding, RowHasNoGradient) {
  const RunResult &none = onOneRank(llama("")), &some = onOneRank(llama(padding(-20)));
  ASSERT_EQ(none.error + some.error, "");
  for (int64_t row = 0; row < kRows; ++row)
    EXPECT_EQ(rowOf(some, row), row == 3 ? std::vector<double>(kWidth, 0) : rowOf(none, row)) << row;
  EXPECT_GT(norm(rowOf(none, 3)), 0);
  // No other gradient depends on it.
  TensorMap others = some.gradients, expected = none.gradients;
  others.erase("embed_tokens.weight");
  expected.erase("embed_tokens.weight");
  EXPECT_EQ(others, expected);
}

/// A tied table's row keeps what the head gives it: the whole gradient less that of the lookup.
TEST(Padding, TiedRowKeepsTheHeadsGradient) {
  const RunResult &none = onOneRank(llama(kTied)), &some = onOneRank(llama(padding(7) + kTied));
  ASSERT_EQ(none.error + some.error, "");
  for (int64_t row = 0; row < kRows; ++row)
    if (row != 7)
      EXPECT_EQ(rowOf(some, row), rowOf(none, row)) << row;
  EXPECT_GT(norm(rowOf(some, 7)), 0);
  EXPECT_NE(rowOf(some, 7), rowOf(none, 7));
}

} // namespace
