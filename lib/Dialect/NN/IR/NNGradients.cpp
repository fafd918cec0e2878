//===- NNGradients.cpp - gradients of nn ops ------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DifferentiableOpInterface of the nn ops. Gradients of activations and of
// parameters are separate ops, so that they can go to separate functions.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

using Gradients = SmallVector<Value>;

/// Reports that result `name` of the op cannot pass a gradient on.
static Gradients notDifferentiable(Operation *op, StringRef name) {
  op->emitOpError() << "is not differentiable in its result '" << name << "', which has a gradient";
  return {};
}

static Gradients missingGradient(Operation *op, unsigned result) {
  op->emitOpError() << "needs the gradient of its result #" << result << ", on which the loss does not depend";
  return {};
}

Gradients MatmulOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  auto [terms, output] = getSubscripts().split("->");
  auto [left, right] = terms.split(',');
  Gradients grads(2);
  if (needed[0])
    grads[0] = MatmulOp::create(builder, getLoc(), getLhs().getType(), resultGrads[0], getRhs(),
                                (output + "," + right + "->" + left).str());
  if (needed[1])
    grads[1] = MatmulOp::create(builder, getLoc(), getRhs().getType(), getLhs(), resultGrads[0],
                                (left + "," + output + "->" + right).str());
  return grads;
}

Gradients AddOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  Gradients grads(2);
  if (needed[0])
    grads[0] = resultGrads[0];
  if (needed[1])
    grads[1] = getRhs().getType().getRank() == getLhs().getType().getRank()
                   ? resultGrads[0]
                   : ReduceSumOp::create(builder, getLoc(), getRhs().getType(), resultGrads[0]).getResult();
  return grads;
}

Gradients MulOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  Gradients grads(2);
  if (needed[0])
    grads[0] = MulOp::create(builder, getLoc(), getLhs().getType(), resultGrads[0], getRhs());
  if (needed[1])
    grads[1] = MulOp::create(builder, getLoc(), getRhs().getType(), resultGrads[0], getLhs());
  return grads;
}

Gradients SumOp::buildGradient(OpBuilder &, ValueRange resultGrads, ArrayRef<bool> needed) {
  Gradients grads;
  for (bool isNeeded : needed)
    grads.push_back(isNeeded ? resultGrads[0] : Value());
  return grads;
}

Gradients ActivationOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  return {ActivationGradOp::create(builder, getLoc(), getInput().getType(), resultGrads[0], getInput(), getKindAttr())};
}

Gradients DropoutOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  // The same elements are dropped: the mask is a function of the key and the element's index alone.
  return {DropoutOp::create(builder, getLoc(), getInput().getType(), resultGrads[0], getScalars(), getRateAttr(),
                            getKeyAttr()),
          Value()};
}

Gradients UnpackOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  for (auto [i, grad] : llvm::enumerate(resultGrads))
    if (!grad)
      return missingGradient(*this, i);
  return {PackOp::create(builder, getLoc(), getInput().getType(), resultGrads, getDimAttr())};
}

Gradients PackOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  auto members = UnpackOp::create(builder, getLoc(), getMembers().getTypes(), resultGrads[0], getDimAttr());
  Gradients grads;
  for (auto [isNeeded, member] : llvm::zip_equal(needed, members.getMembers()))
    grads.push_back(isNeeded ? member : Value());
  return grads;
}

Gradients EmbeddingOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  return {Value(), EmbeddingGradOp::create(builder, getLoc(), getTable().getType(), resultGrads[0], getIds(),
                                           getPaddingRowAttr())};
}

Gradients LayerNormOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  if (resultGrads[1])
    return notDifferentiable(*this, "mean");
  if (resultGrads[2])
    return notDifferentiable(*this, "rstd");
  Gradients grads(3);
  if (needed[0])
    grads[0] = LayerNormInputGradOp::create(builder, getLoc(), getInput().getType(), resultGrads[0], getInput(),
                                            getWeight(), getMean(), getRstd());
  if (needed[1] || needed[2]) {
    auto op = LayerNormWeightGradOp::create(builder, getLoc(), getWeight().getType(), getBias().getType(),
                                            resultGrads[0], getInput(), getMean(), getRstd());
    grads[1] = needed[1] ? op.getWeightGrad() : Value();
    grads[2] = needed[2] ? op.getBiasGrad() : Value();
  }
  return grads;
}

Gradients RmsNormOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  if (resultGrads[1])
    return notDifferentiable(*this, "rstd");
  Gradients grads(2);
  if (needed[0])
    grads[0] = RmsNormInputGradOp::create(builder, getLoc(), getInput().getType(), resultGrads[0], getInput(),
                                          getWeight(), getRstd());
  if (needed[1])
    grads[1] =
        RmsNormWeightGradOp::create(builder, getLoc(), getWeight().getType(), resultGrads[0], getInput(), getRstd());
  return grads;
}

Gradients RotaryOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  // The transpose of a rotation is the rotation by the negative angle.
  return {RotaryOp::create(builder, getLoc(), getInput().getType(), resultGrads[0], getPositions(), getThetaAttr(),
                           builder.getBoolAttr(!getInverse()), getFactorAttr(), getLowFreqFactorAttr(),
                           getHighFreqFactorAttr(), getOriginalMaxPositionEmbeddingsAttr()),
          Value()};
}

Gradients AttentionOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  if (resultGrads[1])
    return notDifferentiable(*this, "lse");
  if (getMask() && needed.back()) {
    emitOpError() << "is not differentiable in its operand 'mask', which depends on a parameter";
    return {};
  }
  auto op =
      AttentionGradOp::create(builder, getLoc(), getQuery().getType(), getKey().getType(), getValue().getType(),
                              resultGrads[0], getQuery(), getKey(), getValue(), getResult(), getLse(), getScalars(),
                              getMask(), getCausalAttr(), getScaleAttr(), getRateAttr(), getDropoutKeyAttr());
  Gradients grads(getNumOperands());
  std::pair<unsigned, Value> gradients[] = {{0, op.getQueryGrad()}, {1, op.getKeyGrad()}, {2, op.getValueGrad()}};
  for (auto [operand, gradient] : gradients)
    if (needed[operand])
      grads[operand] = gradient;
  return grads;
}

Gradients SoftmaxStatsOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool>) {
  for (unsigned i : {0, 1})
    if (!resultGrads[i])
      return missingGradient(*this, i);
  return {SoftmaxStatsGradOp::create(builder, getLoc(), getLogits().getType(), getLogits(), getTargets(), getLse(),
                                     resultGrads[0], resultGrads[1]),
          Value()};
}

//===----------------------------------------------------------------------===//
// Losses: the gradient of the result is one
//===----------------------------------------------------------------------===//

bool TokenLossOp::isLoss() { return true; }

Gradients TokenLossOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  if (resultGrads[0])
    return notDifferentiable(*this, "loss");
  auto op = TokenLossGradOp::create(builder, getLoc(), getLse().getType(), getTargetLogit().getType(), getTargets(),
                                    getScalars());
  return {needed[0] ? op.getLseGrad() : Value(), needed[1] ? op.getTargetGrad() : Value(), Value(), Value()};
}

bool SquaredErrorOp::isLoss() { return true; }

Gradients SquaredErrorOp::buildGradient(OpBuilder &builder, ValueRange resultGrads, ArrayRef<bool> needed) {
  if (resultGrads[0])
    return notDifferentiable(*this, "loss");
  if (needed[1]) {
    emitOpError() << "is not differentiable in its operand 'target', whose gradient is needed";
    return {};
  }
  return {SquaredErrorGradOp::create(builder, getLoc(), getPrediction().getType(), getPrediction(), getTarget()),
          Value()};
}
