//===- ShardingRuleTest.cpp - factors of every nn op ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rule of each op in its textual form, the operands that it is linear in, and
// that every rule fits the shapes of its op.
//
//===----------------------------------------------------------------------===//

#include "OneOp.h"

#include "modelpar/PlanFormat/Contracts.h"

#include <gtest/gtest.h>

#include <set>

using namespace modelpar;
using namespace modelpar::nn;
using sharding::FactorKind;
using sharding::OpShardingRule;

namespace {

struct RuleCase {
  OpText op;
  std::string rule;
  std::vector<int> linearGroups;
};
void PrintTo(const RuleCase &entry, std::ostream *os) { *os << entry.op.name << " " << entry.rule; }

const std::string kCausal = "{causal = true, scale = 0.5, rate = 0.0, dropout_key = 0}";
const std::string kDropout = "{causal = false, scale = 0.5, rate = 0.1, dropout_key = 0}";

const std::vector<RuleCase> &ruleCases() {
  static const std::vector<RuleCase> cases = {
      {{"nn.matmul", "{subscripts = \"bsh,hf->bsf\"}", {"2x3x4xf32", "4x6xf32"}, {"2x3x6xf32"}},
       "([b, s, h], [h, f]) -> ([b, s, f])  h: reduction",
       {0, 1}},
      {{"nn.matmul", "{subscripts = \"bsgd,gdh->bsh\"}", {"2x3x4x5xf32", "4x5x6xf32"}, {"2x3x6xf32"}},
       "([b, s, g, d], [g, d, h]) -> ([b, s, h])  g: reduction  d: reduction",
       {0, 1}},
      {{"nn.add", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}}, "([d0, d1], [d0, d1]) -> ([d0, d1])", {0, 0}},
      {{"nn.add", "", {"2x3x4xf32", "4xf32"}, {"2x3x4xf32"}}, "([d0, d1, d2], [d2]) -> ([d0, d1, d2])", {0, 0}},
      {{"nn.mul", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}}, "([d0, d1], [d0, d1]) -> ([d0, d1])", {0, 1}},
      {{"nn.reduce_sum", "", {"2x3x4xf32"}, {"4xf32"}}, "([d0, d1, d2]) -> ([d2])  d0: reduction  d1: reduction", {0}},
      {{"nn.sum", "", {"2x3xf32", "2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1], [d0, d1]) -> ([d0, d1])",
       {0, 0, 0}},
      {{"nn.activation", "{kind = #nn.activation<gelu>}", {"2x3xf32"}, {"2x3xf32"}}, "([d0, d1]) -> ([d0, d1])", {-1}},
      {{"nn.activation_grad", "{kind = #nn.activation<gelu>}", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, d1])",
       {0, -1}},
      {{"nn.dropout", "{rate = 0.1, key = 0}", {"2x3xf32", "16xf64"}, {"2x3xf32"}},
       "([d0, d1], [1]) -> ([d0, d1])  d0: positional  d1: positional",
       {0, -1}},
      {{"nn.unpack", "{dim = 1}", {"2x2x4xf32"}, {"2x4xf32", "2x4xf32"}},
       "([d0, n, d1]) -> ([d0, d1], [d0, d1])  n: whole",
       {0}},
      {{"nn.pack", "{dim = 1}", {"2x4xf32", "2x4xf32"}, {"2x2x4xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, n, d1])  n: whole",
       {0, 0}},
      {{"nn.embedding", "", {"2x3xi32", "8x4xf32"}, {"2x3x4xf32"}},
       "([d0, d1], [v, h]) -> ([d0, d1, h])  v: reduction positional",
       {-1, 0}},
      {{"nn.embedding_grad", "", {"2x3x4xf32", "2x3xi32"}, {"8x4xf32"}},
       "([d0, d1, h], [d0, d1]) -> ([v, h])  d0: reduction  d1: reduction  v: positional",
       {0, -1}},
      {{"nn.layer_norm", "{epsilon = 0.0}", {"2x3x4xf32", "4xf32", "4xf32"}, {"2x3x4xf32", "2x3xf32", "2x3xf32"}},
       "([d0, d1, h], [h], [h]) -> ([d0, d1, h], [d0, d1], [d0, d1])  h: whole",
       {-1, -1, -1}},
      {{"nn.layer_norm_input_grad", "", {"2x4xf32", "2x4xf32", "4xf32", "2xf32", "2xf32"}, {"2x4xf32"}},
       "([d0, h], [d0, h], [h], [d0], [d0]) -> ([d0, h])  h: whole",
       {0, -1, -1, -1, -1}},
      {{"nn.layer_norm_weight_grad", "", {"2x4xf32", "2x4xf32", "2xf32", "2xf32"}, {"4xf32", "4xf32"}},
       "([d0, h], [d0, h], [d0], [d0]) -> ([h], [h])  d0: reduction",
       {0, -1, -1, -1}},
      {{"nn.rms_norm", "{epsilon = 0.0}", {"2x3x4xf32", "4xf32"}, {"2x3x4xf32", "2x3xf32"}},
       "([d0, d1, h], [h]) -> ([d0, d1, h], [d0, d1])  h: whole",
       {-1, -1}},
      {{"nn.rms_norm_input_grad", "", {"2x4xf32", "2x4xf32", "4xf32", "2xf32"}, {"2x4xf32"}},
       "([d0, h], [d0, h], [h], [d0]) -> ([d0, h])  h: whole",
       {0, -1, -1, -1}},
      {{"nn.rms_norm_weight_grad", "", {"2x4xf32", "2x4xf32", "2xf32"}, {"4xf32"}},
       "([d0, h], [d0, h], [d0]) -> ([h])  d0: reduction",
       {0, -1, -1}},
      {{"nn.rotary", "{theta = 1.0e4, inverse = true}", {"2x3x5x4xf32", "3xi32"}, {"2x3x5x4xf32"}},
       "([d0, d1, d2, d], [d1]) -> ([d0, d1, d2, d])  d: whole",
       {0, -1}},
      {{"nn.attention", kCausal, {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64"}, {"2x3x2x4xf32", "2x3x2xf32"}},
       "([b, s, g, d], [b, t, g, d], [b, t, g, d], [1]) -> ([b, s, g, d], [b, s, g])"
       "  s: positional  t: streamed along s positional  d: whole",
       {-1, -1, -1, -1}},
      {{"nn.attention",
        kDropout,
        {"2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64"},
        {"2x3x2x6x4xf32", "2x3x2x6xf32"}},
       "([b, s, g, r, d], [b, t, g, d], [b, t, g, d], [1]) -> ([b, s, g, r, d], [b, s, g, r])"
       "  b: positional  s: positional  g: positional  r: positional  t: streamed along s positional  d: whole",
       {-1, -1, -1, -1}},
      {{"nn.attention",
        kCausal,
        {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "16xf64", "2x3x5xf32"},
        {"2x3x2x4xf32", "2x3x2xf32"}},
       "([b, s, g, d], [b, t, g, d], [b, t, g, d], [1], [b, s, t]) -> ([b, s, g, d], [b, s, g])"
       "  s: positional  t: whole positional  d: whole",
       {-1, -1, -1, -1, -1}},
      {{"nn.attention_grad",
        kCausal,
        {"2x3x2x4xf32", "2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "2x3x2x4xf32", "2x3x2xf32", "16xf64", "3x5xf32"},
        {"2x3x2x4xf32", "2x5x2x4xf32", "2x5x2x4xf32"}},
       "([b, s, g, d], [b, s, g, d], [b, t, g, d], [b, t, g, d], [b, s, g, d], [b, s, g], [1], [s, t])"
       " -> ([b, s, g, d], [b, t, g, d], [b, t, g, d])"
       "  s: reduction positional  t: whole positional  d: whole",
       {0, -1, -1, -1, -1, -1, -1, -1}},
      {{"nn.attention_grad",
        kCausal,
        {"2x3x2x6x4xf32", "2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32", "2x3x2x6x4xf32", "2x3x2x6xf32", "16xf64"},
        {"2x3x2x6x4xf32", "2x5x2x4xf32", "2x5x2x4xf32"}},
       "([b, s, g, r, d], [b, s, g, r, d], [b, t, g, d], [b, t, g, d], [b, s, g, r, d], [b, s, g, r], [1])"
       " -> ([b, s, g, r, d], [b, t, g, d], [b, t, g, d])"
       "  s: reduction positional  r: reduction  t: streamed along s positional  d: whole",
       {0, -1, -1, -1, -1, -1, -1}},
      {{"nn.attention_merge", "", {"2x3x4xf32", "2x3xf32", "2x3x4xf32", "2x3xf32"}, {"2x3x4xf32", "2x3xf32"}},
       "([d0, d1, d2], [d0, d1], [d0, d1, d2], [d0, d1]) -> ([d0, d1, d2], [d0, d1])",
       {-1, -1, -1, -1}},
      {{"nn.softmax_stats", "", {"2x3x8xf32", "2x3xi32"}, {"2x3xf32", "2x3xf32"}},
       "([d0, d1, v], [d0, d1]) -> ([d0, d1]:lse, [d0, d1])  v: reduction positional",
       {-1, -1}},
      {{"nn.softmax_stats_grad", "", {"2x8xf32", "2xi32", "2xf32", "2xf32", "2xf32"}, {"2x8xf32"}},
       "([d0, v], [d0], [d0], [d0], [d0]) -> ([d0, v])  v: positional",
       {-1, -1, -1, 0, 0}},
      {{"nn.token_loss", "", {"2x3xf32", "2x3xf32", "2x3xi32", "16xf64"}, {"f32"}},
       "([d0, d1], [d0, d1], [d0, d1], [1]) -> ([])  d0: reduction  d1: reduction",
       {-1, -1, -1, -1}},
      {{"nn.token_loss_grad", "", {"2x3xi32", "16xf64"}, {"2x3xf32", "2x3xf32"}},
       "([d0, d1], [1]) -> ([d0, d1], [d0, d1])",
       {-1, -1}},
      {{"nn.squared_error", "", {"2x3xf32", "2x3xf32"}, {"f32"}},
       "([d0, d1], [d0, d1]) -> ([])  d0: reduction  d1: reduction",
       {-1, -1}},
      {{"nn.squared_error_grad", "", {"2x3xf32", "2x3xf32"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1]) -> ([d0, d1])",
       {-1, -1}},
      {{"nn.sum_squares", "", {"2x3xf32", "4xf32"}, {"f32"}},
       "([x0_d0, x0_d1], [x1_d0]) -> ([])  x0_d0: reduction  x0_d1: reduction  x1_d0: reduction",
       {-1, -1}},
      {{"nn.clip_scale", "", {"f32", "16xf64"}, {"f32", "f32"}}, "([], [1]) -> ([], [])", {-1, -1}},
      {{"nn.adamw",
        "{weight_decay = true}",
        {"2x3xf32", "2x3xf32", "2x3xf32", "2x3xf32", "f32", "16xf64"},
        {"2x3xf32", "2x3xf32", "2x3xf32"}},
       "([d0, d1], [d0, d1], [d0, d1], [d0, d1], [], [1]) -> ([d0, d1], [d0, d1], [d0, d1])",
       {-1, -1, -1, -1, -1, -1}},
      {{"nn.sgd", "{weight_decay = true}", {"2x3xf32", "2x3xf32", "f32", "16xf64"}, {"2x3xf32"}},
       "([d0, d1], [d0, d1], [], [1]) -> ([d0, d1])",
       {-1, -1, -1, -1}},
  };
  return cases;
}

class NNRule : public testing::TestWithParam<RuleCase> {};

TEST_P(NNRule, IsAsWritten) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one) << GetParam().op.name;
  OpShardingRule rule = one.rule();
  EXPECT_EQ(rule.toString(), GetParam().rule);
  std::vector<int> groups;
  for (const sharding::OperandRule &operand : rule.operands)
    groups.push_back(operand.linearGroup);
  EXPECT_EQ(groups, GetParam().linearGroups);
}

/// One entry per tensor and dimension, and the factors of a dimension have its size as product.
TEST_P(NNRule, FitsTheShapes) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one);
  OpShardingRule rule = one.rule();
  auto check = [&](mlir::Value value, const std::vector<sharding::DimFactors> &dims) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    ASSERT_EQ(dims.size(), static_cast<size_t>(type.getRank()));
    for (auto [factors, size] : llvm::zip_equal(dims, type.getShape())) {
      int64_t product = 1;
      for (int factor : factors)
        product *= rule.factors.at(factor).size;
      EXPECT_TRUE(factors.empty() || product == size) << product << " for a dimension of " << size;
    }
  };
  ASSERT_EQ(rule.operands.size(), one.op->getNumOperands());
  ASSERT_EQ(rule.results.size(), one.op->getNumResults());
  for (unsigned i = 0; i < one.op->getNumOperands(); ++i)
    check(one.op->getOperand(i), rule.operands[i].dims);
  for (unsigned i = 0; i < one.op->getNumResults(); ++i)
    check(one.op->getResult(i), rule.results[i].dims);
}

//===----------------------------------------------------------------------===//
// Contracts of plans
//===----------------------------------------------------------------------===//

/// The op as a plan's instruction, its tensors placed.
class Contract {
public:
  explicit Contract(OneOp &one) : rule_(one.rule()) {
    instruction_.op = one.op->getName().stripDialect().str();
    for (mlir::NamedAttribute attribute : one.op->getAttrs())
      addAttribute(attribute.getName().str(), attribute.getValue());
    for (mlir::Value value : one.op->getOperands())
      inputs_.push_back(typeOf(value));
    for (mlir::Value value : one.op->getResults())
      outputs_.push_back(typeOf(value));
  }

  void place(const sharding::Placement &placement) {
    for (unsigned i = 0; i < inputs_.size(); ++i)
      inputs_[i].sharding = sharding::operandSharding(rule_, placement, i);
    for (unsigned i = 0; i < outputs_.size(); ++i) {
      outputs_[i].sharding = sharding::resultSharding(rule_, placement, i, mesh());
      auto &partial = outputs_[i].sharding.partial; // Operands of one sum that are split over one axis.
      partial.erase(std::unique(partial.begin(), partial.end()), partial.end());
    }
  }
  /// A sum over "dp" in every operand of the group, and so in every result.
  void passSum(int group) {
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (rule_.operands[i].linearGroup == group)
        inputs_[i].sharding.partial.push_back({mesh().axis("dp")});
    for (planformat::TensorType &type : outputs_)
      type.sharding.partial.push_back({mesh().axis("dp")});
  }

  std::string error() const {
    std::vector<const planformat::TensorType *> in, out;
    for (const planformat::TensorType &type : inputs_)
      in.push_back(&type);
    for (const planformat::TensorType &type : outputs_)
      out.push_back(&type);
    return planformat::contractError(instruction_, in, out);
  }

  /// Every tensor in turn partial over an axis less, over one more, or by another kind: never right. (Without the only
  /// operand of a group, the results have one too many.)
  void expectOthersAreRefused() {
    for (std::vector<planformat::TensorType> *list : {&inputs_, &outputs_})
      for (planformat::TensorType &type : *list) {
        const std::vector<sharding::PartialAxis> kept = type.sharding.partial;
        for (size_t p = 0; p < kept.size(); ++p) {
          type.sharding.partial.erase(type.sharding.partial.begin() + static_cast<std::ptrdiff_t>(p));
          expectRefused();
          type.sharding.partial = kept;
          type.sharding.partial[p].kind = sharding::ReduceKind::Max;
          expectRefused();
          type.sharding.partial = kept;
        }
        type.sharding.partial.push_back({mesh().axis("cp")});
        expectRefused();
        type.sharding.partial = kept;
      }
  }

  static const sharding::Mesh &mesh() {
    static const sharding::Mesh mesh({{"dp", 2}, {"cp", 2}, {"tp", 2}});
    return mesh;
  }

private:
  void expectRefused() const {
    if (error().empty())
      ADD_FAILURE() << instruction_.op << " of " << describe(inputs_) << " may not give " << describe(outputs_);
  }
  static std::string describe(const std::vector<planformat::TensorType> &types) {
    std::string text;
    for (const planformat::TensorType &type : types)
      text += (text.empty() ? "" : ", ") + sharding::toString(type.sharding);
    return text;
  }
  static planformat::TensorType typeOf(mlir::Value value) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    planformat::TensorType result;
    result.dtype = type.getElementType().isF64()   ? planformat::DType::F64
                   : type.getElementType().isF32() ? planformat::DType::F32
                                                   : planformat::DType::I32;
    result.shape = type.getShape().vec();
    result.sharding = sharding::TensorSharding::replicated(result.shape.size());
    return result;
  }
  void addAttribute(const std::string &name, mlir::Attribute value) {
    if (auto text = mlir::dyn_cast<mlir::StringAttr>(value))
      instruction_.attributes[name] = text.str();
    else if (auto kind = mlir::dyn_cast<ActivationKindAttr>(value))
      instruction_.attributes[name] = stringifyActivationKind(kind.getValue()).str();
    else if (auto flag = mlir::dyn_cast<mlir::BoolAttr>(value))
      instruction_.attributes[name] = flag.getValue();
    else if (auto real = mlir::dyn_cast<mlir::FloatAttr>(value))
      instruction_.attributes[name] = real.getValueAsDouble();
    else if (auto integer = mlir::dyn_cast<mlir::IntegerAttr>(value))
      instruction_.attributes[name] = integer.getInt();
  }

  OpShardingRule rule_;
  planformat::Instruction instruction_;
  std::vector<planformat::TensorType> inputs_, outputs_;
};

/// What a rule gives under a placement is what the contract of the kernel asks for, and nothing else is.
TEST_P(NNRule, IsWhatTheContractOfPlansSays) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one);
  const OpShardingRule rule = one.rule();
  std::set<int> groups = {-1}; // -1: nothing passes.
  for (const sharding::OperandRule &operand : rule.operands)
    groups.insert(operand.linearGroup);
  std::vector<sharding::Placement> placements = {{}};
  for (const sharding::Factor &factor : rule.factors) {
    sharding::Placement placement{{factor.name, {Contract::mesh().axis("tp")}}};
    if (factor.kind == FactorKind::Streamed)
      placement[rule.factors[factor.along].name] = placement[factor.name];
    if (factor.kind != FactorKind::Whole)
      placements.push_back(placement);
  }
  // Of a sum over operands, each has factors of its own: the first of all.
  if (mlir::cast<ShardingRuleOpInterface>(one.op).isSumOverOperands()) {
    placements.resize(1);
    for (const sharding::OperandRule &operand : rule.operands)
      placements.emplace_back(placements.back())[rule.factors[operand.dims[0][0]].name] = {Contract::mesh().axis("tp")};
    placements = {placements.front(), placements.back()};
  }
  for (const sharding::Placement &placement : placements)
    for (int group : groups) {
      Contract contract(one);
      contract.place(placement);
      if (group >= 0)
        contract.passSum(group);
      EXPECT_EQ(contract.error(), "") << (placement.empty() ? "" : placement.begin()->first) << " group " << group;
      contract.expectOthersAreRefused();
    }
}

TEST_P(NNRule, IsWholeInContractsToo) {
  OneOp one(GetParam().op);
  ASSERT_TRUE(one);
  for (const sharding::Factor &factor : one.rule().factors)
    if (factor.kind == FactorKind::Whole) {
      Contract contract(one);
      contract.place({{factor.name, {Contract::mesh().axis("tp")}}});
      EXPECT_NE(contract.error(), "") << factor.name;
    }
}

INSTANTIATE_TEST_SUITE_P(All, NNRule, testing::ValuesIn(ruleCases()), [](const testing::TestParamInfo<RuleCase> &info) {
  return info.param.op.name.substr(3) + "_" + std::to_string(info.index);
});

TEST(NNRules, EveryComputeOpHasACase) {
  OneOp one({"nn.mul", "", {"2xf32", "2xf32"}, {"2xf32"}});
  std::set<std::string> covered;
  for (const RuleCase &entry : ruleCases())
    covered.insert(entry.op.name);
  for (mlir::RegisteredOperationName name : one.context.getRegisteredOperationsByDialect("nn"))
    EXPECT_EQ(covered.contains(name.getStringRef().str()), name.hasInterface<ShardingRuleOpInterface>())
        << name.getStringRef().str();
}

TEST(NNRules, OnlySumSquaresIsASumOverOperands) {
  for (const RuleCase &entry : ruleCases()) {
    OneOp one(entry.op);
    EXPECT_EQ(mlir::cast<ShardingRuleOpInterface>(one.op).isSumOverOperands(), entry.op.name == "nn.sum_squares");
  }
}

TEST(NNRules, CostsAreThoseOfMatrixProducts) {
  for (const RuleCase &entry : ruleCases()) {
    OneOp one(entry.op);
    auto cost = mlir::cast<CostOpInterface>(one.op);
    bool isMatrix =
        entry.op.name == "nn.matmul" || entry.op.name == "nn.attention" || entry.op.name == "nn.attention_grad";
    EXPECT_EQ(cost.isMatrixOp(), isMatrix) << entry.op.name;
    EXPECT_GE(cost.getFlopsPerPoint(), isMatrix ? 2 : 0);
  }
}

} // namespace
