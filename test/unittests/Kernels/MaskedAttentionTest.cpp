//===- MaskedAttentionTest.cpp - attention with a mask that is data --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mask must not change, what it must, and its shards. (Values are checked by
// test/Conformance, gradients by GradientTest.)
//
//===----------------------------------------------------------------------===//

#include "test/Conformance/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;

namespace {

using T = Tensor;
constexpr double kFloatTolerance = 2e-5, kDoubleTolerance = 1e-12;

/// Two samples of 150 queries and keys: more than a tile of each.
struct Problem {
  static constexpr int64_t kSize = 150;
  T q = T::reals({2, kSize, 2, 3, 4}, 1), k = T::reals({2, kSize, 2, 4}, 2), v = T::reals({2, kSize, 2, 4}, 3),
    grad = T::reals({2, kSize, 2, 3, 4}, 4), row = T::zeros({2, kSize, 2, 3}), scalars = T::scalars();
  planformat::Attributes attributes;

  explicit Problem(bool causal, double rate = 0)
      : attributes{{"causal", causal}, {"scale", 0.5}, {"rate", rate}, {"dropout_key", int64_t(5)}} {}

  /// out, lse, dq, dk, dv; `mask`: one tensor or none.
  Tensors run(const Tensors &mask, const RunOptions &options) const {
    Tensors inputs = {q, k, v, scalars};
    inputs.insert(inputs.end(), mask.begin(), mask.end());
    Tensors results = runCpu("attention", attributes, inputs, {q, row}, options);
    inputs = {grad, q, k, v, results[0], results[1], scalars};
    inputs.insert(inputs.end(), mask.begin(), mask.end());
    Tensors gradients = runCpu("attention_grad", attributes, inputs, {q, k, v}, options);
    results.insert(results.end(), gradients.begin(), gradients.end());
    return results;
  }
};

void expectNear(const Tensors &found, const Tensors &expected, DType dtype) {
  const char *names[] = {"out", "lse", "dq", "dk", "dv"};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE(worstError(found[i], expected[i]), dtype == DType::F64 ? kDoubleTolerance : kFloatTolerance)
        << names[i] << ", " << planformat::name(dtype);
}

T causalMask() {
  constexpr int64_t size = Problem::kSize;
  T mask = T::zeros({size, size});
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = i + 1; j < size; ++j)
      mask.values[i * size + j] = -INFINITY;
  return mask;
}

/// The same for every sample.
T repeated(const T &mask) {
  T result = T::zeros({2, mask.shape[0], mask.shape[1]});
  for (int64_t i = 0; i < result.size(); ++i)
    result.values[i] = mask.values[i % mask.size()];
  return result;
}

TEST(MaskedAttention, OfZerosIsAttentionWithout) {
  for (bool causal : {true, false})
    for (DType dtype : {DType::F64, DType::F32}) {
      Problem p(causal, 0.25);
      Tensors expected = p.run({}, {dtype, 2, 1});
      Tensors found = p.run({T::zeros({p.kSize, p.kSize})}, {dtype, 2, 1});
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(worstError(found[i], expected[i]), 0) << i;
    }
}

TEST(MaskedAttention, CausalAsData) {
  for (DType dtype : {DType::F64, DType::F32}) {
    Problem causal(true, 0.25), whole(false, 0.25);
    Tensors expected = causal.run({}, {dtype, 2, 1});
    expectNear(whole.run({causalMask()}, {dtype, 2, 1}), expected, dtype);
    expectNear(whole.run({repeated(causalMask())}, {dtype, 2, 1}), expected, dtype);
    // Both at once hide what either hides.
    expectNear(causal.run({causalMask()}, {dtype, 2, 1}), expected, dtype);
  }
}

/// A number that is added to all that a query sees changes nothing, however large, and not by a bit.
TEST(MaskedAttention, ConstantsOfRows) {
  const double levels[] = {
      -3, 2, -1e9, -1e30, -std::numeric_limits<float>::max(), 1e9, std::numeric_limits<float>::max()};
  for (DType dtype : {DType::F64, DType::F32})
    for (bool causal : {true, false}) {
      Problem p(causal, 0.25);
      T mask = T::zeros({p.kSize, p.kSize});
      for (int64_t i = 0; i < mask.size(); ++i)
        if (const int64_t query = i / p.kSize; !causal || i % p.kSize <= query)
          mask.values[i] = levels[query % 7];
      const Tensors expected = p.run({}, {dtype, 2, 1}), found = p.run({mask}, {dtype, 2, 1});
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(worstError(found[i], expected[i]), 0) << i << ", " << planformat::name(dtype);
    }
}

TEST(MaskedAttention, ARowThatSeesNothingContributesZero) {
  for (DType dtype : {DType::F64, DType::F32})
    for (bool causal : {true, false}) {
      Problem p(causal);
      T mask = T::reals({2, p.kSize, p.kSize}, 7);
      const int64_t hidden = p.kSize + 3; // Query 3 of sample 1.
      std::fill_n(mask.values.begin() + hidden * p.kSize, p.kSize, -INFINITY);
      Tensors results = p.run({mask}, {dtype, 2, 1});
      for (int64_t i = 0; i < 24; ++i)
        for (size_t which : {0, 2})
          EXPECT_EQ(results[which].values[hidden * 24 + i], 0) << which;
      for (int64_t i = 0; i < 6; ++i)
        EXPECT_EQ(results[1].values[hidden * 6 + i], -INFINITY);
      for (const T &result : results)
        for (double value : result.values)
          ASSERT_FALSE(std::isnan(value));
      // What it would have given to keys and values is not there: its result's gradient does not matter.
      Problem other = p;
      std::fill_n(other.grad.values.begin() + hidden * 24, 24, 100.0);
      Tensors others = other.run({mask}, {dtype, 2, 1});
      for (size_t i = 0; i < results.size(); ++i)
        EXPECT_EQ(worstError(others[i], results[i]), 0) << i;
    }
}

TEST(MaskedAttention, NothingVisibleAnywhere) {
  Problem p(false);
  T mask = T::zeros({p.kSize, p.kSize});
  std::fill(mask.values.begin(), mask.values.end(), -INFINITY);
  Tensors results = p.run({mask}, {DType::F32});
  for (size_t which : {0, 2, 3, 4})
    for (double value : results[which].values)
      ASSERT_EQ(value, 0);
  for (double value : results[1].values)
    ASSERT_EQ(value, -INFINITY);
}

} // namespace
