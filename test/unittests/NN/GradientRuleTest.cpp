//===- GradientRuleTest.cpp - gradient ops share their op's factors -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The theorem that replaces transposed collectives: under any placement, an
// operand's gradient is sharded like the operand, and partial exactly over the
// axes that shard a factor which the gradient op sums over; these are the factors
// that the operand lacks. Checked for each differentiable op and each factor.
//
//===----------------------------------------------------------------------===//

#include "OneOp.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::nn;
using namespace modelpar::sharding;

namespace {

const std::vector<OpText> kDifferentiable = {
    {"nn.matmul", "{subscripts = \"bsh,hf->bsf\"}", {"2x4x6xf32", "6x8xf32"}, {"2x4x8xf32"}},
    {"nn.matmul", "{subscripts = \"bgsd,bgtd->bgst\"}", {"2x4x6x8xf32", "2x4x10x8xf32"}, {"2x4x6x10xf32"}},
    {"nn.add", "", {"2x4x6xf32", "2x4x6xf32"}, {"2x4x6xf32"}},
    {"nn.add", "", {"2x4x6xf32", "6xf32"}, {"2x4x6xf32"}},
    {"nn.mul", "", {"2x4xf32", "2x4xf32"}, {"2x4xf32"}},
    {"nn.sum", "", {"2x4xf32", "2x4xf32"}, {"2x4xf32"}},
    {"nn.activation", "{kind = #nn.activation<gelu>}", {"2x4xf32"}, {"2x4xf32"}},
    {"nn.dropout", "{rate = 0.1, key = 0}", {"2x4xf32", "16xf64"}, {"2x4xf32"}},
    {"nn.unpack", "{dim = 1}", {"4x2x6xf32"}, {"4x6xf32", "4x6xf32"}},
    {"nn.pack", "{dim = 1}", {"4x6xf32", "4x6xf32"}, {"4x2x6xf32"}},
    {"nn.embedding", "", {"2x4xi32", "8x6xf32"}, {"2x4x6xf32"}},
    {"nn.layer_norm", "{epsilon = 0.0}", {"2x4x6xf32", "6xf32", "6xf32"}, {"2x4x6xf32", "2x4xf32", "2x4xf32"}},
    {"nn.rms_norm", "{epsilon = 0.0}", {"2x4x6xf32", "6xf32"}, {"2x4x6xf32", "2x4xf32"}},
    {"nn.rotary", "{theta = 1.0e4, inverse = false}", {"2x4x6x8x10xf32", "4xi32"}, {"2x4x6x8x10xf32"}},
    {"nn.attention",
     "{causal = true, scale = 0.5, rate = 0.1, dropout_key = 0}",
     {"2x4x6x8x10xf32", "2x12x6x10xf32", "2x12x6x10xf32", "16xf64"},
     {"2x4x6x8x10xf32", "2x4x6x8xf32"}},
    {"nn.attention",
     "{causal = false, scale = 0.5, rate = 0.0, dropout_key = 0}",
     {"2x4x6x10xf32", "2x12x6x10xf32", "2x12x6x10xf32", "16xf64"},
     {"2x4x6x10xf32", "2x4x6xf32"}},
    {"nn.attention",
     "{causal = false, scale = 0.5, rate = 0.0, dropout_key = 0}",
     {"2x4x6x10xf32", "2x12x6x10xf32", "2x12x6x10xf32", "16xf64", "2x4x12xf32"},
     {"2x4x6x10xf32", "2x4x6xf32"}},
    {"nn.softmax_stats", "", {"2x4x8xf32", "2x4xi32"}, {"2x4xf32", "2x4xf32"}},
    {"nn.token_loss", "", {"2x4xf32", "2x4xf32", "2x4xi32", "16xf64"}, {"f32"}},
    {"nn.squared_error", "", {"2x4xf32", "2x4xf32"}, {"f32"}},
};

/// Results that a gradient comes from (not the statistics; a loss has an implicit one).
bool hasGradient(mlir::Operation *op, unsigned result) {
  if (mlir::isa<LayerNormOp, RmsNormOp, AttentionOp>(op))
    return result == 0;
  return !mlir::cast<DifferentiableOpInterface>(op).isLoss();
}

/// Operands that a gradient is asked for.
bool isNeeded(mlir::Operation *op, unsigned operand) {
  auto type = mlir::cast<mlir::RankedTensorType>(op->getOperand(operand).getType());
  bool isData = (mlir::isa<SquaredErrorOp>(op) && operand == 1) || (mlir::isa<AttentionOp>(op) && operand == 4);
  return type.getElementType().isF32() && !isData;
}

/// An op with its gradient ops behind it.
struct Differentiated : OneOp {
  explicit Differentiated(const OpText &text) : OneOp(text) {
    mlir::Block &body = *op->getBlock();
    mlir::OpBuilder builder(body.getTerminator());
    for (mlir::OpResult result : op->getResults())
      resultGrads.push_back(hasGradient(op, result.getResultNumber()) ? body.addArgument(result.getType(), op->getLoc())
                                                                      : mlir::Value());
    llvm::SmallVector<bool> needed;
    for (unsigned i = 0; i < op->getNumOperands(); ++i)
      needed.push_back(isNeeded(op, i));
    operandGrads = mlir::cast<DifferentiableOpInterface>(op).buildGradient(builder, resultGrads, needed);
  }
  llvm::SmallVector<mlir::Value> resultGrads, operandGrads;
};

/// The placement without factors that `rule` does not have.
Placement restrictTo(const OpShardingRule &rule, Placement placement) {
  std::erase_if(placement, [&](const auto &entry) { return rule.factorIndex(entry.first) < 0; });
  return placement;
}

bool hasFactor(const std::vector<DimFactors> &dims, int factor) {
  return llvm::any_of(dims, [&](const DimFactors &factors) { return llvm::is_contained(factors, factor); });
}

class NNGradient : public testing::TestWithParam<OpText> {
protected:
  const Mesh mesh{{{"tp", 2}}};
};

/// The axis on one factor; what is streamed has it where it is streamed along too.
Placement onFactor(const OpShardingRule &rule, const Factor &factor, const Mesh &mesh) {
  Placement placement{{factor.name, {mesh.axis("tp")}}};
  if (factor.kind == FactorKind::Streamed)
    placement[rule.factors[factor.along].name] = {mesh.axis("tp")};
  return placement;
}

TEST_P(NNGradient, IsPartialOverWhatTheOperandLacks) {
  Differentiated one(GetParam());
  ASSERT_EQ(one.operandGrads.size(), one.op->getNumOperands());
  OpShardingRule rule = one.rule();
  for (size_t f = 0; f < rule.factors.size(); ++f) {
    if (rule.factors[f].kind == FactorKind::Whole)
      continue;
    const Placement placement = onFactor(rule, rule.factors[f], mesh);
    const bool streamed =
        rule.factors[f].kind == FactorKind::Streamed; // Parts of all ranks are seen: nothing is partial.
    for (unsigned i = 0; i < one.op->getNumOperands(); ++i) {
      SCOPED_TRACE("factor " + rule.factors[f].name + ", operand " + std::to_string(i));
      mlir::Value gradient = one.operandGrads[i];
      ASSERT_EQ(static_cast<bool>(gradient), isNeeded(one.op, i));
      if (!gradient)
        continue;
      TensorSharding actual;
      if (auto result = mlir::dyn_cast<mlir::OpResult>(gradient)) {
        OpShardingRule gradRule = mlir::cast<ShardingRuleOpInterface>(result.getOwner()).getShardingRule();
        Placement gradPlacement = restrictTo(gradRule, placement);
        ASSERT_EQ(validate(gradRule, gradPlacement), std::nullopt);
        actual = resultSharding(gradRule, gradPlacement, result.getResultNumber(), mesh);
      } else { // Passed on: it is the result's gradient.
        actual = resultSharding(rule, placement, 0, mesh);
      }
      TensorSharding expected = operandSharding(rule, placement, i);
      if (!streamed && !hasFactor(rule.operands[i].dims, static_cast<int>(f)))
        expected.partial.push_back({mesh.axis("tp"), ReduceKind::Sum});
      EXPECT_EQ(toString(actual), toString(expected));
    }
  }
}

/// A gradient op takes the forward op's values as the forward op has them, under the same placement.
TEST_P(NNGradient, TakesValuesAsTheForwardOpHasThem) {
  Differentiated one(GetParam());
  OpShardingRule rule = one.rule();
  for (mlir::Operation *grad = one.op->getNextNode(); grad && mlir::isa<ShardingRuleOpInterface>(grad);
       grad = grad->getNextNode()) {
    OpShardingRule gradRule = mlir::cast<ShardingRuleOpInterface>(grad).getShardingRule();
    for (const Factor &factor : rule.factors) {
      const Placement placement = onFactor(rule, factor, mesh);
      if (factor.kind == FactorKind::Whole || validate(gradRule, restrictTo(gradRule, placement)))
        continue;
      for (auto [j, value] : llvm::enumerate(grad->getOperands())) {
        TensorSharding expected;
        if (auto it = llvm::find(one.op->getOperands(), value); it != one.op->operand_end())
          expected = operandSharding(rule, placement, it - one.op->operand_begin());
        else if (auto it = llvm::find(one.op->getResults(), value); it != one.op->result_end())
          expected = resultSharding(rule, placement, it - one.op->result_begin(), mesh);
        else if (auto it = llvm::find(one.resultGrads, value); it != one.resultGrads.end())
          expected = resultSharding(rule, placement, it - one.resultGrads.begin(), mesh);
        else
          continue;
        expected.partial.clear(); // A partial result is reduced before it is used.
        EXPECT_EQ(toString(operandSharding(gradRule, restrictTo(gradRule, placement), j)), toString(expected))
            << "factor " << factor.name << ", operand " << j << " of " << grad->getName().getStringRef().str();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NNGradient, testing::ValuesIn(kDifferentiable),
                         [](const testing::TestParamInfo<OpText> &info) {
                           return info.param.name.substr(3) + "_" + std::to_string(info.index);
                         });

TEST(NNGradients, EveryDifferentiableOpHasACase) {
  OneOp one(kDifferentiable.front());
  std::set<std::string> covered;
  for (const OpText &text : kDifferentiable)
    covered.insert(text.name);
  for (mlir::RegisteredOperationName name : one.context.getRegisteredOperationsByDialect("nn"))
    EXPECT_EQ(covered.contains(name.getStringRef().str()), name.hasInterface<DifferentiableOpInterface>())
        << name.getStringRef().str();
}

} // namespace
