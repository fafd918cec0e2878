//===- Norm.cpp - layer norm and its gradients on CPU ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Statistics are computed in double in two passes (mean, then centred squares) and
// stored in the element type; rstd = 1 / sqrt(variance + epsilon).
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cmath>

namespace modelpar::runtime::cpu {

namespace {

struct LayerNormOp {
  static constexpr const char *kName = "layer_norm";
  static constexpr int kInputs = 3, kOutputs = 3;
  double epsilon = 0;
  Status init(const planformat::Instruction &instruction) { return readAttribute(instruction, "epsilon", epsilon); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[0]);
    const T *x = args.inputs[0].as<const T>(), *weight = args.inputs[1].as<const T>(),
            *bias = args.inputs[2].as<const T>();
    T *y = args.outputs[0].as<T>(), *mean = args.outputs[1].as<T>(), *rstd = args.outputs[2].as<T>();
    const VectorLoops<T> &loops = vectorLoops<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [&, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *row = x + r * columns;
        const T m = static_cast<T>(loops.sum(columns, row) / columns);
        const double variance = loops.centeredSquares(columns, row, m) / columns;
        const T s = static_cast<T>(1 / std::sqrt(variance + epsilon));
        mean[r] = m;
        rstd[r] = s;
        loops.normalize(columns, row, m, s, weight, bias, y + r * columns);
      }
    });
    return Status();
  }
};

struct LayerNormInputGradOp {
  static constexpr const char *kName = "layer_norm_input_grad";
  static constexpr int kInputs = 5, kOutputs = 1;
  Status init(const planformat::Instruction &) { return Status(); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[1]);
    const T *grad = args.inputs[0].as<const T>(), *x = args.inputs[1].as<const T>(),
            *weight = args.inputs[2].as<const T>(), *mean = args.inputs[3].as<const T>(),
            *rstd = args.inputs[4].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [=, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        vectorLoops<T>().normalizeGrad(columns, grad + r * columns, x + r * columns, weight, mean[r], rstd[r],
                                       static_cast<double>(columns), y + r * columns);
    });
    return Status();
  }
};

struct LayerNormWeightGradOp {
  static constexpr const char *kName = "layer_norm_weight_grad";
  static constexpr int kInputs = 4, kOutputs = 2;
  Status init(const planformat::Instruction &) { return Status(); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[1]);
    const T *grad = args.inputs[0].as<const T>(), *x = args.inputs[1].as<const T>(),
            *mean = args.inputs[2].as<const T>(), *rstd = args.inputs[3].as<const T>();
    T *weightGrad = args.outputs[0].as<T>(), *biasGrad = args.outputs[1].as<T>();
    // Columns are divided; each is summed in the order of the rows.
    constexpr int64_t kBlock = 64;
    parallelFor(args.pool, columns, kBlock, [=, rows = rows, columns = columns](int64_t begin, int64_t end) {
      double weightSum[kBlock], biasSum[kBlock];
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t n = std::min(kBlock, end - at);
        std::fill_n(weightSum, n, 0.0);
        std::fill_n(biasSum, n, 0.0);
        for (int64_t r = 0; r < rows; ++r) {
          const T *g = grad + r * columns + at, *row = x + r * columns + at;
          const T m = mean[r], s = rstd[r];
#pragma omp simd
          for (int64_t i = 0; i < n; ++i) {
            weightSum[i] += static_cast<double>(g[i] * ((row[i] - m) * s));
            biasSum[i] += static_cast<double>(g[i]);
          }
        }
        for (int64_t i = 0; i < n; ++i) {
          weightGrad[at + i] = static_cast<T>(weightSum[i]);
          biasGrad[at + i] = static_cast<T>(biasSum[i]);
        }
      }
    });
    return Status();
  }
};

} // namespace

void registerNorm(KernelRegistry &registry) {
  add<LayerNormOp>(registry);
  add<LayerNormInputGradOp>(registry);
  add<LayerNormWeightGradOp>(registry);
}

} // namespace modelpar::runtime::cpu
