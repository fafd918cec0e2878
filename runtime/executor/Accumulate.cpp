//===- Accumulate.cpp - sums over micro-batches ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elementwise, so the division among threads does not matter.
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Accumulate.h"

#include "modelpar/PlanFormat/Contracts.h"

#include <bit>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::DType;

namespace {

struct BFloat16 {
  uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

template <typename Input, typename Sum>
void add(const TensorView &input, const TensorView &sum, bool first, ThreadPool &pool) {
  constexpr int64_t kGrain = 16384; // Elements: enough to pay for waking a thread.
  const Input *source = input.as<const Input>();
  Sum *target = sum.as<Sum>();
  pool.parallelFor(sum.numElements(), kGrain, [&](int64_t begin, int64_t end) {
    if (first)
      for (int64_t i = begin; i < end; ++i)
        target[i] = static_cast<Sum>(source[i]);
    else
      for (int64_t i = begin; i < end; ++i)
        target[i] += static_cast<Sum>(source[i]);
  });
}

} // namespace

Status modelpar::runtime::checkAccumulate(DType input, DType sum) {
  if (planformat::canAccumulate(input, sum))
    return {};
  return Status::internal("cannot accumulate " + std::string(planformat::name(input)) + " into " +
                          std::string(planformat::name(sum)));
}

Status modelpar::runtime::accumulate(const TensorView &input, const TensorView &sum, bool first, ThreadPool &pool) {
  if (sum.dtype == DType::F32 && input.dtype == DType::F32)
    add<float, float>(input, sum, first, pool);
  else if (sum.dtype == DType::F32 && input.dtype == DType::F64)
    add<double, float>(input, sum, first, pool);
  else if (sum.dtype == DType::F32 && input.dtype == DType::BF16)
    add<BFloat16, float>(input, sum, first, pool);
  else if (sum.dtype == DType::F64 && input.dtype == DType::F32)
    add<float, double>(input, sum, first, pool);
  else if (sum.dtype == DType::F64 && input.dtype == DType::F64)
    add<double, double>(input, sum, first, pool);
  else
    return checkAccumulate(input.dtype, sum.dtype);
  return {};
}
