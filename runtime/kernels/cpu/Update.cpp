//===- Update.cpp - gradient norm, clipping and optimizers on CPU ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What changes per step (learning rate, number of the update, betas, ...) is read from the scalars;
// a clip scale of 0 (the norm is not finite) leaves parameters and moments alone.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cmath>
#include <cstring>

namespace modelpar::runtime::cpu {

namespace {

using planformat::Scalar;

struct NoAttributes {
  Status init(const planformat::Instruction &) { return Status(); }
};

struct SumSquaresOp : NoAttributes {
  static constexpr const char *kName = "sum_squares";
  static constexpr int kInputs = -1, kOutputs = 1;

  /// The operands seen as one long row: sum over [begin, end) of it.
  template <typename T> static double sumRange(std::span<const TensorView> inputs, int64_t begin, int64_t end) {
    double sum = 0;
    int64_t start = 0;
    for (const TensorView &view : inputs) {
      const int64_t n = view.numElements();
      const int64_t from = std::max<int64_t>(begin - start, 0), to = std::min(end - start, n);
      if (from < to)
        sum += vectorLoops<T>().sumSquares(to - from, view.as<const T>() + from);
      start += n;
      if (start >= end)
        break;
    }
    return sum;
  }

  template <typename T> Status run(const KernelArgs &args) {
    if (args.inputs[0].dtype == planformat::DType::F64) // An f32 result of f64 operands.
      return sum<double>(args);
    return sum<T>(args);
  }

  template <typename T> Status sum(const KernelArgs &args) {
    int64_t total = 0;
    for (const TensorView &view : args.inputs)
      total += view.numElements();
    constexpr int64_t kSlots = 256;
    double sums[kSlots];
    const int64_t chunk = std::max<int64_t>(4096, (total + kSlots - 1) / kSlots);
    const int64_t slots = (total + chunk - 1) / chunk;
    parallelFor(args.pool, slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        sums[i] = sumRange<T>(args.inputs, i * chunk, std::min(total, (i + 1) * chunk));
    });
    double result = 0;
    for (int64_t i = 0; i < slots; ++i)
      result += sums[i];
    writeScalar(args.outputs[0], result);
    return Status();
  }
};

struct ClipScaleOp : NoAttributes {
  static constexpr const char *kName = "clip_scale";
  static constexpr int kInputs = 2, kOutputs = 2;
  template <typename T> Status run(const KernelArgs &args) {
    const double norm = std::sqrt(readScalar(args.inputs[0]));
    const double clip = scalar(args.inputs[1], Scalar::Clip);
    double scale = 1;
    if (!std::isfinite(norm))
      scale = 0;
    else if (clip > 0 && norm > clip)
      scale = clip / norm;
    writeScalar(args.outputs[0], norm);
    writeScalar(args.outputs[1], scale);
    return Status();
  }
};

struct WeightDecay {
  bool enabled = true;
  Status init(const planformat::Instruction &instruction) {
    return readAttribute(instruction, "weight_decay", enabled);
  }
};

/// Leaves a tensor as it was when the update is skipped.
void keep(const TensorView &from, const TensorView &to, size_t elementBytes) {
  if (from.data != to.data && to.numElements())
    std::memcpy(to.data, from.data, to.numElements() * elementBytes);
}

struct AdamWOp : WeightDecay {
  static constexpr const char *kName = "adamw";
  static constexpr int kInputs = 6, kOutputs = 3;
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &scalars = args.inputs[5];
    const double gradScale = readScalar(args.inputs[4]);
    if (gradScale == 0) {
      keep(args.inputs[0], args.outputs[0], sizeof(T));
      keep(args.inputs[2], args.outputs[1], sizeof(T));
      keep(args.inputs[3], args.outputs[2], sizeof(T));
      return Status();
    }
    const double lr = scalar(scalars, Scalar::LearningRate), update = scalar(scalars, Scalar::Update);
    const double beta1 = scalar(scalars, Scalar::Beta1), beta2 = scalar(scalars, Scalar::Beta2);
    AdamWStep<T> step;
    step.gradScale = static_cast<T>(gradScale);
    step.beta1 = static_cast<T>(beta1);
    step.beta2 = static_cast<T>(beta2);
    step.decay = static_cast<T>(enabled ? 1 - lr * scalar(scalars, Scalar::WeightDecay) : 1);
    step.stepSize = static_cast<T>(lr / (1 - std::pow(beta1, update)));
    step.inverseRootBias2 = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, update)));
    step.epsilon = static_cast<T>(scalar(scalars, Scalar::Epsilon));
    const T *p = args.inputs[0].as<const T>(), *g = args.inputs[1].as<const T>(), *m = args.inputs[2].as<const T>(),
            *v = args.inputs[3].as<const T>();
    T *newP = args.outputs[0].as<T>(), *newM = args.outputs[1].as<T>(), *newV = args.outputs[2].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=](int64_t begin, int64_t end) {
      vectorLoops<T>().adamw(step, end - begin, p + begin, g + begin, m + begin, v + begin, newP + begin, newM + begin,
                             newV + begin);
    });
    return Status();
  }
};

struct SgdOp : WeightDecay {
  static constexpr const char *kName = "sgd";
  static constexpr int kInputs = 4, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &scalars = args.inputs[3];
    const double gradScale = readScalar(args.inputs[2]), lr = scalar(scalars, Scalar::LearningRate);
    if (gradScale == 0) {
      keep(args.inputs[0], args.outputs[0], sizeof(T));
      return Status();
    }
    const T scale = static_cast<T>(lr * gradScale);
    const T decay = static_cast<T>(enabled ? 1 - lr * scalar(scalars, Scalar::WeightDecay) : 1);
    const T *p = args.inputs[0].as<const T>(), *g = args.inputs[1].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        y[i] = p[i] * decay - scale * g[i];
    });
    return Status();
  }
};

} // namespace

void registerUpdate(KernelRegistry &registry) {
  add<SumSquaresOp>(registry);
  add<ClipScaleOp>(registry);
  add<AdamWOp>(registry);
  add<SgdOp>(registry);
}

} // namespace modelpar::runtime::cpu
