//===- BuilderTest.cpp - builders and attributes of nn --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The builders that NN.h exports, and that initialisers are uniqued by value.
//
//===----------------------------------------------------------------------===//

#include "OneOp.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace modelpar::nn;

namespace {

class NNBuilder : public testing::Test {
protected:
  NNBuilder() {
    context.loadDialect<NNDialect, func::FuncDialect>();
    module = ModuleOp::create(UnknownLoc::get(&context));
  }
  Value argument(ArrayRef<int64_t> shape, Type element) {
    return module->getBody()->addArgument(RankedTensorType::get(shape, element), module->getLoc());
  }
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(NNBuilder, CrossEntropyKeepsStatisticsInF32) {
  Builder types(&context);
  Value logits = argument({2, 3, 8}, types.getBF16Type()), targets = argument({2, 3}, types.getI32Type());
  Value scalars = argument({kNumScalars}, types.getF64Type());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  Value loss = buildCrossEntropy(builder, module->getLoc(), logits, targets, scalars);
  EXPECT_EQ(loss.getType(), RankedTensorType::get({}, types.getF32Type()));
  auto op = loss.getDefiningOp<TokenLossOp>();
  ASSERT_TRUE(op);
  EXPECT_TRUE(succeeded(op.verify()));
  EXPECT_TRUE(succeeded(op.getLse().getDefiningOp<SoftmaxStatsOp>().verify()));
}

TEST_F(NNBuilder, SumOfOneValueIsTheValue) {
  Value a = argument({2}, Builder(&context).getF32Type()), b = argument({2}, Builder(&context).getF32Type());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  EXPECT_EQ(buildSum(builder, module->getLoc(), {}), Value());
  EXPECT_EQ(buildSum(builder, module->getLoc(), {a}), a);
  EXPECT_TRUE(buildSum(builder, module->getLoc(), {a, b}).getDefiningOp<SumOp>());
}

TEST_F(NNBuilder, EqualInitialisersAreOneAttribute) {
  auto normal = [&](double deviation) { return InitAttr::get(&context, InitKind::normal, 0.0, deviation); };
  EXPECT_EQ(normal(0.02), normal(0.02));
  EXPECT_NE(normal(0.02), normal(0.03));
  EXPECT_EQ(normal(0.0), normal(-0.0));
  EXPECT_DOUBLE_EQ(normal(0.02).getB(), 0.02);
}

} // namespace
