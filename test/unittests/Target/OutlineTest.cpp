//===- OutlineTest.cpp ----------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which blocks share a function: two layers written out, equal but for one thing.
//
//===----------------------------------------------------------------------===//

#include "ImportTesting.h"

#include <gtest/gtest.h>

#include <set>

using namespace modelpar;
using namespace modelpar::target;

namespace {

/// A change of the second layer: `from` becomes `to`, and none changes nothing.
struct Change {
  const char *name, *from, *to;
};

/// The ops of layer `n`, from h<n> to h<n + 1>.
std::string layer(int n, const std::string &text) {
  std::string ops = text;
  for (size_t at = 0; (at = ops.find('#', at)) != std::string::npos;)
    ops.replace(at, 1, std::to_string(n));
  for (size_t at = 0; (at = ops.find('@', at)) != std::string::npos;)
    ops.replace(at, 1, std::to_string(n + 1));
  return ops;
}

const char *const kLayer = R"(
  {"op": "rms_norm", "inputs": ["h#", "g"], "outputs": ["n#"], "attributes": {"epsilon": 1e-5}},
  {"op": "matmul", "inputs": ["n#", "q#"], "outputs": ["k#"]},
  {"op": "rotary", "inputs": ["k#", "pos"], "outputs": ["r#"], "attributes": {"theta": 10, "scaling": {"factor": 8,
    "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8}}},
  {"op": "attention", "inputs": ["r#", "r#", "k#"], "outputs": ["a#"],
    "attributes": {"causal": true, "scale": 0.5, "rate": 0.25}},
  {"op": "matmul", "inputs": ["a#", "o#"], "outputs": ["p#"]},
  {"op": "activation", "inputs": ["p#"], "outputs": ["s#"], "attributes": {"kind": "silu"}},
  {"op": "dropout", "inputs": ["s#"], "outputs": ["d#"], "attributes": {"rate": 0.125}},
  {"op": "add", "inputs": ["d#", "h#"], "outputs": ["h@"]},)";

std::string model(const Change &change) {
  std::string second = kLayer;
  if (*change.from) {
    size_t at = second.find(change.from);
    EXPECT_NE(at, std::string::npos) << change.from;
    second.replace(at, std::string(change.from).size(), change.to);
  }
  auto parameter = [](const std::string &name, const std::string &dims) {
    return "\"" + name + R"(": {"dims": [)" + dims + R"(], "init": "ones"})";
  };
  std::string parameters = parameter("g", R"("d")") + "," + parameter("E", R"("v", "d")");
  for (std::string n : {"0", "1"})
    parameters += "," + parameter("q" + n, R"("d", "heads", "c")") + "," + parameter("o" + n, R"("heads", "c", "d")");
  return R"({"modelpar": 1, "name": "layers",
    "dims": {"batch": {"role": "batch"}, "s": {"role": "sequence", "size": 8}, "v": 11, "d": 6, "heads": 2, "c": 4},
    "inputs": {"t": {"dims": ["batch", "s"], "type": "i32", "role": "tokens", "range": [0, 11]},
               "y": {"dims": ["batch", "s"], "type": "i32", "role": "targets", "range": [0, 11]},
               "pos": {"dims": ["s"], "type": "i32", "role": "positions", "range": [0, 64]}},
    "parameters": {)" +
         parameters + R"(}, "ops": [{"op": "embedding", "inputs": ["t", "E"], "outputs": ["h0"]},)" + layer(0, kLayer) +
         layer(1, second) + R"(
    {"op": "matmul", "inputs": ["h2", "E"], "outputs": ["z"]},
    {"op": "cross_entropy", "inputs": ["z", "y"], "outputs": ["loss"]}], "loss": "loss"})";
}

/// The functions of the layers, in the order of their calls.
std::vector<std::string> layerFunctions(Imported &imported) {
  std::vector<std::string> callees;
  for (mlir::func::CallOp call : imported.ops<mlir::func::CallOp>())
    if (call.getCallee().starts_with("layer"))
      callees.push_back(call.getCallee().str());
  return callees;
}

class Difference : public ::testing::TestWithParam<Change> {};

/// The second layer has a function of its own.
TEST_P(Difference, KeepsBlocksApart) {
  Imported imported(model(GetParam()));
  ASSERT_TRUE(imported.module) << imported.errors();
  std::vector<std::string> callees = layerFunctions(imported);
  ASSERT_EQ(callees.size(), 2u);
  EXPECT_NE(callees[0], callees[1]);
}

INSTANTIATE_TEST_SUITE_P(
    Outline, Difference,
    ::testing::Values(Change{"theta", "\"theta\": 10", "\"theta\": 10.000000000000002"},
                      Change{"noTheta", "\"theta\": 10, ", ""}, Change{"factor", "\"factor\": 8", "\"factor\": 9"},
                      Change{"lowFrequency", "\"low_freq_factor\": 1", "\"low_freq_factor\": 1.5"},
                      Change{"highFrequency", "\"high_freq_factor\": 4", "\"high_freq_factor\": 5"},
                      Change{"originalPositions", "embeddings\": 8", "embeddings\": 16"},
                      Change{"epsilon", "1e-5", "1e-6"}, Change{"causal", "\"causal\": true", "\"causal\": false"},
                      Change{"scale", "\"scale\": 0.5", "\"scale\": 0.5000000000000001"},
                      Change{"probabilities", "\"rate\": 0.25", "\"rate\": 0.5"},
                      Change{"dropout", "\"rate\": 0.125", "\"rate\": 0.1250000000000001"},
                      Change{"activation", "silu", "relu"},
                      Change{"wiring", R"(["r#", "r#", "k#"])", R"(["r#", "k#", "r#"])"},
                      Change{"captured", R"(["d#", "h#"])", R"(["d#", "s#"])"}),
    [](const auto &info) { return std::string(info.param.name); });

/// Equal layers share one, and no two layers share random numbers: an op's key and a call's instance make them.
TEST(Outline, EqualLayersShareAFunction) {
  Imported imported(model({"none", "", ""}));
  ASSERT_TRUE(imported.module) << imported.errors();
  std::vector<std::string> callees = layerFunctions(imported);
  ASSERT_EQ(callees.size(), 2u);
  EXPECT_EQ(callees[0], callees[1]);
  std::set<int64_t> instances;
  for (mlir::func::CallOp call : imported.ops<mlir::func::CallOp>())
    if (call.getCallee() == callees[0])
      instances.insert(call->getAttrOfType<mlir::IntegerAttr>(nn::kInstanceAttr).getInt());
  EXPECT_EQ(instances.size(), 2u);
  ASSERT_EQ(imported.ops<nn::DropoutOp>().size(), 1u);
  ASSERT_EQ(imported.ops<nn::AttentionOp>().size(), 1u);
  EXPECT_NE(imported.ops<nn::DropoutOp>()[0].getKey(), imported.ops<nn::AttentionOp>()[0].getDropoutKey());
}

/// Functions that differ have keys of their own: their calls may have one instance.
TEST(Outline, DifferentLayersHaveOtherKeys) {
  Imported imported(model({"epsilon", "1e-5", "1e-6"}));
  ASSERT_TRUE(imported.module) << imported.errors();
  std::set<int64_t> keys;
  for (nn::DropoutOp op : imported.ops<nn::DropoutOp>())
    keys.insert(op.getKey());
  for (nn::AttentionOp op : imported.ops<nn::AttentionOp>())
    keys.insert(op.getDropoutKey());
  EXPECT_EQ(keys.size(), 4u);
}

} // namespace
