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

#include "runtime/kernels/cpu/ColumnSums.h"
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
    T *const results[] = {args.outputs[0].as<T>(), args.outputs[1].as<T>()};
    columnSums(args.pool, rows, columns, results,
               [=, columns = columns](int64_t r, int64_t first, int64_t n, double (&sums)[2][kSumColumns]) {
                 const T *g = grad + r * columns + first, *row = x + r * columns + first;
                 const T m = mean[r], s = rstd[r];
#pragma omp simd
                 for (int64_t i = 0; i < n; ++i) {
                   sums[0][i] += static_cast<double>(g[i] * ((row[i] - m) * s));
                   sums[1][i] += static_cast<double>(g[i]);
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
