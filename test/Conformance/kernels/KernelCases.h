//===- KernelCases.h - inputs and expected results of every kernel ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A case is one call of an op on whole tensors with the results that a naive
// implementation in double, written here and nowhere else, expects. Every backend
// runs every case that it has a kernel for.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELCASES_H
#define MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELCASES_H

#include "KernelRunner.h"

namespace modelpar::runtime::test {

/// Sums of small integers are exact in every order.
inline constexpr double kExact = 0;
/// f32 rounding of short sums and of elementary functions that are right to a few units in the last place.
inline constexpr double kRounding = 2e-6;
/// f32 derivatives whose formulas subtract numbers near each other.
inline constexpr double kCancelling = 5e-6;
/// f32 sums of hundreds of products, as in attention and norms.
inline constexpr double kLongSums = 2e-5;
/// Tolerance of f64 where the f32 one is not kExact.
inline constexpr double kDoubleRounding = 1e-12;

struct KernelCase {
  std::string name, op;
  planformat::Attributes attributes;
  Tensors inputs, outputs; ///< Outputs: expected.
  double tolerance = kExact;
  int64_t instance = 0;
};
using KernelCases = std::vector<KernelCase>;

/// Dropout's definition, written out: kept or not, for one global index.
bool kept(const Tensor &scalars, double rate, int64_t key, int64_t instance, int64_t index);
/// Where stored tokens stand in the text: part r of the balanced split has chunks r and 2·parts-1-r.
std::vector<int64_t> balancedPositions(int64_t size, int64_t parts);

void addAttentionCases(KernelCases &cases);
void addLinearCases(KernelCases &cases);
void addModelCases(KernelCases &cases);
void addLossCases(KernelCases &cases);
void addUpdateCases(KernelCases &cases);

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELCASES_H
