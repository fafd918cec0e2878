//===- GradientTest.cpp - gradients against central differences -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles models in double and compares the gradient that the plan computes with (loss(w+e) - loss(w-e)) / 2e:
// differentiation, kernels and the way between them at once.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace modelpar;
using namespace modelpar::test;

namespace {

// The truncation error of the central difference is of the order e² times the third derivative, the rounding error
// 1e-16/e.
constexpr double kStep = 1e-4;
constexpr double kTolerance = 1e-5;

RunOptions oneStep() {
  RunOptions options;
  options.steps = 1;
  options.clip = 0;
  return options;
}

/// Elements worth checking: the largest gradients, and some at fixed places.
std::vector<int64_t> elementsToCheck(const std::vector<double> &gradient) {
  std::vector<int64_t> order(gradient.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<int64_t>(i);
  const size_t top = std::min<size_t>(2, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                    [&](int64_t a, int64_t b) {
                      return std::abs(gradient[static_cast<size_t>(a)]) > std::abs(gradient[static_cast<size_t>(b)]);
                    });
  order.resize(top);
  order.push_back(static_cast<int64_t>(gradient.size() / 3));
  return order;
}

double lossWith(const planformat::Plan &plan, const std::string &name, int64_t index, double delta) {
  RunOptions options = oneStep();
  options.perturbation = {name, index, delta};
  RunResult result = run(plan, options);
  EXPECT_EQ(result.error, "");
  return result.losses.empty() ? NAN : result.losses[0];
}

void checkGradients(const planformat::Plan &plan) {
  RunResult base = run(plan, oneStep());
  ASSERT_EQ(base.error, "");
  ASSERT_FALSE(base.gradients.empty());
  double largest = 0, worst = 0;
  for (const auto &[name, gradient] : base.gradients)
    for (double value : gradient)
      largest = std::max(largest, std::abs(value));
  ASSERT_GT(largest, 0);
  for (const auto &[name, gradient] : base.gradients)
    for (int64_t index : elementsToCheck(gradient)) {
      const double numeric = (lossWith(plan, name, index, kStep) - lossWith(plan, name, index, -kStep)) / (2 * kStep);
      const double analytic = gradient[static_cast<size_t>(index)];
      const double error = std::abs(numeric - analytic) / (std::abs(analytic) + 1e-3 * largest);
      worst = std::max(worst, error);
      EXPECT_LE(error, kTolerance) << name << "[" << index << "]: central difference " << numeric << ", gradient "
                                   << analytic;
    }
  std::printf("  worst relative difference %.2e\n", worst);
}

pipelines::CompileOptions inDouble(const std::string &model, int64_t ranks) {
  pipelines::CompileOptions options = compileOptions(model, ranks);
  options.dtype = "f64";
  options.optimizer = "sgd";
  options.globalBatch = 3;
  return options;
}

void checkModel(const std::string &model, std::optional<int64_t> sequence) {
  pipelines::CompileOptions options = inDouble(model, 1);
  options.sequence = sequence;
  pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  checkGradients(compiled.plan);
}

/// A model of one op between an input and a loss: the body's ops take "x" (dims b, d) and leave "y" (dims b, d).
void checkGraph(const std::string &ops, const std::string &parameters, const std::string &dims = "") {
  const std::string text = R"({"modelpar": 1, "name": "one_op", "dims": {"b": {"role": "batch"}, "d": 6)" + dims +
                           R"(},
    "inputs": {"in": {"dims": ["b", "d"], "type": "float", "role": "data", "range": [-1, 1]},
               "t": {"dims": ["b", "d"], "type": "float", "role": "data", "range": [-1, 1]}},
    "parameters": {"w": {"dims": ["d"], "init": "ones"})" +
                           parameters + R"(},
    "ops": [{"op": "add", "inputs": ["in", "w"], "outputs": ["x"]},)" +
                           ops + R"(,
            {"op": "squared_error", "inputs": ["y", "t"], "outputs": ["loss"]}], "loss": "loss"})";
  pipelines::CompileOptions options = inDouble("one_op.json", 1);
  pipelines::CompileResult compiled = compileText(text, options);
  ASSERT_TRUE(compiled.ok) << text;
  checkGradients(compiled.plan);
}

TEST(Gradient, Mlp) { checkModel("mlp.json", std::nullopt); }
TEST(Gradient, Gpt2Tiny) { checkModel("gpt2-tiny.json", 7); }

TEST(Gradient, LlamaTiny) { checkModel("llama-tiny.json", 7); }

TEST(Gradient, LlamaTinyWithSharedKeyValueHeads) {
  pipelines::CompileOptions options = inDouble("llama-tiny.json", 4);
  options.tp = 4;
  options.sequence = 5;
  pipelines::CompileResult compiled = compileModel(options);
  ASSERT_TRUE(compiled.ok);
  checkGradients(compiled.plan);
}

TEST(Gradient, LlamaVariant) {
  // No groups of heads, tied, with biases; dropout is the same in each evaluation.
  pipelines::CompileOptions options = inDouble("llama.json", 1);
  options.sequence = 7;
  pipelines::CompileResult compiled = compileText(
      R"({"model_type": "llama", "vocab_size": 31, "max_position_embeddings": 32, "hidden_size": 12,
          "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3, "head_dim": 6,
          "attention_bias": true, "mlp_bias": true, "attention_dropout": 0.3, "tie_word_embeddings": true})",
      options);
  ASSERT_TRUE(compiled.ok);
  checkGradients(compiled.plan);
}

class Activation : public ::testing::TestWithParam<const char *> {};
TEST_P(Activation, Gradient) {
  checkGraph(std::string(R"({"op": "activation", "attributes": {"kind": ")") + GetParam() +
                 R"("}, "inputs": ["x"], "outputs": ["y"]})",
             "");
}
INSTANTIATE_TEST_SUITE_P(Kinds, Activation, ::testing::Values("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"),
                         [](const auto &info) { return std::string(info.param); });

TEST(Gradient, Mul) {
  checkGraph(R"({"op": "activation", "attributes": {"kind": "tanh"}, "inputs": ["x"], "outputs": ["z"]},
                {"op": "mul", "inputs": ["x", "z"], "outputs": ["y"]})",
             "");
}
TEST(Gradient, MulWithItself) { checkGraph(R"({"op": "mul", "inputs": ["x", "x"], "outputs": ["y"]})", ""); }
TEST(Gradient, AddOfOneValueTwice) { checkGraph(R"({"op": "add", "inputs": ["x", "x"], "outputs": ["y"]})", ""); }
TEST(Gradient, Dropout) {
  checkGraph(R"({"op": "dropout", "attributes": {"rate": 0.4}, "inputs": ["x"], "outputs": ["y"]})", "");
}
TEST(Gradient, LayerNorm) {
  checkGraph(R"({"op": "layer_norm", "inputs": ["x", "g", "c"], "outputs": ["y"], "attributes": {"epsilon": 1e-5}})",
             R"(, "g": {"dims": ["d"], "init": "ones"}, "c": {"dims": ["d"], "init": "zeros"})");
}
TEST(Gradient, RmsNorm) {
  checkGraph(R"({"op": "rms_norm", "inputs": ["x", "g"], "outputs": ["y"], "attributes": {"epsilon": 1e-5}})",
             R"(, "g": {"dims": ["d"], "init": "ones"})");
}
/// A weight computed of three parameters in a block of its own, used twice.
TEST(Gradient, DerivedWeight) {
  checkGraph(R"({"block": "pre", "ops": [
                  {"op": "matmul", "inputs": ["A", "B"], "outputs": ["P"]},
                  {"op": "add", "inputs": ["W", "P"], "outputs": ["S"]},
                  {"op": "rms_norm", "inputs": ["S", "g"], "outputs": ["M"], "attributes": {"epsilon": 1e-5}}]},
                {"block": "one", "ops": [{"op": "matmul", "inputs": ["x", "M"], "outputs": ["u"]},
                  {"op": "activation", "attributes": {"kind": "tanh"}, "inputs": ["u"], "outputs": ["v"]}]},
                {"block": "two", "ops": [
                  {"op": "matmul", "inputs": ["v", "M"], "outputs": ["y"], "attributes": {"result": ["b", "d"]}}]})",
             R"(, "A": {"dims": ["d", "r"], "init": "ones"}, "B": {"dims": ["r", "e"], "init": "ones"},
                  "W": {"dims": ["d", "e"], "init": "ones"}, "g": {"dims": ["e"], "init": "ones"})",
             R"(, "r": 2, "e": 5)");
}

} // namespace
