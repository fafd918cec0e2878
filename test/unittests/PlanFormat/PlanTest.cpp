//===- PlanTest.cpp - sizes, names, hash ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SmallPlan.h"
#include "lib/PlanFormat/Sha256.h"
#include "modelpar/PlanFormat/Workspace.h"
#include "modelpar/PlanFormat/Writer.h"

#include <gtest/gtest.h>

namespace {
using namespace modelpar;
using namespace modelpar::planformat;

TEST(Plan, DTypesHaveNamesAndSizes) {
  for (DType type : {DType::F32, DType::F64, DType::BF16, DType::F16, DType::I32, DType::I64})
    EXPECT_EQ(parseDType(name(type)), type);
  EXPECT_EQ(parseDType("f8"), std::nullopt);
  EXPECT_EQ(byteSize(DType::BF16), 2);
  EXPECT_EQ(byteSize(DType::F64), 8);
}

TEST(Plan, MaxShardBytesIsTheLargestShard) {
  sharding::Mesh mesh({{"dp", 2}, {"tp", 4}});
  TensorType type{DType::F32, {10, 6}, {{{mesh.axis("tp")}, {mesh.axis("dp")}}, {}}};
  EXPECT_EQ(maxShardBytes(type), 3 * 3 * 4);
  type.shape = {0, 6};
  EXPECT_EQ(maxShardBytes(type), 0);
  type = {DType::F32, {int64_t{1} << 40, int64_t{1} << 40}, {{{}, {}}, {}}};
  EXPECT_EQ(maxShardBytes(type), std::numeric_limits<int64_t>::max());
}

TEST(Plan, Sha256KnownAnswers) {
  EXPECT_EQ(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256Hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Plan, DigestFollowsContent) {
  Plan plan = smallPlan();
  uint64_t digest = planDigest(plan);
  EXPECT_EQ(digest, planDigest(smallPlan()));
  plan.stages[0].programs[0].body.instructions[0].stream = 1;
  EXPECT_NE(digest, planDigest(plan));
}

TEST(Workspace, OnlyWhereKernelsAskForIt) {
  TensorType matrix{DType::F32, {8, 8}, {{{}, {}}, {}}};
  EXPECT_EQ(workspaceBytes("add", "cpu", {}, {matrix, matrix}, {matrix}), 0);
  EXPECT_EQ(workspaceBytes("add", "cuda", {}, {matrix, matrix}, {matrix}), 0);
  EXPECT_GT(workspaceBytes("matmul", "cuda", {}, {matrix, matrix}, {matrix}), 0);
}

} // namespace
