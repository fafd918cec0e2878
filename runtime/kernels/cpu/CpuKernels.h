//===- CpuKernels.h - the families of CPU kernels --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per family registers its kernels. A kernel is a struct with
//   static constexpr const char *kName; static constexpr int kInputs, kOutputs;  (-1: any number, at least one)
//   Status init(const planformat::Instruction &);                                 reads the attributes
//   template <typename T> Status run(const KernelArgs &);                         T: float or double
// and CpuKernel makes it a Kernel: it checks the number of tensors and picks T by the
// first output, so mixed signatures (f64 scalars, i32 labels) need no case of their own.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_CPUKERNELS_H
#define MODELPAR_RUNTIME_KERNELS_CPU_CPUKERNELS_H

#include "runtime/kernels/KernelSupport.h"

#include <algorithm>
#include <limits>

namespace modelpar::runtime::cpu {

void registerAttention(KernelRegistry &registry);
void registerAttentionGrad(KernelRegistry &registry);
void registerAttentionMerge(KernelRegistry &registry);
void registerElementwise(KernelRegistry &registry);
void registerEmbedding(KernelRegistry &registry);
void registerLoss(KernelRegistry &registry);
void registerMatmul(KernelRegistry &registry);
void registerNorm(KernelRegistry &registry);
void registerRmsNorm(KernelRegistry &registry);
void registerRotary(KernelRegistry &registry);
void registerSlice(KernelRegistry &registry);
void registerUpdate(KernelRegistry &registry);

/// Elements per piece of an elementwise loop: large enough to pay for a thread, a multiple of every vector.
inline constexpr int64_t kElementGrain = 8192;
template <typename T> inline constexpr T kInfinity = std::numeric_limits<T>::infinity();

/// body(begin, end) over [0, count); pieces are multiples of grain. The body's results must not depend on the pieces.
template <typename Body> void parallelFor(ThreadPool *pool, int64_t count, int64_t grain, Body &&body) {
  if (count <= 0)
    return;
  if (!pool || pool->numThreads() == 1 || count <= grain)
    body(int64_t(0), count);
  else
    pool->parallelFor(count, grain, [&body](int64_t begin, int64_t end) { body(begin, end); });
}

/// Rows per piece so that a piece has about kElementGrain elements.
inline int64_t rowGrain(int64_t columns) { return std::max<int64_t>(1, kElementGrain / std::max<int64_t>(1, columns)); }

inline double scalar(const TensorView &scalars, planformat::Scalar field) {
  return scalars.as<const double>()[static_cast<int>(field)];
}
/// The one element of a floating-point scalar of either type.
inline double readScalar(const TensorView &view) {
  return view.dtype == planformat::DType::F64 ? *view.as<const double>() : double(*view.as<const float>());
}
inline void writeScalar(const TensorView &view, double value) {
  if (view.dtype == planformat::DType::F64)
    *view.as<double>() = value;
  else
    *view.as<float>() = static_cast<float>(value);
}

Status unsupportedType(const char *op, planformat::DType dtype);

template <typename Op> class CpuKernel final : public Kernel {
public:
  static Status create(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel) {
    auto result = std::make_unique<CpuKernel>();
    MODELPAR_RETURN_IF_ERROR(result->op_.init(instruction));
    kernel = std::move(result);
    return Status();
  }
  Status launch(const KernelArgs &args) override {
    MODELPAR_RETURN_IF_ERROR(checkArity(Op::kName, args, Op::kInputs, Op::kOutputs));
    switch (args.outputs[0].dtype) {
    case planformat::DType::F32:
      return op_.template run<float>(args);
    case planformat::DType::F64:
      return op_.template run<double>(args);
    default:
      return unsupportedType(Op::kName, args.outputs[0].dtype);
    }
  }

private:
  Op op_;
};

template <typename Op> void add(KernelRegistry &registry) {
  registry.add(Op::kName, "cpu", planformat::DType::F32, &CpuKernel<Op>::create);
  registry.add(Op::kName, "cpu", planformat::DType::F64, &CpuKernel<Op>::create);
}

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_CPUKERNELS_H
