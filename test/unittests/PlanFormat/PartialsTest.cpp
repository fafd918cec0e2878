//===- PartialsTest.cpp - what kernels make of partial values -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By hand, kernel by kernel; test/unittests/NN/ShardingRuleTest.cpp compares all contracts with the rules of their ops.
//
//===----------------------------------------------------------------------===//

#include "ContractTesting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::planformat;
using sharding::ReduceKind;
using testing::HasSubstr;

namespace {

const TensorType kRows = f32({4, 8}), kWeight = f32({8, 2}), kProduct = f32({4, 2}), kScalar = f32({});
const TensorType kIds = of(DType::I32, f32({4})), kStatistics = f32({4});

std::string matmul(const TensorType &lhs, const TensorType &rhs, const TensorType &result) {
  return errorOf("matmul", {lhs, rhs}, {result}, {{"subscripts", std::string("bd,df->bf")}});
}

//===----------------------------------------------------------------------===//
// Products and sums
//===----------------------------------------------------------------------===//

TEST(Partials, AProductOverASplitDimensionIsPartial) {
  const TensorType lhs = split(kRows, 1, over("tp")), rhs = split(kWeight, 0, over("tp"));
  EXPECT_EQ(matmul(lhs, rhs, partial(kProduct, "tp")), "");
  EXPECT_THAT(
      matmul(lhs, rhs, kProduct),
      HasSubstr("output 0 has type f32[4x2] [{}, {}], expected it partial over tp (sum): input 0 is split along "
                "what is reduced"));
  EXPECT_THAT(matmul(lhs, rhs, partial(kProduct, "tp", ReduceKind::Max)),
              HasSubstr("expected it partial over tp (sum)"));
  EXPECT_THAT(matmul(lhs, rhs, partial(kProduct, "dp")), HasSubstr("expected it partial over tp (sum)"));
  EXPECT_THAT(matmul(lhs, rhs, partial(partial(kProduct, "tp"), "dp")), HasSubstr("expected it partial over tp (sum)"));
}

TEST(Partials, AProductOfWholeOperandsIsWhole) {
  EXPECT_EQ(matmul(kRows, kWeight, kProduct), "");
  EXPECT_THAT(
      matmul(kRows, kWeight, partial(kProduct, "tp")),
      HasSubstr("partial={\"tp\":sum}, expected it whole: no input is partial, or split along what is reduced"));
  // What is split and kept is not summed.
  const TensorType rows = split(kRows, 0, over("dp"));
  EXPECT_EQ(matmul(rows, kWeight, split(kProduct, 0, over("dp"))), "");
}

TEST(Partials, ASumPassesThroughOneSideOfAProduct) {
  const TensorType lhs = partial(kRows, "dp"), rhs = partial(kWeight, "dp");
  EXPECT_EQ(matmul(lhs, kWeight, partial(kProduct, "dp")), "");
  EXPECT_EQ(matmul(kRows, rhs, partial(kProduct, "dp")), "");
  EXPECT_THAT(matmul(lhs, kWeight, kProduct), HasSubstr("expected it partial over dp (sum): an input is partial"));
  EXPECT_THAT(matmul(lhs, rhs, partial(kProduct, "dp")),
              HasSubstr("input 1 is partial over dp (sum), as is input 0, and they are multiplied"));
  EXPECT_THAT(errorOf("mul", {lhs, partial(kRows, "tp")}, {lhs}), HasSubstr("and they are multiplied"));
  EXPECT_THAT(matmul(partial(kRows, "dp", ReduceKind::Lse), kWeight, partial(kProduct, "dp", ReduceKind::Lse)),
              HasSubstr("input 0 is partial over dp (lse), expected it whole: only a sum may pass through a kernel"));
}

TEST(Partials, ASumPassesBesideASplitDimension) {
  const TensorType lhs = partial(split(kRows, 1, over("tp")), "dp"), rhs = split(kWeight, 0, over("tp"));
  EXPECT_EQ(matmul(lhs, rhs, partial(partial(kProduct, "dp"), "tp")), "");
  EXPECT_THAT(matmul(lhs, rhs, partial(kProduct, "tp")), HasSubstr("expected it partial over dp (sum), tp (sum)"));
  // Each rank would have its own columns of another rank's contribution.
  EXPECT_THAT(matmul(partial(kRows, "tp"), split(kWeight, 1, over("tp")), split(kProduct, 1, over("tp"))),
              HasSubstr("input 0 is partial over tp (sum), and input 1 is split over tp"));
}

TEST(Partials, WhatIsAddedIsPartialAlike) {
  const TensorType dp = partial(kRows, "dp"), tp = partial(kRows, "tp"), bias = f32({8});
  EXPECT_EQ(errorOf("add", {dp, dp}, {dp}), "");
  EXPECT_EQ(errorOf("add", {dp, partial(bias, "dp")}, {dp}), "");
  EXPECT_THAT(errorOf("add", {dp, bias}, {dp}),
              HasSubstr("input 1 is whole, input 0 is partial over dp (sum), and they are added: expected both partial "
                        "over the same axes"));
  EXPECT_THAT(errorOf("add", {kRows, dp}, {dp}), HasSubstr("and they are added"));
  EXPECT_THAT(errorOf("add", {dp, tp}, {dp}), HasSubstr("and they are added"));
  EXPECT_EQ(errorOf("sum", {dp, dp, dp}, {dp}), "");
  EXPECT_THAT(errorOf("sum", {dp, dp, kRows}, {dp}), HasSubstr("input 2 is whole, input 0 is partial over dp"));
  EXPECT_THAT(errorOf("sum", {dp, dp}, {kRows}), HasSubstr("expected it partial over dp (sum)"));
}

TEST(Partials, ASumOverRowsThatAreSplit) {
  const TensorType rows = split(kRows, 0, {{"dp", 1, 2}, {"mb", 1, 4}}), bias = f32({8});
  TensorType sum = bias;
  sum.sharding.partial = {{{"mb", 1, 4}}, {{"dp", 1, 2}}};
  EXPECT_EQ(errorOf("reduce_sum", {rows}, {sum}), "");
  EXPECT_THAT(errorOf("reduce_sum", {rows}, {partial(bias, "dp")}), HasSubstr("expected it partial over dp (sum), mb"));
  EXPECT_THAT(errorOf("reduce_sum", {rows}, {bias}), HasSubstr("expected it partial"));
  const TensorType columns = split(kRows, 1, over("tp"));
  EXPECT_EQ(errorOf("reduce_sum", {columns}, {split(bias, 0, over("tp"))}), "");
}

/// Two parts of an axis are the axis, in whatever order they stand.
TEST(Partials, PartsOfAnAxisJoin) {
  const sharding::AxisRef major{"tp", 1, 2}, minor{"tp", 2, 2}, both{"tp", 1, 4};
  const TensorType lhs = split(kRows, 1, {major, minor}), rhs = split(kWeight, 0, {both});
  TensorType joined = kProduct, apart = kProduct, half = kProduct;
  joined.sharding.partial = {{both}};
  apart.sharding.partial = {{major}, {minor}};
  half.sharding.partial = {{minor}};
  EXPECT_EQ(matmul(lhs, rhs, joined), "");
  EXPECT_EQ(matmul(lhs, rhs, apart), "");
  EXPECT_THAT(matmul(lhs, rhs, half), HasSubstr("expected it partial over tp (sum)"));
}

TEST(Partials, LayoutsPassSums) {
  const TensorType packed = partial(f32({4, 2, 8}), "dp"), member = partial(kRows, "dp");
  const Attributes dim{{"dim", int64_t{1}}};
  EXPECT_EQ(errorOf("unpack", {packed}, {member, member}, dim), "");
  EXPECT_THAT(errorOf("unpack", {packed}, {member, kRows}, dim), HasSubstr("output 1 has type"));
  EXPECT_EQ(errorOf("pack", {member, member}, {packed}, dim), "");
  EXPECT_THAT(errorOf("pack", {member, kRows}, {packed}, dim), HasSubstr("and they are added"));
  EXPECT_EQ(errorOf("slice", {member}, {split(member, 0, over("tp"))}), "");
  EXPECT_THAT(errorOf("slice", {member}, {split(kRows, 0, over("tp"))}), HasSubstr("expected it partial over dp"));
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// Every operand of these, one after the other.
TEST(Partials, KernelsThatAreLinearInNothing) {
  struct Case {
    const char *op;
    std::vector<TensorType> inputs, outputs;
    Attributes attributes = {};
  };
  const TensorType q = f32({2, 4, 3, 8}), lse = f32({2, 4, 3}), width = f32({8});
  const std::vector<Case> cases = {
      {"activation", {kRows}, {kRows}, {{"kind", std::string("gelu")}}},
      {"layer_norm", {kRows, width, width}, {kRows, kStatistics, kStatistics}, {{"epsilon", 1e-5}}},
      {"rms_norm", {kRows, width}, {kRows, kStatistics}, {{"epsilon", 1e-5}}},
      {"attention", {q, q, q, kScalars}, {q, lse}, attention()},
      {"attention_merge", {q, lse, q, lse}, {q, lse}},
      {"softmax_stats", {kRows, kIds}, {kStatistics, kStatistics}},
      {"token_loss", {kStatistics, kStatistics, kIds, kScalars}, {kScalar}},
      {"token_loss_grad", {kIds, kScalars}, {kStatistics, kStatistics}},
      {"squared_error", {kRows, kRows}, {kScalar}},
      {"squared_error_grad", {kRows, kRows}, {kRows}},
      {"sum_squares", {kRows, width}, {kScalar}},
      {"clip_scale", {kScalar, kScalars}, {kScalar, kScalar}},
      {"adamw", {kRows, kRows, kRows, kRows, kScalar, kScalars}, {kRows, kRows, kRows}, {{"weight_decay", true}}},
      {"sgd", {kRows, kRows, kScalar, kScalars}, {kRows}, {{"weight_decay", true}}}};
  for (const Case &each : cases) {
    EXPECT_EQ(errorOf(each.op, each.inputs, each.outputs, each.attributes), "") << each.op;
    for (size_t n = 0; n < each.inputs.size(); ++n) {
      std::vector<TensorType> inputs = each.inputs;
      inputs[n] = partial(inputs[n], "tp");
      EXPECT_EQ(errorOf(each.op, inputs, each.outputs, each.attributes),
                "input " + std::to_string(n) + " is partial over tp (sum), expected it whole: a reduction is missing")
          << each.op;
    }
    for (size_t n = 0; n < each.outputs.size(); ++n) {
      std::vector<TensorType> outputs = each.outputs;
      outputs[n] = partial(outputs[n], "tp");
      EXPECT_THAT(errorOf(each.op, each.inputs, outputs, each.attributes), HasSubstr("expected it whole")) << each.op;
    }
  }
}

TEST(Partials, GradientsAreLinearInTheGradient) {
  const TensorType grad = partial(kRows, "dp"), width = f32({8});
  const Attributes gelu{{"kind", std::string("gelu")}};
  EXPECT_EQ(errorOf("activation_grad", {grad, kRows}, {grad}, gelu), "");
  EXPECT_THAT(errorOf("activation_grad", {kRows, grad}, {grad}, gelu), HasSubstr("input 1 is partial over dp"));
  EXPECT_THAT(errorOf("activation_grad", {grad, kRows}, {kRows}, gelu), HasSubstr("expected it partial over dp (sum)"));
  EXPECT_EQ(errorOf("rms_norm_input_grad", {grad, kRows, width, kStatistics}, {grad}), "");
  EXPECT_THAT(errorOf("rms_norm_input_grad", {grad, grad, width, kStatistics}, {grad}),
              HasSubstr("input 1 is partial over dp (sum), expected it whole"));
  EXPECT_EQ(errorOf("layer_norm_input_grad", {grad, kRows, width, kStatistics, kStatistics}, {grad}), "");
  const Attributes dropout{{"rate", 0.5}, {"key", int64_t{1}}};
  EXPECT_EQ(errorOf("dropout", {grad, kScalars}, {grad}, dropout), "");
  EXPECT_THAT(errorOf("dropout", {grad, kScalars}, {kRows}, dropout), HasSubstr("expected it partial over dp (sum)"));
  const TensorType stats = partial(kStatistics, "dp");
  EXPECT_EQ(errorOf("softmax_stats_grad", {kRows, kIds, kStatistics, stats, stats}, {grad}), "");
  EXPECT_THAT(errorOf("softmax_stats_grad", {kRows, kIds, kStatistics, stats, kStatistics}, {grad}),
              HasSubstr("input 4 is whole, input 3 is partial over dp (sum), and they are added"));
}

TEST(Partials, GradientsOfWeightsSumOverRows) {
  const TensorType rows = split(kRows, 0, over("dp")), stats = split(kStatistics, 0, over("dp")), width = f32({8});
  const TensorType sum = partial(width, "dp");
  EXPECT_EQ(errorOf("rms_norm_weight_grad", {rows, rows, stats}, {sum}), "");
  EXPECT_THAT(errorOf("rms_norm_weight_grad", {rows, rows, stats}, {width}), HasSubstr("partial over dp (sum)"));
  EXPECT_EQ(errorOf("layer_norm_weight_grad", {rows, rows, stats, stats}, {sum, sum}), "");
  EXPECT_THAT(errorOf("layer_norm_weight_grad", {rows, rows, stats, stats}, {sum, width}),
              HasSubstr("output 1 has type f32[8] [{}], expected it partial over dp (sum)"));
}

TEST(Partials, ANormNeedsItsWholeWidth) {
  const TensorType columns = split(kRows, 1, over("tp")), width = split(f32({8}), 0, over("tp"));
  EXPECT_THAT(errorOf("rms_norm", {columns, width}, {columns, kStatistics}, {{"epsilon", 1e-5}}),
              HasSubstr("input 0 has type f32[4x8] [{}, {\"tp\"}], expected dimension 1 whole"));
  EXPECT_EQ(errorOf("rms_norm_weight_grad", {columns, columns, kStatistics}, {width}), "");
  const TensorType heads = split(f32({2, 4, 3, 8}), 3, over("tp"));
  EXPECT_THAT(errorOf("rotary", {heads, kIds}, {heads}, {{"theta", 1e4}, {"inverse", false}}),
              HasSubstr("expected dimension 3 whole"));
}

TEST(Partials, ATableSplitOverItsVocabularyGivesPartialRows) {
  const TensorType table = f32({16, 8}), part = split(table, 0, over("tp"));
  EXPECT_EQ(errorOf("embedding", {kIds, part}, {partial(kRows, "tp")}), "");
  EXPECT_THAT(errorOf("embedding", {kIds, part}, {kRows}), HasSubstr("expected it partial over tp (sum)"));
  EXPECT_THAT(errorOf("embedding", {kIds, table}, {partial(kRows, "tp")}), HasSubstr("expected it whole"));
  EXPECT_THAT(errorOf("embedding", {partial(kIds, "tp"), table}, {kRows}), HasSubstr("input 0 is partial"));
  // Its gradient needs no reduction over the vocabulary, but one over the ids.
  const TensorType ids = split(kIds, 0, over("dp")), grad = split(kRows, 0, over("dp"));
  EXPECT_EQ(errorOf("embedding_grad", {grad, ids}, {partial(part, "dp")}), "");
  EXPECT_THAT(errorOf("embedding_grad", {grad, ids}, {part}), HasSubstr("expected it partial over dp (sum)"));
  EXPECT_THAT(errorOf("embedding_grad", {grad, ids}, {partial(partial(part, "dp"), "mb")}), HasSubstr("over dp (sum)"));
}

TEST(Partials, KeysGoRoundTheRanksOfTheQueries) {
  const TensorType whole = f32({2, 4, 3, 8}), q = split(whole, 1, over("cp")), k = split(whole, 1, over("cp", 1));
  const TensorType lse = split(f32({2, 4, 3}), 1, over("cp")), other = split(whole, 1, over("tp"));
  EXPECT_EQ(errorOf("attention", {q, k, k, kScalars}, {q, lse}, attention()), "");
  EXPECT_THAT(errorOf("attention", {q, other, other, kScalars}, {q, lse}, attention()),
              HasSubstr("split over tp, expected only axes that input 0 is split over"));
  EXPECT_THAT(errorOf("attention", {whole, k, k, kScalars}, {whole, f32({2, 4, 3})}, attention()),
              HasSubstr("input 1 has type"));
  // A mask does not go round.
  const TensorType mask = split(split(f32({4, 4}), 0, over("cp")), 1, over("cp", 1));
  EXPECT_THAT(errorOf("attention", {q, k, k, kScalars, mask}, {q, lse}, attention()),
              HasSubstr("input 1 has type f32[2x4x3x8] [{}, {\"cp\"+1}, {}, {}], expected dimension 1 whole"));
}

TEST(Partials, GradientsOfKeysSumOverQueries) {
  const TensorType whole = f32({2, 4, 3, 8}), q = split(whole, 1, over("cp")), k = split(whole, 1, over("cp", 1));
  const TensorType lse = split(f32({2, 4, 3}), 1, over("cp")), sum = partial(whole, "cp");
  auto grad = [&](const TensorType &key, const TensorType &result) {
    return errorOf("attention_grad", {q, q, key, key, q, lse, kScalars}, {q, result, result}, attention());
  };
  EXPECT_EQ(grad(whole, sum), "");
  EXPECT_THAT(grad(whole, whole), HasSubstr("output 1 has type f32[2x4x3x8] [{}, {}, {}, {}], expected it partial over "
                                            "cp (sum): input 0 is split along what is reduced"));
  EXPECT_EQ(grad(k, k), ""); // The part's sum goes round with it.
  EXPECT_THAT(grad(k, partial(k, "dp")), HasSubstr("expected it whole"));
}

//===----------------------------------------------------------------------===//
// Losses and norms
//===----------------------------------------------------------------------===//

TEST(Partials, StatisticsOverASplitVocabularyJoinByTheirKinds) {
  const TensorType logits = split(kRows, 1, over("tp"));
  const TensorType lse = partial(kStatistics, "tp", ReduceKind::Lse), target = partial(kStatistics, "tp");
  EXPECT_EQ(errorOf("softmax_stats", {logits, kIds}, {lse, target}), "");
  EXPECT_THAT(errorOf("softmax_stats", {logits, kIds}, {target, target}),
              HasSubstr("output 0 has type f32[4] [{}], partial={\"tp\":sum}, expected it partial over tp (lse)"));
  EXPECT_THAT(errorOf("softmax_stats", {logits, kIds}, {lse, lse}), HasSubstr("expected it partial over tp (sum)"));
  EXPECT_THAT(errorOf("softmax_stats", {logits, kIds}, {kStatistics, target}), HasSubstr("output 0 has type"));
  EXPECT_EQ(errorOf("softmax_stats_grad", {logits, kIds, kStatistics, kStatistics, kStatistics}, {logits}), "");
  EXPECT_THAT(errorOf("softmax_stats_grad", {logits, kIds, lse, kStatistics, kStatistics}, {logits}),
              HasSubstr("input 2 is partial over tp (lse)"));
}

TEST(Partials, LossesSumOverWhatIsSplit) {
  const TensorType stats = split(kStatistics, 0, over("dp")), ids = split(kIds, 0, over("dp"));
  EXPECT_EQ(errorOf("token_loss", {stats, stats, ids, kScalars}, {partial(kScalar, "dp")}), "");
  EXPECT_THAT(errorOf("token_loss", {stats, stats, ids, kScalars}, {kScalar}), HasSubstr("partial over dp (sum)"));
  const TensorType rows = split(kRows, 0, over("dp")), block = split(rows, 1, over("tp"));
  EXPECT_EQ(errorOf("squared_error", {block, block}, {partial(partial(kScalar, "dp"), "tp")}), "");
  EXPECT_THAT(errorOf("squared_error", {block, block}, {partial(kScalar, "dp")}), HasSubstr("dp (sum), tp (sum)"));
}

TEST(Partials, SquaresSumOverOperandsThatAreSplitAlike) {
  const TensorType rows = split(kRows, 0, over("tp")), vector = split(f32({16}), 0, over("tp"));
  EXPECT_EQ(errorOf("sum_squares", {rows, vector}, {partial(kScalar, "tp")}), "");
  EXPECT_THAT(errorOf("sum_squares", {rows, vector}, {kScalar}), HasSubstr("expected it partial over tp (sum)"));
  EXPECT_THAT(errorOf("sum_squares", {rows, f32({16})}, {partial(kScalar, "tp")}),
              HasSubstr("input 1 has type f32[16] [{}], input 0 has type f32[4x8] [{\"tp\"}, {}]: expected both split "
                        "over the same axes, they make one sum"));
}

TEST(Partials, SumsOverStages) {
  // What a stage has is its contribution, and nothing is zero everywhere.
  EXPECT_EQ(errorOf("sum", {kScalar}, {partial(kScalar, "pp")}), "");
  EXPECT_EQ(errorOf("sum", {partial(kScalar, "tp")}, {partial(partial(kScalar, "pp"), "tp")}), "");
  EXPECT_EQ(errorOf("sum", {}, {partial(partial(kScalar, "pp"), "tp")}), "");
  EXPECT_THAT(errorOf("sum", {kScalar}, {partial(kScalar, "pp", ReduceKind::Max)}), HasSubstr("expected it whole"));
  EXPECT_THAT(errorOf("sum", {}, {partial(kScalar, "tp", ReduceKind::Lse)}), HasSubstr("expected it whole"));
  EXPECT_THAT(errorOf("sum_squares", {kScalar}, {partial(kScalar, "pp")}), HasSubstr("expected it whole"));
  EXPECT_THAT(matmul(kRows, kWeight, partial(kProduct, "pp")), HasSubstr("expected it whole"));
  EXPECT_THAT(errorOf("sum", {partial(kScalar, "pp")}, {kScalar}), HasSubstr("expected it partial over pp (sum)"));
}

} // namespace
