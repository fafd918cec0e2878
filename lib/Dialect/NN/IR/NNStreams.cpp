//===- NNStreams.cpp - ops that are computed part by part -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How the results of attention on parts of the keys join. Forward: by log-sum-exp.
// Backward, given the final out and lse, the gradient of the queries is a sum over parts.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

static Value add(OpBuilder &builder, Location loc, Value lhs, Value rhs) {
  return AddOp::create(builder, loc, lhs.getType(), lhs, rhs);
}

SmallVector<Value> AttentionOp::joinParts(OpBuilder &builder, ValueRange soFar, ValueRange part) {
  auto merge = AttentionMergeOp::create(builder, getLoc(), soFar[0].getType(), soFar[1].getType(), soFar[0], soFar[1],
                                        part[0], part[1]);
  return {merge.getResult(), merge.getResultLse()};
}

Value AttentionOp::addContributions(OpBuilder &builder, Value lhs, Value rhs) {
  return add(builder, getLoc(), lhs, rhs);
}

Type AttentionOp::getContributionType(Type elementType) { return getStatisticsType(elementType); }

bool AttentionOp::hasGrowingWork() { return getCausal(); }

SmallVector<Value> AttentionGradOp::joinParts(OpBuilder &builder, ValueRange soFar, ValueRange part) {
  return {add(builder, getLoc(), soFar[0], part[0]), Value(), Value()};
}

Value AttentionGradOp::addContributions(OpBuilder &builder, Value lhs, Value rhs) {
  return add(builder, getLoc(), lhs, rhs);
}

Type AttentionGradOp::getContributionType(Type elementType) { return getStatisticsType(elementType); }

bool AttentionGradOp::hasGrowingWork() { return getCausal(); }
