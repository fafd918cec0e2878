//===- ContractsTest.cpp - what kernels take and give ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractTesting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::planformat;
using testing::HasSubstr;

namespace {

TEST(Contracts, NumberOfOperands) {
  EXPECT_EQ(errorOf("add", {f32({4, 8}), f32({8})}, {f32({4, 8})}), "");
  EXPECT_EQ(errorOf("add", {f32({4, 8})}, {f32({4, 8})}), "has 1 inputs and 1 outputs, expected 2 and 1");
  EXPECT_EQ(errorOf("sum", {f32({4}), f32({4}), f32({4})}, {f32({4})}), "");
  EXPECT_EQ(errorOf("sum", {}, {f32({4})}), "");
  EXPECT_EQ(errorOf("sum_squares", {}, {f32({})}), "has 0 inputs and 1 outputs, expected one or more and 1");
}

TEST(Contracts, AnUnknownKernelIsTheRegistrysBusiness) {
  EXPECT_FALSE(hasContract("negate"));
  EXPECT_EQ(errorOf("negate", {}, {}), "");
}

TEST(Contracts, ExtentsWrittenAlikeAreTheSame) {
  // The right operand is the last dimensions of the left one.
  EXPECT_THAT(errorOf("add", {f32({4, 8}), f32({4})}, {f32({4, 8})}),
              HasSubstr("input 0 has type f32[4x8] [{}, {}], expected dimensions 1 to 1 as in input 1, f32[4] [{}]"));
  EXPECT_THAT(errorOf("mul", {f32({4, 8}), f32({8})}, {f32({4, 8})}),
              HasSubstr("input 1 has type f32[8] [{}], expected 2 dimensions"));
  EXPECT_THAT(errorOf("rms_norm", {f32({4, 8}), f32({8})}, {f32({4, 8}), f32({8})}, {{"epsilon", 1e-5}}),
              HasSubstr("output 1 has type f32[8] [{}], expected dimensions 0 to 0 as in input 0"));
  EXPECT_THAT(errorOf("embedding", {of(DType::I32, f32({4})), f32({8})}, {f32({4, 8})}),
              HasSubstr("input 1 has type f32[8] [{}], expected 2 dimensions"));
}

TEST(Contracts, AndAreSplitAlike) {
  const TensorType rows = split(f32({4, 8}), 0, over("dp"));
  EXPECT_EQ(errorOf("mul", {rows, rows}, {rows}), "");
  EXPECT_THAT(errorOf("mul", {rows, f32({4, 8})}, {rows}), HasSubstr("input 1 has type f32[4x8] [{}, {}], expected"));
}

TEST(Contracts, Elements) {
  const TensorType i32 = of(DType::I32, f32({4})), f64 = of(DType::F64, f32({4}));
  EXPECT_THAT(errorOf("activation", {i32}, {i32}, {{"kind", std::string("relu")}}),
              HasSubstr("input 0 has type i32[4] [{}], expected floats"));
  EXPECT_THAT(errorOf("mul", {f32({4}), f64}, {f32({4})}),
              HasSubstr("input 1 has type f64[4] [{}], expected elements f32"));
  EXPECT_THAT(errorOf("embedding", {f32({4}), f32({8, 2})}, {f32({4, 2})}), HasSubstr("expected integers"));
  EXPECT_THAT(errorOf("clip_scale", {f32({}), f32({16})}, {f32({}), f32({})}),
              HasSubstr("input 1 has type f32[16] [{}], expected the step's scalars, f64[16]"));
  // Statistics of f64 are f64, of smaller floats f32.
  EXPECT_EQ(errorOf("softmax_stats", {of(DType::BF16, f32({2, 4})), of(DType::I64, f32({2}))}, {f32({2}), f32({2})}),
            "");
  EXPECT_THAT(errorOf("softmax_stats", {of(DType::F64, f32({2, 4})), of(DType::I64, f32({2}))}, {f32({2}), f32({2})}),
              HasSubstr("output 0 has type f32[2] [{}], expected elements f64"));
}

TEST(Contracts, Subscripts) {
  auto matmul = [](const char *subscripts) {
    return errorOf("matmul", {f32({4, 8}), f32({8, 2})}, {f32({4, 2})}, {{"subscripts", std::string(subscripts)}});
  };
  EXPECT_EQ(matmul("ab,bc->ac"), "");
  EXPECT_EQ(matmul("ab,bc"), "subscripts \"ab,bc\", expected the form \"ab,bc->ac\"");
  EXPECT_THAT(matmul("aa,bc->ac"), HasSubstr("expected different letters for each tensor"));
  EXPECT_THAT(matmul("ab,bc->ad"), HasSubstr("'c' is in one tensor alone"));
  EXPECT_THAT(matmul("ab,cb->ac"), HasSubstr("input 1 has type f32[8x2] [{}, {}], expected dimensions 1 to 1"));
  EXPECT_THAT(errorOf("matmul", {f32({4, 8}), f32({8, 2})}, {f32({4, 2})}), HasSubstr("\"subscripts\" is missing"));
}

TEST(Contracts, AttributesHaveTypesAndRanges) {
  auto norm = [](Attributes attributes) {
    return errorOf("rms_norm", {f32({4, 8}), f32({8})}, {f32({4, 8}), f32({4})}, std::move(attributes));
  };
  EXPECT_EQ(norm({{"epsilon", 1e-5}}), "");
  EXPECT_EQ(norm({{"epsilon", int64_t{0}}}), "");
  EXPECT_EQ(norm({}), "attribute \"epsilon\" is missing");
  EXPECT_EQ(norm({{"epsilon", std::string("x")}}), "attribute \"epsilon\" is of another type, expected a number");
  EXPECT_THAT(norm({{"epsilon", -1.0}}), HasSubstr("attribute \"epsilon\" is -1.000000, out of its range"));
  EXPECT_THAT(errorOf("activation", {f32({4})}, {f32({4})}, {{"kind", std::string("square")}}),
              HasSubstr("has kind \"square\", expected relu"));
  EXPECT_THAT(errorOf("dropout", {f32({4}), kScalars}, {f32({4})}, {{"rate", 1.0}, {"key", int64_t{0}}}),
              HasSubstr("attribute \"rate\" is 1.000000, out of its range"));
}

TEST(Contracts, AttentionHasGroupsOrNoneAndAMaskOrNone) {
  const TensorType q = f32({2, 4, 3, 8}), k = f32({2, 5, 3, 8}), lse = f32({2, 4, 3});
  const TensorType grouped = f32({2, 4, 3, 2, 8}), groupedLse = f32({2, 4, 3, 2});
  EXPECT_EQ(errorOf("attention", {q, k, k, kScalars}, {q, lse}, attention()), "");
  EXPECT_EQ(errorOf("attention", {grouped, k, k, kScalars}, {grouped, groupedLse}, attention()), "");
  EXPECT_EQ(errorOf("attention", {q, k, k, kScalars, f32({4, 5})}, {q, lse}, attention()), "");
  EXPECT_EQ(errorOf("attention", {q, k, k, kScalars, f32({2, 4, 5})}, {q, lse}, attention()), "");
  EXPECT_NE(errorOf("attention", {q, k, k, kScalars, f32({5, 4})}, {q, lse}, attention()), "");
  EXPECT_NE(errorOf("attention", {grouped, k, k, kScalars}, {grouped, lse}, attention()), "");
}

TEST(Contracts, KeysAndValuesOfAttentionAreOnePart) {
  // A ring passes them on in step.
  const TensorType q = split(f32({2, 4, 3, 8}), 1, over("cp")), lse = split(f32({2, 4, 3}), 1, over("cp"));
  const TensorType k = split(f32({2, 4, 3, 8}), 1, over("cp", 1));
  EXPECT_EQ(errorOf("attention", {q, k, k, kScalars}, {q, lse}, attention()), "");
  EXPECT_THAT(
      errorOf("attention", {q, k, q, kScalars}, {q, lse}, attention()),
      HasSubstr("input 2 has type f32[2x4x3x8] [{}, {\"cp\"}, {}, {}], expected dimensions 1 to 1 as in input 1"));
  EXPECT_EQ(errorOf("attention_grad", {q, q, k, k, q, lse, kScalars}, {q, k, k}, attention()), "");
  EXPECT_THAT(errorOf("attention_grad", {q, q, k, k, q, lse, kScalars}, {q, k, q}, attention()), HasSubstr("output 2"));
}

TEST(Contracts, AMemberForEachPlaceOfThePackedDimension) {
  const Attributes dim{{"dim", int64_t{1}}};
  EXPECT_EQ(errorOf("unpack", {f32({4, 2, 8})}, {f32({4, 8}), f32({4, 8})}, dim), "");
  EXPECT_THAT(errorOf("unpack", {f32({4, 2, 8})}, {f32({4, 8})}, dim),
              HasSubstr("has 1 members along a dimension of 2"));
  EXPECT_THAT(errorOf("pack", {f32({4, 8}), f32({4, 4})}, {f32({4, 2, 8})}, dim),
              HasSubstr("has a member of another type"));
  EXPECT_THAT(errorOf("pack", {f32({4, 8})}, {f32({4})}, dim), HasSubstr("has no dim from 0 to 0"));
}

TEST(Contracts, ASliceIsInsideOfWhatARankHolds) {
  const TensorType whole = f32({8, 8}), rows = split(whole, 0, over("dp")), columns = split(whole, 1, over("dp"));
  EXPECT_EQ(errorOf("slice", {whole}, {rows}), "");
  EXPECT_THAT(errorOf("slice", {rows}, {columns}), HasSubstr("takes a part of dimension 0 that is outside"));
  EXPECT_THAT(errorOf("slice", {whole}, {f32({8})}), HasSubstr("of another element type or shape"));
}

/// Queries and keys may have two orders, keys and values one.
TEST(Contracts, OrdersOfSequences) {
  std::vector<sharding::AxisRef> balanced = over("dp");
  balanced[0].balanced = true;
  const TensorType q = f32({2, 8, 3, 8}), lse = f32({2, 8, 3}), dealt = split(q, 1, balanced),
                   kept = split(q, 1, over("dp")), rows = split(lse, 1, balanced);
  EXPECT_EQ(errorOf("attention", {dealt, dealt, dealt, kScalars}, {dealt, rows}, attention()), "");
  EXPECT_EQ(errorOf("attention", {dealt, kept, kept, kScalars}, {dealt, rows}, attention()), "");
  EXPECT_NE(errorOf("attention", {dealt, kept, dealt, kScalars}, {dealt, rows}, attention()), "");
  EXPECT_NE(errorOf("attention", {dealt, kept, kept, kScalars}, {kept, rows}, attention()), "");
  EXPECT_NE(errorOf("add", {dealt, kept}, {dealt}), "");
}

TEST(Contracts, SumsOverMicroBatches) {
  EXPECT_TRUE(canAccumulate(DType::BF16, DType::F32));
  EXPECT_TRUE(canAccumulate(DType::F64, DType::F64));
  EXPECT_FALSE(canAccumulate(DType::BF16, DType::BF16));
  EXPECT_FALSE(canAccumulate(DType::I32, DType::F32));
}

} // namespace
