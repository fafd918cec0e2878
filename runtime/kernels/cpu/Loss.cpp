//===- Loss.cpp - softmax cross-entropy and squared error on CPU -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary may be sharded: softmax_stats gives the shard's contribution to
// lse (joined by log-sum-exp) and to the target's logit (joined by sum). Sums that
// become the loss are taken in double, in chunks fixed by the sizes.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cmath>

namespace modelpar::runtime::cpu {

namespace {

struct NoAttributes {
  Status init(const planformat::Instruction &) { return Status(); }
};

/// Σ part(begin, end) over [0, n) in double, cut into at most kSlots pieces by n alone and added in order.
template <typename Part> double orderedSum(ThreadPool *pool, int64_t n, Part &&part) {
  constexpr int64_t kSlots = 64;
  double sums[kSlots] = {};
  const int64_t chunk = std::max<int64_t>(1024, (n + kSlots - 1) / kSlots);
  const int64_t slots = (n + chunk - 1) / chunk;
  parallelFor(pool, slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = part(i * chunk, std::min(n, (i + 1) * chunk));
  });
  double total = 0;
  for (int64_t i = 0; i < slots; ++i)
    total += sums[i];
  return total;
}

/// 1 / the global batch's number of labels; 0 when there is none, so that a batch without labels has loss and gradient
/// 0.
double inverseLabelCount(const TensorView &scalars) {
  double count = scalar(scalars, planformat::Scalar::LabelCount);
  return count > 0 ? 1 / count : 0;
}

struct SoftmaxStatsOp : NoAttributes {
  static constexpr const char *kName = "softmax_stats";
  static constexpr int kInputs = 2, kOutputs = 2;
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &logits = args.inputs[0];
    const auto [rows, columns] = rowsColumns(logits);
    const ShardIndex columnOf(logits, logits.rank - 1);
    const T *x = logits.as<const T>();
    const int32_t *targets = args.inputs[1].as<const int32_t>();
    T *lse = args.outputs[0].as<T>(), *targetLogit = args.outputs[1].as<T>();
    const VectorLoops<T> &loops = vectorLoops<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [&, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *row = x + r * columns;
        const T top = loops.max(columns, row);
        if (top == -kInfinity<T>) // No column, or none with a finite logit.
          lse[r] = top;
        else
          lse[r] = static_cast<T>(top + std::log(loops.expSum(columns, row, top, nullptr)));
        const int64_t at = columnOf(targets[r]);
        targetLogit[r] = targets[r] >= 0 && at >= 0 ? row[at] : T(0);
      }
    });
    return Status();
  }
};

struct SoftmaxStatsGradOp : NoAttributes {
  static constexpr const char *kName = "softmax_stats_grad";
  static constexpr int kInputs = 5, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &logits = args.inputs[0];
    const auto [rows, columns] = rowsColumns(logits);
    const ShardIndex columnOf(logits, logits.rank - 1);
    const T *x = logits.as<const T>(), *lse = args.inputs[2].as<const T>(), *lseGrad = args.inputs[3].as<const T>(),
            *targetGrad = args.inputs[4].as<const T>();
    const int32_t *targets = args.inputs[1].as<const int32_t>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [=, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        T *out = y + r * columns;
        if (lseGrad[r] == T(0) || lse[r] == -kInfinity<T>) // An ignored token, or a row without any finite logit.
          std::fill_n(out, columns, T(0));
        else
          vectorLoops<T>().expScale(columns, x + r * columns, lse[r], lseGrad[r], out);
        if (const int64_t at = columnOf(targets[r]); targets[r] >= 0 && at >= 0)
          out[at] += targetGrad[r];
      }
    });
    return Status();
  }
};

struct TokenLossOp : NoAttributes {
  static constexpr const char *kName = "token_loss";
  static constexpr int kInputs = 4, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *lse = args.inputs[0].as<const T>(), *targetLogit = args.inputs[1].as<const T>();
    const int32_t *targets = args.inputs[2].as<const int32_t>();
    double sum = orderedSum(args.pool, args.inputs[2].numElements(), [=](int64_t begin, int64_t end) {
      double part = 0;
      for (int64_t i = begin; i < end; ++i)
        if (targets[i] >= 0)
          part += static_cast<double>(lse[i]) - static_cast<double>(targetLogit[i]);
      return part;
    });
    const double scale = inverseLabelCount(args.inputs[3]);
    *args.outputs[0].as<T>() = static_cast<T>(scale == 0 ? 0 : sum * scale);
    return Status();
  }
};

struct TokenLossGradOp : NoAttributes {
  static constexpr const char *kName = "token_loss_grad";
  static constexpr int kInputs = 2, kOutputs = 2;
  template <typename T> Status run(const KernelArgs &args) {
    const int32_t *targets = args.inputs[0].as<const int32_t>();
    const T scale = static_cast<T>(inverseLabelCount(args.inputs[1]));
    T *lseGrad = args.outputs[0].as<T>(), *targetGrad = args.outputs[1].as<T>();
    parallelFor(args.pool, args.inputs[0].numElements(), kElementGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        lseGrad[i] = targets[i] >= 0 ? scale : T(0);
        targetGrad[i] = targets[i] >= 0 ? -scale : T(0);
      }
    });
    return Status();
  }
};

struct SquaredErrorOp : NoAttributes {
  static constexpr const char *kName = "squared_error";
  static constexpr int kInputs = 2, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *prediction = args.inputs[0].as<const T>(), *target = args.inputs[1].as<const T>();
    double sum = orderedSum(args.pool, args.inputs[0].numElements(), [=](int64_t begin, int64_t end) {
      double part = 0;
#pragma omp simd reduction(+ : part)
      for (int64_t i = begin; i < end; ++i) {
        double difference = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
        part += difference * difference;
      }
      return part;
    });
    const double count = globalCount(args.inputs[0]);
    *args.outputs[0].as<T>() = static_cast<T>(count > 0 ? sum / count : 0);
    return Status();
  }
};

struct SquaredErrorGradOp : NoAttributes {
  static constexpr const char *kName = "squared_error_grad";
  static constexpr int kInputs = 2, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *prediction = args.inputs[0].as<const T>(), *target = args.inputs[1].as<const T>();
    const double count = globalCount(args.inputs[0]);
    const T scale = static_cast<T>(count > 0 ? 2 / count : 0);
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        y[i] = scale * (prediction[i] - target[i]);
    });
    return Status();
  }
};

} // namespace

void registerLoss(KernelRegistry &registry) {
  add<SoftmaxStatsOp>(registry);
  add<SoftmaxStatsGradOp>(registry);
  add<TokenLossOp>(registry);
  add<TokenLossGradOp>(registry);
  add<SquaredErrorOp>(registry);
  add<SquaredErrorGradOp>(registry);
}

} // namespace modelpar::runtime::cpu
