//===- RmsNorm.cpp - root mean square norm and its gradients on CPU --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums over a row or a column are in double and in an order that its length fixes;
// rstd = 1 / sqrt(mean of squares + epsilon) is stored in the element type.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/ColumnSums.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cmath>

namespace modelpar::runtime::cpu {

namespace {

struct RmsNormOp {
  static constexpr const char *kName = "rms_norm";
  static constexpr int kInputs = 2, kOutputs = 2;
  double epsilon = 0;
  Status init(const planformat::Instruction &instruction) { return readAttribute(instruction, "epsilon", epsilon); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[0]);
    const T *x = args.inputs[0].as<const T>(), *weight = args.inputs[1].as<const T>();
    T *y = args.outputs[0].as<T>(), *rstd = args.outputs[1].as<T>();
    const VectorLoops<T> &loops = vectorLoops<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [&, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *row = x + r * columns;
        T *out = y + r * columns;
        const T s = static_cast<T>(1 / std::sqrt(loops.sumSquares(columns, row) / columns + epsilon));
        rstd[r] = s;
#pragma omp simd
        for (int64_t i = 0; i < columns; ++i)
          out[i] = row[i] * s * weight[i];
      }
    });
    return Status();
  }
};

struct RmsNormInputGradOp {
  static constexpr const char *kName = "rms_norm_input_grad";
  static constexpr int kInputs = 4, kOutputs = 1;
  Status init(const planformat::Instruction &) { return Status(); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[1]);
    const T *grad = args.inputs[0].as<const T>(), *x = args.inputs[1].as<const T>(),
            *weight = args.inputs[2].as<const T>(), *rstd = args.inputs[3].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [=, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *g = grad + r * columns, *row = x + r * columns;
        T *out = y + r * columns;
        const T s = rstd[r];
        // The whole row is read before any of it is written: the result may have the bytes of grad or x.
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < columns; ++i)
          sum += static_cast<double>(g[i] * weight[i] * (row[i] * s));
        const T mean = static_cast<T>(sum / static_cast<double>(columns));
#pragma omp simd
        for (int64_t i = 0; i < columns; ++i)
          out[i] = s * (g[i] * weight[i] - row[i] * s * mean);
      }
    });
    return Status();
  }
};

struct RmsNormWeightGradOp {
  static constexpr const char *kName = "rms_norm_weight_grad";
  static constexpr int kInputs = 3, kOutputs = 1;
  Status init(const planformat::Instruction &) { return Status(); }
  template <typename T> Status run(const KernelArgs &args) {
    const auto [rows, columns] = rowsColumns(args.inputs[1]);
    const T *grad = args.inputs[0].as<const T>(), *x = args.inputs[1].as<const T>(),
            *rstd = args.inputs[2].as<const T>();
    T *const results[] = {args.outputs[0].as<T>()};
    columnSums(args.pool, rows, columns, results,
               [=, columns = columns](int64_t r, int64_t first, int64_t n, double (&sums)[1][kSumColumns]) {
                 const T *g = grad + r * columns + first, *row = x + r * columns + first;
                 const T s = rstd[r];
#pragma omp simd
                 for (int64_t i = 0; i < n; ++i)
                   sums[0][i] += static_cast<double>(g[i] * (row[i] * s));
               });
    return Status();
  }
};

} // namespace

void registerRmsNorm(KernelRegistry &registry) {
  add<RmsNormOp>(registry);
  add<RmsNormInputGradOp>(registry);
  add<RmsNormWeightGradOp>(registry);
}

} // namespace modelpar::runtime::cpu
