//===- KernelErrorsTest.cpp - what the registry and kernels refuse ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Broken plans become a status with a message that names the op and what is wrong.
//
//===----------------------------------------------------------------------===//

#include "test/Conformance/kernels/KernelRunner.h"

#include "modelpar/PlanFormat/Contracts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using planformat::Scalar;

namespace {

using T = Tensor;
using planformat::Attributes;
using testing::HasSubstr;

Status run(const std::string &op, const Attributes &attributes, const Tensors &inputs, Tensors outputs,
           DType dtype = DType::F32) {
  RunOptions options;
  options.dtype = dtype;
  return cpuBackend().run(op, attributes, inputs, outputs, options);
}

void expectError(const Status &status, StatusCode code, const std::string &text) {
  EXPECT_EQ(status.code(), code);
  EXPECT_THAT(status.message(), HasSubstr(text));
}

TEST(KernelErrors, UnknownOp) {
  expectError(run("frobnicate", {}, {}, {}), StatusCode::Unavailable,
              "no kernel for \"frobnicate\" on device \"cpu\" with elements of type f32");
}

TEST(KernelErrors, UnknownElementType) {
  expectError(run("add", {}, {}, {}, DType::BF16), StatusCode::Unavailable, "with elements of type bf16");
}

TEST(KernelErrors, MissingAttribute) {
  expectError(run("layer_norm", {}, {}, {}), StatusCode::Internal, "layer_norm: attribute \"epsilon\" is missing");
}

TEST(KernelErrors, AttributeOfAnotherType) {
  expectError(run("layer_norm", {{"epsilon", std::string("small")}}, {}, {}), StatusCode::Internal,
              "attribute \"epsilon\" has another type");
}

TEST(KernelErrors, UnknownActivation) {
  expectError(run("activation", {{"kind", std::string("mish")}}, {}, {}), StatusCode::Internal,
              "no known activation: \"mish\"");
}

TEST(KernelErrors, WrongNumberOfTensors) {
  T x = T::zeros({2});
  expectError(run("add", {}, {x}, {x}), StatusCode::Internal, "add: expected 2 inputs and 1 outputs, found 1 and 1");
}

TEST(KernelErrors, BiasThatDoesNotDivide) {
  expectError(run("add", {}, {T::zeros({4, 3}), T::zeros({2, 4})}, {T::zeros({4, 3})}), StatusCode::Internal,
              "add: expected 12 elements, found 8");
}

TEST(KernelErrors, PackOfWrongCount) {
  T x = T::zeros({2, 2});
  expectError(run("pack", {{"dim", int64_t(0)}}, {x, x}, {T::zeros({3, 2, 2})}), StatusCode::Internal,
              "pack: expected 3");
}

TEST(KernelErrors, RotaryOfOtherPositions) {
  Attributes attributes = {{"theta", 1e4}, {"inverse", false}};
  T x = T::zeros({2, 3, 4});
  expectError(run("rotary", attributes, {x, T::zeros({2}, T::Kind::Int)}, {x}), StatusCode::Internal,
              "rotary: expected 3 elements, found 2");
  attributes["factor"] = 8.0; // Scaling is all of its attributes or none.
  expectError(run("rotary", attributes, {x, T::zeros({3}, T::Kind::Int)}, {x}), StatusCode::Internal,
              "rotary: attribute \"low_freq_factor\" is missing");
}

TEST(KernelErrors, OrdersOfSequences) {
  T x = T::zeros({2, 6, 2, 4}), y = x.inParts(1, 2), lse = T::zeros({2, 6, 2});
  Attributes attention = {{"causal", true}, {"scale", 1.0}, {"rate", 0.0}, {"dropout_key", int64_t(1)}};
  expectError(run("attention", attention, {y, x, x, T::scalars()}, {x, lse}), StatusCode::Internal,
              "attention: a sequence of 6 has no balanced split into 2 parts");
  expectError(run("attention", attention, {x, y, y, T::scalars()}, {x, lse}), StatusCode::Internal,
              "attention: a sequence of 6 has no balanced split into 2 parts");
  expectError(run("attention_grad", attention, {x, x, y, y, x, lse, T::scalars()}, {x, x, x}), StatusCode::Internal,
              "attention_grad: a sequence of 6 has no balanced split into 2 parts");
  expectError(run("dropout", {{"rate", 0.5}, {"key", int64_t(1)}}, {y, T::scalars()}, {x}), StatusCode::Internal,
              "dropout: a sequence of 6 has no balanced split into 2 parts");
}

TEST(KernelErrors, OrdersOfMasks) {
  T x = T::zeros({2, 8, 2, 4}), y = x.inParts(1, 2), lse = T::zeros({2, 8, 2}), mask = T::zeros({8, 8});
  Attributes attention = {{"causal", true}, {"scale", 1.0}, {"rate", 0.0}, {"dropout_key", int64_t(1)}};
  expectError(run("attention", attention, {y, x, x, T::scalars(), mask}, {x, lse}), StatusCode::Internal,
              "attention: the mask has its queries in 1 parts, the queries are in 2");
  expectError(run("attention_grad", attention, {x, x, x, x, x, lse, T::scalars(), mask.inParts(1, 4)}, {x, x, x}),
              StatusCode::Internal, "attention_grad: the mask has its keys in 4 parts, the keys are in 1");
}

TEST(KernelErrors, MasksOfAttention) {
  T x = T::zeros({2, 6, 2, 4}), lse = T::zeros({2, 6, 2}), scalars = T::scalars();
  Attributes attention = {{"causal", true}, {"scale", 1.0}, {"rate", 0.0}, {"dropout_key", int64_t(1)}};
  auto forward = [&](const T &mask) { return run("attention", attention, {x, x, x, scalars, mask}, {x, lse}); };
  const std::string incomplete = "attention: the mask's shard does not have all of the queries and keys";
  expectError(forward(T::zeros({5, 6})), StatusCode::Internal, incomplete);
  expectError(forward(T::zeros({6, 5})), StatusCode::Internal, incomplete);
  expectError(forward(T::zeros({1, 6, 6})), StatusCode::Internal, incomplete);
  expectError(forward(T::zeros({2, 9, 6}).slice(1, 1, 6)), StatusCode::Internal, incomplete);
  T some = T::zeros({2, 9, 2, 4}).slice(1, 0, 6);
  expectError(run("attention", attention, {x, some, some, scalars, T::zeros({6, 6})}, {x, lse}), StatusCode::Internal,
              "attention: expected a mask with all 9 keys, found one with 6");
  expectError(forward(T::zeros({6})), StatusCode::Internal,
              "attention: expected a mask of f32 with 2 or 3 dimensions, found one of f32 with 1");
  expectError(forward(T::zeros({6, 6}, T::Kind::Int)), StatusCode::Internal,
              "attention: expected a mask of f32 with 2 or 3 dimensions, found one of i32 with 2");
  T mask = T::zeros({6, 6});
  expectError(run("attention", attention, {x, x, x, scalars, mask, mask}, {x, lse}), StatusCode::Internal,
              "attention: expected 4 inputs and 2 outputs, found 6 and 2");
  expectError(run("attention_grad", attention, {x, x, x, x, x, lse, scalars, T::zeros({6, 5})}, {x, x, x}),
              StatusCode::Internal, "attention_grad: the mask's shard does not have all of the queries and keys");
}

TEST(KernelErrors, MergedBlocksOfOtherShapes) {
  T out = T::zeros({2, 3, 4}), lse = T::zeros({2, 3}), other = T::zeros({2, 2, 4}), otherLse = T::zeros({2, 2});
  expectError(run("attention_merge", {}, {out, lse, other, lse}, {out, lse}), StatusCode::Internal,
              "attention_merge: expected 24 elements, found 16");
  expectError(run("attention_merge", {}, {out, lse, out, otherLse}, {out, lse}), StatusCode::Internal,
              "attention_merge: expected 6 elements, found 4");
}

TEST(KernelErrors, Subscripts) {
  for (auto [text, message] : {std::pair<const char *, const char *>{"abc", "expected \"left,right->result\""},
                               {"ab,bc->ad", "'d' is in no operand"},
                               {"ab,bc->aa", "'a' occurs twice in the result"},
                               {"a1,bc->ac", "expected letters, found '1'"},
                               {"abcdefghi,a->b", "more than 8 dimensions"}})
    expectError(run("matmul", {{"subscripts", std::string(text)}}, {}, {}), StatusCode::Internal, message);
  T x = T::zeros({2, 3});
  Attributes plain = {{"subscripts", std::string("ab,bc->ac")}};
  expectError(run("matmul", plain, {x, x}, {x}), StatusCode::Internal, "'b' has extents 3 and 2");
  expectError(run("matmul", plain, {x, T::zeros({3})}, {x}), StatusCode::Internal, "tensor 1 has rank 1");
}

/// Every compute op of the nn dialect has kernels for f32 and f64. There may be more: those that collectives lower to.
TEST(KernelRegistryTest, EveryOpIsThere) {
  KernelRegistry registry;
  registerCpuKernels(registry);
  std::vector<std::string> ops = registry.ops("cpu");
  for (const char *op : {"activation",
                         "activation_grad",
                         "adamw",
                         "add",
                         "attention",
                         "attention_grad",
                         "attention_merge",
                         "clip_scale",
                         "dropout",
                         "embedding",
                         "embedding_grad",
                         "layer_norm",
                         "layer_norm_input_grad",
                         "layer_norm_weight_grad",
                         "matmul",
                         "mul",
                         "pack",
                         "reduce_sum",
                         "rms_norm",
                         "rms_norm_input_grad",
                         "rms_norm_weight_grad",
                         "rotary",
                         "sgd",
                         "softmax_stats",
                         "softmax_stats_grad",
                         "squared_error",
                         "squared_error_grad",
                         "sum",
                         "sum_squares",
                         "token_loss",
                         "token_loss_grad",
                         "unpack"})
    EXPECT_THAT(ops, testing::Contains(op));
}

TEST(KernelErrors, EveryKernelHasAContract) {
  // Without one the plan verifier lets any operands through.
  KernelRegistry registry;
  registerCpuKernels(registry);
  EXPECT_GT(registry.ops("cpu").size(), 20u);
  for (const std::string &op : registry.ops("cpu"))
    EXPECT_TRUE(planformat::hasContract(op)) << op;
}

} // namespace
