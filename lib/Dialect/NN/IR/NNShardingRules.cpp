//===- NNShardingRules.cpp - factors of nn ops ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What each op's dimensions mean, as factors. An op and its gradient ops use the
// same names, so that one placement covers them. A factor that the forward op's
// operand lacks is a Reduction of that operand's gradient.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;
using sharding::DimFactors;
using sharding::FactorKind;
using sharding::OpShardingRule;
using sharding::ReduceKind;

namespace {

using Dims = std::vector<DimFactors>;

ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

/// Collects factors, then operands and results in order.
class RuleBuilder {
public:
  int factor(std::string name, int64_t size, FactorKind kind = FactorKind::Parallel, bool positional = false,
             int along = -1) {
    rule.factors.push_back({std::move(name), size, kind, positional, along});
    return static_cast<int>(rule.factors.size()) - 1;
  }
  /// A factor that must stay whole although others of the op's kind need not.
  int wholeFactor(std::string name, int64_t size, bool positional, std::string why) {
    int index = factor(std::move(name), size, FactorKind::Whole, positional);
    rule.factors[index].whyWhole = std::move(why);
    return index;
  }
  /// One factor per extent, named `prefix`0, `prefix`1, ...
  Dims generic(ArrayRef<int64_t> shape, FactorKind kind = FactorKind::Parallel, bool positional = false,
               const std::string &prefix = "d") {
    Dims dims;
    for (auto [i, size] : llvm::enumerate(shape))
      dims.push_back({factor(prefix + std::to_string(i), size, kind, positional)});
    return dims;
  }
  RuleBuilder &operand(Dims dims, int linearGroup = -1) {
    rule.operands.push_back({std::move(dims), linearGroup});
    return *this;
  }
  /// The scalars of the step: every rank holds all of them.
  RuleBuilder &scalars() { return operand(Dims(1)); }
  RuleBuilder &result(Dims dims, ReduceKind reduce = ReduceKind::Sum) {
    rule.results.push_back({std::move(dims), reduce});
    return *this;
  }
  OpShardingRule take() { return std::move(rule); }

private:
  OpShardingRule rule;
};

/// `dims` and one more.
Dims with(Dims dims, int factor) {
  dims.push_back({factor});
  return dims;
}

/// `dims` without the dimension at `index`.
Dims without(Dims dims, int64_t index) {
  dims.erase(dims.begin() + index);
  return dims;
}

/// The last `count` of `dims`.
Dims trailing(const Dims &dims, size_t count) { return Dims(dims.end() - count, dims.end()); }

/// Unary or n-ary ops of one shape, all dimensions parallel; `group(i)` is the linear group of operand i.
OpShardingRule elementwise(Operation *op, llvm::function_ref<int(unsigned)> group) {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(op->getOperand(0)));
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    rule.operand(dims, group(i));
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    rule.result(dims);
  return rule.take();
}

} // namespace

//===----------------------------------------------------------------------===//
// Linear algebra and elementwise
//===----------------------------------------------------------------------===//

OpShardingRule MatmulOp::getShardingRule() {
  auto [terms, output] = getSubscripts().split("->");
  auto [left, right] = terms.split(',');
  RuleBuilder rule;
  std::map<char, int> factors;
  auto dimsOf = [&](StringRef letters, ArrayRef<int64_t> shape) {
    Dims dims;
    for (auto [letter, size] : llvm::zip_equal(letters, shape)) {
      auto [it, isNew] = factors.try_emplace(letter, -1);
      if (isNew)
        it->second = rule.factor(std::string(1, letter), size,
                                 output.contains(letter) ? FactorKind::Parallel : FactorKind::Reduction);
      dims.push_back({it->second});
    }
    return dims;
  };
  rule.operand(dimsOf(left, shapeOf(getLhs())), 0);
  rule.operand(dimsOf(right, shapeOf(getRhs())), 1);
  rule.result(dimsOf(output, shapeOf(getResult())));
  return rule.take();
}

OpShardingRule AddOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(getLhs()));
  rule.operand(dims, 0).operand(trailing(dims, shapeOf(getRhs()).size()), 0).result(dims);
  return rule.take();
}

OpShardingRule MulOp::getShardingRule() {
  return elementwise(*this, [](unsigned i) { return static_cast<int>(i); });
}

OpShardingRule ReduceSumOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  size_t kept = shapeOf(getResult()).size(), summed = shape.size() - kept;
  Dims dims;
  for (auto [i, size] : llvm::enumerate(shape))
    dims.push_back(
        {rule.factor("d" + std::to_string(i), size, i < summed ? FactorKind::Reduction : FactorKind::Parallel)});
  rule.operand(dims, 0).result(trailing(dims, kept));
  return rule.take();
}

OpShardingRule SumOp::getShardingRule() {
  return elementwise(*this, [](unsigned) { return 0; });
}

OpShardingRule ActivationOp::getShardingRule() {
  return elementwise(*this, [](unsigned) { return -1; });
}

OpShardingRule ActivationGradOp::getShardingRule() {
  return elementwise(*this, [](unsigned i) { return i == 0 ? 0 : -1; });
}

OpShardingRule DropoutOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(getInput()), FactorKind::Parallel, /*positional=*/true);
  rule.operand(dims, 0).scalars().result(dims);
  return rule.take();
}

/// Dimensions of a packed tensor: the packing dimension is whole, the others are numbered as in a member.
static Dims packedDims(RuleBuilder &rule, ArrayRef<int64_t> shape, int64_t packingDim) {
  Dims dims;
  int64_t member = 0;
  for (auto [i, size] : llvm::enumerate(shape)) {
    if (static_cast<int64_t>(i) == packingDim)
      dims.push_back({rule.factor("n", size, FactorKind::Whole)});
    else
      dims.push_back({rule.factor("d" + std::to_string(member++), size)});
  }
  return dims;
}

OpShardingRule UnpackOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = packedDims(rule, shapeOf(getInput()), getDim());
  rule.operand(dims, 0);
  for (unsigned i = 0; i < getNumResults(); ++i)
    rule.result(without(dims, getDim()));
  return rule.take();
}

OpShardingRule PackOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = packedDims(rule, shapeOf(getResult()), getDim());
  for (unsigned i = 0; i < getNumOperands(); ++i)
    rule.operand(without(dims, getDim()), 0);
  rule.result(dims);
  return rule.take();
}

//===----------------------------------------------------------------------===//
// Embedding, norm, attention
//===----------------------------------------------------------------------===//

OpShardingRule EmbeddingOp::getShardingRule() {
  RuleBuilder rule;
  Dims ids = rule.generic(shapeOf(getIds()));
  int v = rule.factor("v", shapeOf(getTable())[0], FactorKind::Reduction, /*positional=*/true);
  int h = rule.factor("h", shapeOf(getTable())[1]);
  rule.operand(ids).operand({{v}, {h}}, 0).result(with(ids, h));
  return rule.take();
}

OpShardingRule EmbeddingGradOp::getShardingRule() {
  RuleBuilder rule;
  Dims ids = rule.generic(shapeOf(getIds()), FactorKind::Reduction);
  int v = rule.factor("v", shapeOf(getResult())[0], FactorKind::Parallel, /*positional=*/true);
  int h = rule.factor("h", shapeOf(getResult())[1]);
  rule.operand(with(ids, h), 0).operand(ids).result({{v}, {h}});
  return rule.take();
}

OpShardingRule LayerNormOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back());
  int h = rule.factor("h", shape.back(), FactorKind::Whole);
  rule.operand(with(rows, h)).operand({{h}}).operand({{h}});
  rule.result(with(rows, h)).result(rows).result(rows);
  return rule.take();
}

OpShardingRule LayerNormInputGradOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back());
  int h = rule.factor("h", shape.back(), FactorKind::Whole);
  rule.operand(with(rows, h), 0).operand(with(rows, h)).operand({{h}}).operand(rows).operand(rows);
  rule.result(with(rows, h));
  return rule.take();
}

OpShardingRule LayerNormWeightGradOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back(), FactorKind::Reduction);
  int h = rule.factor("h", shape.back());
  rule.operand(with(rows, h), 0).operand(with(rows, h)).operand(rows).operand(rows);
  rule.result({{h}}).result({{h}});
  return rule.take();
}

OpShardingRule RmsNormOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back());
  int h = rule.factor("h", shape.back(), FactorKind::Whole);
  rule.operand(with(rows, h)).operand({{h}}).result(with(rows, h)).result(rows);
  return rule.take();
}

OpShardingRule RmsNormInputGradOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back());
  int h = rule.factor("h", shape.back(), FactorKind::Whole);
  rule.operand(with(rows, h), 0).operand(with(rows, h)).operand({{h}}).operand(rows).result(with(rows, h));
  return rule.take();
}

OpShardingRule RmsNormWeightGradOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back(), FactorKind::Reduction);
  int h = rule.factor("h", shape.back());
  rule.operand(with(rows, h), 0).operand(with(rows, h)).operand(rows).result({{h}});
  return rule.take();
}

OpShardingRule RotaryOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getInput());
  Dims rows = rule.generic(shape.drop_back());
  int d = rule.factor("d", shape.back(), FactorKind::Whole); // Rotates element i with element i + d/2.
  rule.operand(with(rows, d), 0).operand({rows[1]}).result(with(rows, d));
  return rule.take();
}

namespace {
/// Shapes of the tensors of attention; q of rank 4 has no r.
struct AttentionDims {
  /// `op`: nn.attention, or with `backward` its gradient, where s and r are summed over by the gradients of key and
  /// value.
  template <typename Op> AttentionDims(RuleBuilder &rule, Op op, bool backward) {
    const bool causal = op.getCausal(), dropout = op.getRate().convertToDouble() > 0;
    ArrayRef<int64_t> shape = shapeOf(op.getQuery());
    FactorKind perQuery = backward ? FactorKind::Reduction : FactorKind::Parallel;
    int b = rule.factor("b", shape[0], FactorKind::Parallel, dropout);
    int s = rule.factor("s", shape[1], perQuery, causal || dropout);
    int g = rule.factor("g", shape[2], FactorKind::Parallel, dropout);
    rows = {{b}, {s}, {g}};
    if (shape.size() == 5)
      rows.push_back({rule.factor("r", shape[3], perQuery, dropout)});
    const int64_t keys = shapeOf(op.getKey())[1];
    // Keys go round the ranks that share the queries: ring attention.
    int t = op.getMask() ? rule.wholeFactor("t", keys, causal || dropout,
                                            "its mask is data, not a function of the two positions, so keys cannot be "
                                            "streamed past it")
                         : rule.factor("t", keys, FactorKind::Streamed, causal || dropout, s);
    int d = rule.factor("d", shape.back(), FactorKind::Whole);
    query = with(rows, d);
    key = {{b}, {t}, {g}, {d}};
    if (Value value = op.getMask())
      mask = trailing({{b}, {s}, {t}}, shapeOf(value).size());
  }
  /// The operands that follow all others: the scalars, and the mask where there is one.
  void addLastOperands(RuleBuilder &rule) const {
    rule.scalars();
    if (!mask.empty())
      rule.operand(mask);
  }
  Dims rows, query, key, mask;
};
} // namespace

OpShardingRule AttentionOp::getShardingRule() {
  RuleBuilder rule;
  AttentionDims dims(rule, *this, /*backward=*/false);
  rule.operand(dims.query).operand(dims.key).operand(dims.key);
  dims.addLastOperands(rule);
  rule.result(dims.query).result(dims.rows);
  return rule.take();
}

OpShardingRule AttentionGradOp::getShardingRule() {
  RuleBuilder rule;
  AttentionDims dims(rule, *this, /*backward=*/true);
  rule.operand(dims.query, 0).operand(dims.query).operand(dims.key).operand(dims.key).operand(dims.query);
  rule.operand(dims.rows);
  dims.addLastOperands(rule);
  rule.result(dims.query).result(dims.key).result(dims.key);
  return rule.take();
}

OpShardingRule AttentionMergeOp::getShardingRule() {
  RuleBuilder rule;
  Dims out = rule.generic(shapeOf(getOut()));
  Dims rows(out.begin(), out.end() - 1);
  rule.operand(out).operand(rows).operand(out).operand(rows).result(out).result(rows);
  return rule.take();
}

//===----------------------------------------------------------------------===//
// Loss
//===----------------------------------------------------------------------===//

OpShardingRule SoftmaxStatsOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getLogits());
  Dims tokens = rule.generic(shape.drop_back());
  int v = rule.factor("v", shape.back(), FactorKind::Reduction, /*positional=*/true);
  rule.operand(with(tokens, v)).operand(tokens);
  rule.result(tokens, ReduceKind::Lse).result(tokens, ReduceKind::Sum);
  return rule.take();
}

OpShardingRule SoftmaxStatsGradOp::getShardingRule() {
  RuleBuilder rule;
  ArrayRef<int64_t> shape = shapeOf(getLogits());
  Dims tokens = rule.generic(shape.drop_back());
  int v = rule.factor("v", shape.back(), FactorKind::Parallel, /*positional=*/true);
  rule.operand(with(tokens, v)).operand(tokens).operand(tokens).operand(tokens, 0).operand(tokens, 0);
  rule.result(with(tokens, v));
  return rule.take();
}

OpShardingRule TokenLossOp::getShardingRule() {
  RuleBuilder rule;
  Dims tokens = rule.generic(shapeOf(getTargets()), FactorKind::Reduction);
  rule.operand(tokens).operand(tokens).operand(tokens).scalars().result({});
  return rule.take();
}

OpShardingRule TokenLossGradOp::getShardingRule() {
  RuleBuilder rule;
  Dims tokens = rule.generic(shapeOf(getTargets()));
  rule.operand(tokens).scalars().result(tokens).result(tokens);
  return rule.take();
}

OpShardingRule SquaredErrorOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(getPrediction()), FactorKind::Reduction);
  rule.operand(dims).operand(dims).result({});
  return rule.take();
}

OpShardingRule SquaredErrorGradOp::getShardingRule() {
  return elementwise(*this, [](unsigned) { return -1; });
}

//===----------------------------------------------------------------------===//
// Update
//===----------------------------------------------------------------------===//

OpShardingRule SumSquaresOp::getShardingRule() {
  RuleBuilder rule;
  for (auto [i, input] : llvm::enumerate(getInputs()))
    rule.operand(rule.generic(shapeOf(input), FactorKind::Reduction, false, "x" + std::to_string(i) + "_d"));
  rule.result({});
  return rule.take();
}

bool SumSquaresOp::isSumOverOperands() { return true; }

Operation *SumSquaresOp::buildSumOfResults(OpBuilder &builder, ValueRange values) {
  return SumOp::create(builder, getLoc(), values.front().getType(), values);
}

OpShardingRule ClipScaleOp::getShardingRule() {
  RuleBuilder rule;
  rule.operand({}).scalars().result({}).result({});
  return rule.take();
}

OpShardingRule AdamWOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(getParameter()));
  rule.operand(dims).operand(dims).operand(dims).operand(dims).operand({}).scalars();
  rule.result(dims).result(dims).result(dims);
  return rule.take();
}

OpShardingRule SgdOp::getShardingRule() {
  RuleBuilder rule;
  Dims dims = rule.generic(shapeOf(getParameter()));
  rule.operand(dims).operand(dims).operand({}).scalars().result(dims);
  return rule.take();
}
