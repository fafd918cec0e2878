//===- Matmul.cpp - contraction of two tensors on CPU ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// nn.matmul: the einsum's outer loops around one matrix product.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Einsum.h"
#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/Gemm.h"
#include "runtime/kernels/cpu/OneDnn.h"

namespace modelpar::runtime::cpu {

namespace {

struct MatmulOp {
  static constexpr const char *kName = "matmul";
  static constexpr int kInputs = 2, kOutputs = 1;
  Einsum einsum;
  OneDnnMatmul oneDnn;

  Status init(const planformat::Instruction &instruction) {
    std::string subscripts;
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "subscripts", subscripts));
    return einsum.parse(subscripts);
  }

  template <typename T> Status run(const KernelArgs &args) {
    EinsumProblem problem;
    MODELPAR_RETURN_IF_ERROR(einsum.bind(args.inputs[0], args.inputs[1], args.outputs[0], problem));
    T *result = args.outputs[0].as<T>();
    if (problem.resultSize == 0)
      return Status();
    if (problem.emptyDepth) {
      std::fill_n(result, problem.resultSize, T(0));
      return Status();
    }
    const T *left = args.inputs[0].as<const T>(), *right = args.inputs[1].as<const T>();
    const EinsumLoop &m = problem.m, &n = problem.n, &k = problem.k;
    const int64_t outer = problem.outerCount(), depth = problem.depthCount();
    if constexpr (std::is_same_v<T, float>)
      if (OneDnnMatmul::selected() && outer == 1 && depth == 1) {
        bool done = false;
        MODELPAR_RETURN_IF_ERROR(oneDnn.run(args.pool, m.size, n.size, k.size, {left, m.strides[0], k.strides[0]},
                                            {right, k.strides[1], n.strides[1]}, {result, m.strides[2], n.strides[2]},
                                            done));
        if (done)
          return Status();
      }
    auto product = [&](int64_t index, ThreadPool *pool) {
      int64_t base[3], at[3];
      problem.outerOffsets(index, base);
      for (int64_t d = 0; d < depth; ++d) {
        problem.depthOffsets(d, at);
        parallelGemm<T>(pool, m.size, n.size, k.size, T(1), {left + base[0] + at[0], m.strides[0], k.strides[0]},
                        {right + base[1] + at[1], k.strides[1], n.strides[1]}, d > 0,
                        {result + base[2], m.strides[2], n.strides[2]});
      }
    };
    // Many products: one thread each. Few: all threads on one.
    constexpr int64_t kMany = 16;
    if (outer >= kMany)
      parallelFor(args.pool, outer, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          product(i, nullptr);
      });
    else
      for (int64_t i = 0; i < outer; ++i)
        product(i, args.pool);
    return Status();
  }
};

} // namespace

void registerMatmul(KernelRegistry &registry) { add<MatmulOp>(registry); }

} // namespace modelpar::runtime::cpu
