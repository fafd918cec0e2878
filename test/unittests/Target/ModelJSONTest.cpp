//===- ModelJSONTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The graph format: what mlp.json becomes, and one case for each way to be wrong. The
// cases are small edits of a good graph, so that each is wrong in one way only.
//
//===----------------------------------------------------------------------===//

#include "ImportTesting.h"

#include "modelpar/Target/ModelJSON/BuildModule.h"

#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::target;
using testing::HasSubstr;

/// A linear model with a repeated layer; every edit below replaces a piece of it.
static const char *const kGood = R"({
  "modelpar": 1, "name": "small",
  "dims": {"batch": {"role": "batch"}, "features": 8, "same": 8, "classes": 3},
  "inputs": {
    "x": {"dims": ["batch", "features"], "type": "float", "role": "data", "range": [-1, 1]},
    "label": {"dims": ["batch"], "type": "i32", "role": "targets", "range": [0, 3]}},
  "ops": [
    {"block": "layer", "repeat": 2, "carry": {"h": {"from": "x", "next": "out", "result": "deep"}},
     "parameters": {"l.{i}.w": {"dims": ["features", "same"], "init": {"normal": {"std": 0.1}}}},
     "ops": [
       {"op": "matmul", "inputs": ["h", "l.{i}.w"], "outputs": ["p"], "rename": {"same": "features"}},
       {"op": "activation", "inputs": ["p"], "outputs": ["out"], "attributes": {"kind": "relu"}}]},
    {"block": "head", "parameters": {"w": {"dims": ["features", "classes"], "init": "zeros"}},
     "ops": [
       {"op": "matmul", "inputs": ["deep", "w"], "outputs": ["logits"]},
       {"op": "cross_entropy", "inputs": ["logits", "label"], "outputs": ["loss"]}]}],
  "loss": "loss"
})";

static std::string edited(const std::string &from, const std::string &to) {
  std::string text = kGood;
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// One function for the layers, called once a layer with that layer's parameters.
TEST(ModelJSON, RepeatBecomesCallsOfOneFunction) {
  Imported model(kGood);
  ASSERT_TRUE(model.module) << model.errors();
  std::vector<mlir::func::CallOp> calls = model.ops<mlir::func::CallOp>();
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].getCallee(), "layer");
  EXPECT_EQ(calls[1].getCallee(), "layer");
  EXPECT_EQ(calls[1]->getAttrOfType<mlir::IntegerAttr>(nn::kInstanceAttr).getInt(), 1);
  EXPECT_EQ(calls[1].getOperand(1).getDefiningOp<nn::ReadParameterOp>().getParameter(), "l.1.w");
  EXPECT_EQ(model.ops<nn::MatmulOp>()[0].getSubscripts(), "bf,fs->bs");
}

/// The classifier of models/.
TEST(ModelJSON, Mlp) {
  Imported model(Imported::fileText("models/mlp.json"));
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_EQ(model.parameterElements(), 64 * 256 + 256 + 2 * (2 * 256 * 256 + 4 * 256) + 2 * 256 + 256 * 10 + 10);
  auto step = model.module->lookupSymbol<mlir::func::FuncOp>("step");
  EXPECT_EQ(step.getArgAttrOfType<mlir::StringAttr>(1, nn::kInputRoleAttr).getValue(), "targets");
  EXPECT_EQ(step.getArgAttrOfType<mlir::IntegerAttr>(0, nn::kBatchDimAttr).getInt(), 0);
}

/// Ops outside blocks are gathered into functions named by where they stand.
TEST(ModelJSON, LooseOpsBecomeBlocks) {
  std::string text =
      edited(R"({"block": "head", "parameters": {"w": {"dims": ["features", "classes"], "init": "zeros"}},
     "ops": [)",
             "");
  text.replace(text.find(R"("outputs": ["loss"]}]}],)"), 24,
               R"("outputs": ["loss"]}], "parameters": {"w": {"dims": ["features", "classes"], "init": "zeros"}},)");
  Imported model(text);
  ASSERT_TRUE(model.module) << model.errors();
  EXPECT_TRUE(model.module->lookupSymbol<mlir::func::FuncOp>("epilogue"));
}

/// A residual stack of `layers` layers, written out one by one.
static std::string unrolled(int layers, const std::string &oddLayer = "relu") {
  std::string parameters, ops, x = "x";
  for (int i = 0; i < layers; ++i) {
    std::string n = std::to_string(i);
    parameters +=
        R"("w)" + n + R"(": {"dims": ["f", "g"], "init": "zeros"}, "b)" + n + R"(": {"dims": ["f"], "init": "zeros"},)";
    ops += R"({"op": "matmul", "inputs": [")" + x + R"(", "w)" + n + R"("], "outputs": ["p)" + n +
           R"("], "rename": {"g": "f"}},
      {"op": "add", "inputs": ["p)" +
           n + R"(", "b)" + n + R"("], "outputs": ["q)" + n + R"("]},
      {"op": "activation", "inputs": ["q)" +
           n + R"("], "outputs": ["a)" + n + R"("], "attributes": {"kind": ")" + (i == 2 ? oddLayer : "relu") + R"("}},
      {"op": "dropout", "inputs": ["a)" +
           n + R"("], "outputs": ["d)" + n + R"("], "attributes": {"rate": 0.5}},
      {"op": "add", "inputs": ["d)" +
           n + R"(", ")" + x + R"("], "outputs": ["y)" + n + R"("]},)";
    x = "y" + n;
  }
  return R"({"modelpar": 1, "name": "unrolled", "dims": {"batch": {"role": "batch"}, "f": 8, "g": 8},
    "inputs": {"x": {"dims": ["batch", "f"], "type": "float", "role": "data", "range": [-1, 1]},
               "t": {"dims": ["batch", "f"], "type": "float", "role": "data", "range": [-1, 1]}},
    "parameters": {)" +
         parameters + R"("scale": {"dims": ["f", "g"], "init": "ones"}},
    "ops": [)" +
         ops + R"({"op": "matmul", "inputs": [")" + x + R"(", "scale"], "outputs": ["z"], "rename": {"g": "f"}},
            {"op": "squared_error", "inputs": ["z", "t"], "outputs": ["loss"]}], "loss": "loss"})";
}

/// Layers written out become calls of one function, cut between layers, where one value crosses.
TEST(ModelJSON, UnrolledLayersShareAFunction) {
  Imported model(unrolled(5));
  ASSERT_TRUE(model.module) << model.errors();
  std::vector<mlir::func::CallOp> calls = model.ops<mlir::func::CallOp>();
  ASSERT_EQ(calls.size(), 6u);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(calls[i].getCallee(), "layer0");
    EXPECT_EQ(calls[i]->getAttrOfType<mlir::IntegerAttr>(nn::kInstanceAttr).getInt(), i);
    EXPECT_EQ(calls[i].getNumResults(), 1u);
  }
  EXPECT_EQ(calls[5].getCallee(), "epilogue");
  EXPECT_EQ(model.ops<nn::DropoutOp>().size(), 1u);
}

/// A layer that differs is a function of its own, and the others still share one.
TEST(ModelJSON, AnOddLayerStaysApart) {
  Imported model(unrolled(6, "gelu"));
  ASSERT_TRUE(model.module) << model.errors();
  std::map<std::string, int> calls;
  for (mlir::func::CallOp call : model.ops<mlir::func::CallOp>())
    ++calls[call.getCallee().str()];
  EXPECT_LE(calls.size(), 4u);
  EXPECT_EQ(model.ops<nn::ReadParameterOp>().size(), 13u);
}

/// The rate of a dropout op counts unless it is switched off.
TEST(ModelJSON, DropoutCanBeOff) {
  std::string text = edited(R"("outputs": ["out"], "attributes": {"kind": "relu"}})",
                            R"("outputs": ["act"], "attributes": {"kind": "relu"}},
                            {"op": "dropout", "inputs": ["act"], "outputs": ["out"], "attributes": {"rate": 0.25}})");
  Imported on(text);
  ASSERT_TRUE(on.module) << on.errors();
  EXPECT_EQ(on.ops<nn::DropoutOp>().size(), 1u);
  ModelOptions options;
  options.dropout = false;
  EXPECT_TRUE(Imported(text, options).ops<nn::DropoutOp>().empty());
}

/// The sequence comes from --seq, or from the file.
TEST(ModelJSON, SequenceDim) {
  ModelOptions options;
  options.sequence = 5;
  EXPECT_THAT(Imported(kGood, options).errors(), HasSubstr("/dims: --seq=5 is given, but no dim has role 'sequence'"));
  std::string text = edited(R"("features": 8)", R"("features": {"role": "sequence", "max": 8})");
  EXPECT_THAT(Imported(text).errors(),
              HasSubstr("/dims/features/size: dim 'features' has no size of its own; give --seq"));
  options.sequence = 9;
  EXPECT_THAT(Imported(text, options).errors(), HasSubstr("sequence of 9 is longer than the model's maximum of 8"));
  options.sequence = 8;
  EXPECT_TRUE(Imported(text, options).module);
}

/// A batch dimension of a contraction is kept by listing it; letters are those of the names where they are free.
TEST(ModelJSON, Subscripts) {
  TensorShape lhs{{{"batch", 2}, {"heads", 3}, {"hidden", 4}}}, rhs{{{"batch", 2}, {"hidden", 4}, {"out", 5}}};
  TensorShape result{{{"batch", 2}, {"heads", 3}, {"out", 5}}};
  EXPECT_EQ(einsumSubscripts({"batch", "heads", "hidden", "out"}, lhs, rhs, result), "bhi,bio->bho");
  EXPECT_EQ(einsumSubscripts(std::vector<std::string>(60, "x"), lhs, rhs, result), "bhi,bio->bho");
}

/// Without a batch no input has its samples.
TEST(ModelJSON, NoBatch) {
  EXPECT_THAT(Imported(edited(R"("batch": {"role": "batch"}, )", R"("batch": 4, )")).errors(),
              HasSubstr("/dims: no dim has role 'batch'"));
}

/// More errors than are kept: what is wrong after them must not be taken for right.
TEST(ModelJSON, MoreErrorsThanAreKept) {
  std::string ops;
  for (int i = 0; i < 60; ++i)
    ops += R"({"op": "matmul", "inputs": ["x"], "outputs": ["p"]},)";
  Imported model(edited(R"({"op": "matmul", "inputs": ["h")", ops + R"({"op": "matmul", "inputs": ["h")"));
  EXPECT_FALSE(model.module);
  EXPECT_GE(model.diagnostics.errors.size(), 50u);
}

struct Mistake {
  const char *from, *to, *message;
};
class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreReportedWhereTheyAre) {
  Imported model(edited(GetParam().from, GetParam().to));
  EXPECT_FALSE(model.module);
  EXPECT_THAT(model.errors(), HasSubstr(GetParam().message));
  // One mistake, one message: what follows from it is not reported again.
  EXPECT_EQ(model.diagnostics.errors.size(), 1u) << model.errors();
}

INSTANTIATE_TEST_SUITE_P(
    Form, Mistakes,
    testing::Values(
        Mistake{R"("modelpar": 1)", R"("modelpar": 2)", "/modelpar: format version 2, expected 1"},
        Mistake{R"("loss": "loss"
})",
                R"("loss": "loss")", "<model>:"},
        Mistake{R"("op": "activation")", R"("op": "activate")",
                "/ops/0/ops/1/op: unknown op 'activate'; did you mean 'activation'? supported: matmul, add,"},
        Mistake{R"("kind": "relu")", R"("kind": "rely")",
                "/ops/0/ops/1/attributes/kind: unknown activation 'rely'; did you mean 'relu'?"},
        Mistake{R"("inputs": ["deep", "w"])", R"("inputs": ["deep", "w", "w"])",
                "/ops/1/ops/0/inputs: found 3 inputs, expected 2: matmul(x, y) -> z"},
        Mistake{R"("init": "zeros")", R"("init": "zero")",
                "/ops/1/parameters/w/init: unknown init 'zero'; did you mean 'zeros'?"},
        Mistake{R"("init": "zeros")", R"("init": {"normal": {"std": -1}})", "/ops/1/parameters/w/init/normal/std"},
        Mistake{R"("range": [0, 3])", R"("range": [0])", "/inputs/label/range: expected [low, high], found 1 numbers"},
        Mistake{R"("classes": 3)", R"("classes": 0)", "/dims/classes: dim 'classes' has size 0, expected 1 to 2^40"},
        Mistake{R"("repeat": 2)", R"("repeat": 20000)", "/ops/0/repeat"},
        Mistake{R"("attributes": {"kind": "relu"})", R"("attributes": {"kind": "relu", "slope": 2})",
                "/ops/0/ops/1/attributes/slope"}));

INSTANTIATE_TEST_SUITE_P(
    Meaning, Mistakes,
    testing::Values(
        Mistake{R"(["deep", "w"])", R"(["deap", "w"])",
                "/ops/1/ops/0/inputs/0: matmul 'logits': operand 'deap' is not defined before it"},
        Mistake{R"(["deep", "w"])", R"(["out", "w"])", "'out' lives inside the repeat 'layer'; carry it out"},
        Mistake{R"("dims": ["batch"], "type": "i32")", R"("dims": ["batch", "same"], "type": "i32")",
                "cross_entropy 'loss': targets 'label' [batch = 8, same = 8] do not match logits 'logits' [batch = 8, "
                "classes = 3] without their last dim"},
        Mistake{R"("w": {"dims": ["features", "classes"])", R"("w": {"dims": ["same", "classes"])",
                "matmul 'logits': no dimension to sum over: 'deep' [batch = 8, features = 8] and 'w' [same = 8, "
                "classes = 3] share none"},
        Mistake{R"("w": {"dims": ["features", "classes"])", R"("w": {"dims": ["features", "class"])",
                "/ops/1/parameters/w/dims: unknown dim 'class'; did you mean 'classes'?"},
        Mistake{R"("rename": {"same": "features"})", R"("rename": {"same": "classes"})",
                "rename of dim 'same' of size 8 to 'classes' of size 3"},
        Mistake{R"(, "rename": {"same": "features"})", "",
                "/ops/0/carry/h/next: 'out' [batch = 8, same = 8] cannot be carried as 'h' [batch = 8, features = 8]"},
        Mistake{R"("outputs": ["logits"])", R"("outputs": ["logits"], "rename": {"features": "same"})",
                "rename of 'features', which is not a dim of the result"},
        Mistake{R"("range": [0, 3])", R"("range": [0, 4])",
                "cross_entropy 'loss': range [0, 4) of 'label' leaves dim 'classes' of size 3"},
        Mistake{R"("dims": ["batch"], "type": "i32", "role": "targets")",
                R"("dims": ["batch"], "type": "i32", "role": "data")",
                "cross_entropy 'loss': targets 'label' have role 'data', expected 'targets'"},
        Mistake{R"("label": {"dims")",
                R"("other": {"dims": ["batch"], "type": "i32", "role": "targets", "range": [0, 3]}, "label": {"dims")",
                "/inputs/label: second input of role 'targets', expected at most one"},
        Mistake{R"("x": {"dims": ["batch", "features"])", R"("x": {"dims": ["features", "batch"])",
                "/inputs/x/dims: the first dim of 'x' must be the one of role 'batch'"},
        Mistake{R"("classes": 3)", R"("classes": 3, "batch2": {"role": "batch"})",
                "dims 'batch' and 'batch2' have the same role"},
        Mistake{R"("features": 8, "same": 8)", R"("features": 1000000000000, "same": 1000000000000)",
                "has more than 2^48 elements"},
        Mistake{R"("type": "i32")", R"("type": "float")", "role 'targets' of 'label' needs type i32"},
        Mistake{R"("block": "head", "parameters": {)",
                R"("block": "head", "parameters": {"u": {"dims": [], "init": "ones"}, )",
                "/ops/1/parameters/u: parameter 'u' is never used"},
        Mistake{R"("l.{i}.w": {"dims")", R"("l.{i}.w": {"checkpoint": {"name": "l.w"}, "dims")",
                "'l.w' needs {i}, the number of the layer, in its name"},
        Mistake{R"("block": "head")", R"("block": "layer")", "/ops/1: block name 'layer' is taken"},
        Mistake{R"("loss": "loss")", R"("loss": "logits")",
                "/loss: loss 'logits' [batch = 8, classes = 3] is not a scalar value"}));
