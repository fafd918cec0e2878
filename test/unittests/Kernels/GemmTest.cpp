//===- GemmTest.cpp - the matrix product on all strides and edges ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes around the register tiles and cache blocks, all layouts, against three loops.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/Gemm.h"
#include "runtime/kernels/Einsum.h"
#include "runtime/kernels/cpu/VectorLoops.h"
#include "test/Conformance/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::cpu;

namespace {

/// A rows × columns matrix of small integers in row-major (or column-major) order.
template <typename T> struct Operand {
  std::vector<T> data;
  Matrix<T> matrix;
  Operand(int64_t rows, int64_t columns, bool transposed, unsigned seed) : data(rows * columns) {
    matrix = transposed ? Matrix<T>{data.data(), 1, rows} : Matrix<T>{data.data(), columns, 1};
    for (size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<T>(std::floor(test::hashUnit(seed, i) * 9) - 4);
  }
  T at(int64_t i, int64_t j) const { return *matrix.at(i, j).data; }
  Matrix<const T> read() const { return {matrix.data, matrix.rowStride, matrix.columnStride}; }
};

template <typename T> void check(int64_t m, int64_t n, int64_t k, int layout, bool accumulate, ThreadPool *pool) {
  Operand<T> a(m, k, layout & 1, 1), b(k, n, layout & 2, 2), c(m, n, layout & 4, 3);
  Operand<T> want = c;
  want.matrix.data = want.data.data();
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += a.at(i, p) * b.at(p, j);
      T &to = *want.matrix.at(i, j).data;
      to = (accumulate ? to : T(0)) + 2 * sum;
    }
  if (pool)
    parallelGemm<T>(pool, m, n, k, T(2), a.read(), b.read(), accumulate, c.matrix);
  else
    gemm<T>(m, n, k, T(2), a.read(), b.read(), accumulate, c.matrix);
  EXPECT_EQ(c.data, want.data) << m << "x" << n << "x" << k << " layout " << layout;
}

TEST(Gemm, AllLayoutsAndEdges) {
  for (auto [m, n, k] :
       {std::array<int64_t, 3>{1, 1, 1}, {5, 7, 3}, {12, 32, 8}, {13, 33, 9}, {6, 16, 193}, {97, 65, 40}})
    for (int layout = 0; layout < 8; ++layout)
      for (bool accumulate : {false, true}) {
        check<float>(m, n, k, layout, accumulate, nullptr);
        check<double>(m, n, k, layout, accumulate, nullptr);
      }
}

TEST(Gemm, BlocksAndThreads) {
  ThreadPool pool(3);
  check<float>(200, 150, 390, 0, false, &pool);
  check<float>(200, 150, 390, 3, true, &pool);
  check<float>(3, 1100, 20, 2, false, &pool);
  check<double>(200, 40, 200, 4, false, &pool);
}

TEST(Gemm, EmptyExtents) {
  for (auto [m, n, k] : {std::array<int64_t, 3>{0, 3, 2}, {3, 0, 2}, {3, 2, 0}})
    for (bool accumulate : {false, true})
      check<float>(m, n, k, 0, accumulate, nullptr);
}

/// exp is right near the ends of the range, and special values keep their meaning.
TEST(VectorLoops, ExpSpecialValues) {
  const float infinity = INFINITY;
  std::vector<float> x = {-infinity, -200, -88, -87, -1e-30f, 0, 1, 88.5f, 88.8f, infinity, NAN}, y(x.size());
  vectorLoops<float>().expScale(x.size(), x.data(), 0, 1, y.data());
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  for (size_t i : {3, 4, 5, 6, 7})
    EXPECT_NEAR(y[i] / std::exp(x[i]), 1, 2.5e-7) << x[i];
  EXPECT_EQ(y[8], infinity);
  EXPECT_EQ(y[9], infinity);
  EXPECT_TRUE(std::isnan(y[10]));
}

/// Every instruction set that this processor has gives what the widest gives, up to the order of sums.
template <typename T> void checkInstructionSets(double tolerance) {
  constexpr int64_t kSize = 1003;
  std::vector<T> x(kSize), w(kSize);
  for (int64_t i = 0; i < kSize; ++i) {
    x[i] = static_cast<T>(test::hashUnit(1, i) * 4 - 2);
    w[i] = static_cast<T>(test::hashUnit(2, i) * 4 - 2);
  }
  const VectorLoops<T> &best = vectorLoops<T>();
  for (const VectorLoops<T> *const *at = supportedLoops<T>(); *at; ++at) {
    const VectorLoops<T> &loops = **at;
    std::string name = loops.name;
    EXPECT_TRUE(name == "baseline" || name == "avx2" || name == "avx512") << name;
    EXPECT_NEAR(loops.sum(kSize, x.data()), best.sum(kSize, x.data()), tolerance) << name;
    EXPECT_NEAR(loops.sumSquares(kSize, x.data()), best.sumSquares(kSize, x.data()), tolerance) << name;
    EXPECT_NEAR(loops.dot(kSize, x.data(), w.data()), best.dot(kSize, x.data(), w.data()), tolerance) << name;
    EXPECT_NEAR(loops.expSum(kSize, x.data(), 2, nullptr), best.expSum(kSize, x.data(), 2, nullptr), tolerance) << name;
    EXPECT_EQ(loops.max(kSize, x.data()), best.max(kSize, x.data())) << name;
    for (Activation kind : {Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu,
                            Activation::Tanh, Activation::Sigmoid}) {
      std::vector<T> y(kSize), z(kSize);
      loops.activationGrad(kind, kSize, w.data(), x.data(), y.data());
      best.activationGrad(kind, kSize, w.data(), x.data(), z.data());
      for (int64_t i = 0; i < kSize; ++i)
        ASSERT_NEAR(y[i], z[i], tolerance) << name << ", activation " << static_cast<int>(kind);
    }
    // The register tile, through packing, on integers: exact.
    const int64_t mr = loops.tileRows, nr = loops.tileColumns, k = 21;
    Operand<T> a(mr, k, false, 3), b(k, nr, false, 4);
    std::vector<T> packedA(mr * k), packedB(nr * k), tile(mr * nr), c(mr * nr);
    loops.packPanel(mr, mr, k, a.data.data(), k, 1, packedA.data());
    loops.packPanel(nr, nr, k, b.data.data(), 1, nr, packedB.data());
    loops.gemmTile(k, packedA.data(), packedB.data(), tile.data());
    loops.storeTile(tile.data(), nr, mr, nr, 1, false, c.data(), nr);
    for (int64_t i = 0; i < mr; ++i)
      for (int64_t j = 0; j < nr; ++j) {
        T want = 0;
        for (int64_t p = 0; p < k; ++p)
          want += a.at(i, p) * b.at(p, j);
        ASSERT_EQ(c[i * nr + j], want) << name;
      }
  }
}

TEST(VectorLoops, InstructionSetsAgree) {
  checkInstructionSets<float>(1e-4); // Sums of a thousand numbers near one, in f32.
  checkInstructionSets<double>(1e-10);
}

TEST(Einsum, MergesNeighbours) {
  Einsum einsum;
  ASSERT_TRUE(einsum.parse("bsh,hngd->bsngd").ok());
  auto view = [](std::vector<int64_t> extents) {
    TensorView v;
    v.rank = static_cast<int>(extents.size());
    std::copy(extents.begin(), extents.end(), v.extents);
    return v;
  };
  EinsumProblem problem;
  ASSERT_TRUE(einsum.bind(view({2, 3, 8}), view({8, 3, 4, 5}), view({2, 3, 3, 4, 5}), problem).ok());
  EXPECT_EQ(problem.m.size, 6);
  EXPECT_EQ(problem.n.size, 60);
  EXPECT_EQ(problem.k.size, 8);
  EXPECT_EQ(problem.outerCount(), 1);
  EXPECT_EQ(problem.depthCount(), 1);
}

} // namespace
