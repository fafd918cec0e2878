//===- KernelConformanceTest.cpp - every kernel on every backend -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the cases in f32 and f64 on the CPU, and on a CUDA device where there is one.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"

#include "runtime/kernels/cpu/OneDnn.h"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;

namespace {

const KernelCases &allCases() {
  static const KernelCases cases = [] {
    KernelCases result;
    addLinearCases(result);
    addAttentionCases(result);
    addModelCases(result);
    addLossCases(result);
    addUpdateCases(result);
    return result;
  }();
  return cases;
}

struct Variant {
  std::string backend;
  size_t index;
  DType dtype;
};

/// None for a backend that is not here.
std::vector<Variant> variants(const std::string &backend, std::vector<DType> dtypes) {
  std::vector<Variant> result;
  std::string reason;
  if (backend == "cuda" && !cudaBackend(reason))
    return result;
  for (size_t i = 0; i < allCases().size(); ++i)
    for (DType dtype : dtypes)
      result.push_back({backend, i, dtype});
  return result;
}

std::string variantName(const testing::TestParamInfo<Variant> &info) {
  const KernelCase &c = allCases()[info.param.index];
  return c.op + "_" + c.name + "_" + std::string(planformat::name(info.param.dtype));
}

class KernelConformance : public testing::TestWithParam<Variant> {};

TEST_P(KernelConformance, MatchesNaive) {
  const Variant &variant = GetParam();
  const KernelCase &c = allCases()[variant.index];
  std::string reason;
  Backend *backend = variant.backend == "cpu" ? &cpuBackend() : cudaBackend(reason);
  ASSERT_TRUE(backend) << reason;
  if (!backend->supports(c.op, variant.dtype))
    GTEST_SKIP() << "no " << variant.backend << " kernel for " << c.op << " in " << planformat::name(variant.dtype);
  Tensors outputs = c.outputs;
  for (Tensor &output : outputs)
    std::fill(output.values.begin(), output.values.end(), 0.0);
  Status status = backend->run(c.op, c.attributes, c.inputs, outputs, {variant.dtype, 2, c.instance});
  ASSERT_TRUE(status.ok()) << status.message();
  double tolerance = variant.dtype == DType::F64 && c.tolerance > 0 ? kDoubleRounding : c.tolerance;
  for (size_t i = 0; i < outputs.size(); ++i)
    EXPECT_LE(worstError(outputs[i], c.outputs[i]), tolerance) << "output " << i;
}

INSTANTIATE_TEST_SUITE_P(Cpu, KernelConformance, testing::ValuesIn(variants("cpu", {DType::F32, DType::F64})),
                         variantName);
INSTANTIATE_TEST_SUITE_P(Cuda, KernelConformance, testing::ValuesIn(variants("cuda", {DType::F32})), variantName);

TEST(KernelConformanceSuite, RunsOnCuda) {
  std::string reason;
  if (!cudaBackend(reason))
    GTEST_SKIP() << "kernels are not compared on CUDA: " << reason;
}

/// What the matmul cases run on when the environment asks for oneDNN.
TEST(OneDnn, TakesTheProducts) {
#ifndef MODELPAR_TEST_ONEDNN
  GTEST_SKIP() << "the build has no oneDNN";
#endif
  const char *asked = std::getenv("MODELPAR_MATMUL");
  EXPECT_EQ(cpu::OneDnnMatmul::selected(), asked && std::string(asked) == "onednn");
  const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 1, 0, 3}; // [2, 3] and [3, 2].
  float c[4] = {};
  bool done = false;
  cpu::OneDnnMatmul product;
  const Status status = product.run(nullptr, 2, 2, 3, {a, 3, 1}, {b, 2, 1}, {c, 2, 1}, done);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(done);
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{5, 11, 14, 23}));
}

/// Every op that the CPU has a kernel for has a case.
TEST(KernelConformanceSuite, CoversEveryOp) {
  KernelRegistry registry;
  registerCpuKernels(registry);
  for (const std::string &op : registry.ops("cpu")) {
    bool covered = false;
    for (const KernelCase &c : allCases())
      covered |= c.op == op;
    EXPECT_TRUE(covered) << op;
  }
}

} // namespace
