//===- SliceTest.cpp - a shard's part of a tensor --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parts of every dimension, uneven and empty, and what lies outside.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {

struct Part {
  int64_t offset, extent;
};

TensorView view(std::vector<int32_t> &data, const std::vector<Part> &parts, const std::vector<int64_t> &global) {
  TensorView result;
  result.dtype = planformat::DType::I32;
  result.rank = static_cast<int>(parts.size());
  int64_t elements = 1;
  for (size_t d = 0; d < parts.size(); ++d) {
    result.offsets[d] = parts[d].offset;
    result.extents[d] = parts[d].extent;
    result.globalExtents[d] = global[d];
    elements *= parts[d].extent;
  }
  data.resize(static_cast<size_t>(elements));
  result.data = data.data();
  return result;
}

Status slice(const TensorView &from, const TensorView &to) {
  KernelRegistry registry;
  registerCpuKernels(registry);
  planformat::Instruction instruction;
  instruction.op = "slice";
  std::unique_ptr<Kernel> kernel;
  if (Status status = registry.create(instruction, "cpu", planformat::DType::I32, kernel); !status.ok())
    return status;
  KernelArgs args;
  args.inputs = {&from, 1};
  args.outputs = {&to, 1};
  return kernel->launch(args);
}

TEST(Slice, EveryPartOfAThreeDimensionalTensor) {
  const std::vector<int64_t> global{3, 4, 5};
  for (int64_t a = 0; a <= 3; ++a)
    for (int64_t b = 0; b <= 4; ++b)
      for (int64_t c = 0; c <= 5; ++c) {
        std::vector<int32_t> whole, part;
        TensorView from = view(whole, {{0, 3}, {0, 4}, {0, 5}}, global);
        std::iota(whole.begin(), whole.end(), 0);
        TensorView to = view(part, {{a, 3 - a}, {b / 2, 4 - b}, {c, 5 - c}}, global);
        ASSERT_TRUE(slice(from, to).ok());
        size_t next = 0;
        for (int64_t i = a; i < 3; ++i)
          for (int64_t j = b / 2; j < b / 2 + 4 - b; ++j)
            for (int64_t k = c; k < 5; ++k)
              ASSERT_EQ(part[next++], (i * 4 + j) * 5 + k);
      }
}

TEST(Slice, OfAShardThatStartsLater) {
  std::vector<int32_t> shard, part;
  TensorView from = view(shard, {{4, 4}}, {8});
  std::iota(shard.begin(), shard.end(), 4);
  ASSERT_TRUE(slice(from, view(part, {{6, 2}}, {8})).ok());
  EXPECT_THAT(part, testing::ElementsAre(6, 7));
}

TEST(Slice, Scalars) {
  std::vector<int32_t> from, to;
  TensorView input = view(from, {}, {});
  from[0] = 7;
  ASSERT_TRUE(slice(input, view(to, {}, {})).ok());
  EXPECT_EQ(to[0], 7);
}

TEST(Slice, RefusesWhatTheRankDoesNotHold) {
  std::vector<int32_t> shard, part;
  Status status = slice(view(shard, {{4, 4}}, {8}), view(part, {{2, 4}}, {8}));
  EXPECT_THAT(status.message(), testing::HasSubstr("outside of what this rank holds in dimension 0"));
}

} // namespace
