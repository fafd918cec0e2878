//===- Rotary.cpp - rotary position embedding on CPU -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Angles, sines and cosines are computed in double (at position 100,000 an angle in
// single precision is off by a hundredth) and shared by all samples and heads of a
// position. The two elements of a pair are read before either is written: the result
// may have the bytes of the input.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"

#include <cmath>
#include <numbers>

namespace modelpar::runtime::cpu {

namespace {

struct RotaryOp {
  static constexpr const char *kName = "rotary";
  static constexpr int kInputs = 2, kOutputs = 1;
  /// Frequencies whose sines and cosines are kept at a time.
  static constexpr int64_t kBlock = 64;
  double theta = 0, factor = 0, lowFrequency = 0, highFrequency = 0, originalPositions = 0;
  bool inverse = false, scaled = false;

  Status init(const planformat::Instruction &instruction) {
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "theta", theta));
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "inverse", inverse));
    scaled = instruction.attributes.count("factor") != 0;
    if (!scaled)
      return Status();
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "factor", factor));
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "low_freq_factor", lowFrequency));
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "high_freq_factor", highFrequency));
    return readAttribute(instruction, "original_max_position_embeddings", originalPositions);
  }

  /// The angle from one position to the next of pair `i` of `pairs`.
  double frequency(int64_t i, int64_t pairs) const {
    const double plain = std::pow(theta, -static_cast<double>(i) / static_cast<double>(pairs));
    if (!scaled)
      return plain;
    const double turns = originalPositions * plain / (2 * std::numbers::pi);
    if (turns < lowFrequency)
      return plain / factor;
    if (turns > highFrequency)
      return plain;
    const double smooth = (turns - lowFrequency) / (highFrequency - lowFrequency);
    return (1 - smooth) * plain / factor + smooth * plain;
  }

  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &input = args.inputs[0];
    if (input.rank < 3 || args.inputs[1].numElements() != input.extents[1])
      return elementCountError(kName, input.rank < 3 ? 0 : input.extents[1], args.inputs[1].numElements());
    const int64_t samples = input.extents[0], length = input.extents[1], width = input.extents[input.rank - 1],
                  pairs = width / 2;
    int64_t heads = 1;
    for (int i = 2; i + 1 < input.rank; ++i)
      heads *= input.extents[i];
    const T *x = input.as<const T>();
    const int32_t *positions = args.inputs[1].as<const int32_t>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, length, rowGrain(samples * heads * width), [=, this](int64_t begin, int64_t end) {
      double frequencies[kBlock];
      T sines[kBlock], cosines[kBlock];
      for (int64_t first = 0; first < pairs; first += kBlock) {
        const int64_t n = std::min(kBlock, pairs - first);
        for (int64_t i = 0; i < n; ++i)
          frequencies[i] = frequency(first + i, pairs);
        for (int64_t s = begin; s < end; ++s) {
          for (int64_t i = 0; i < n; ++i) {
            const double angle = positions[s] * frequencies[i];
            sines[i] = static_cast<T>(inverse ? -std::sin(angle) : std::sin(angle));
            cosines[i] = static_cast<T>(std::cos(angle));
          }
          for (int64_t b = 0; b < samples; ++b)
            for (int64_t h = 0; h < heads; ++h) {
              const int64_t row = ((b * length + s) * heads + h) * width + first;
              rotate(n, x + row, x + row + pairs, sines, cosines, y + row, y + row + pairs);
            }
        }
      }
    });
    return Status();
  }

  /// The outputs may be the inputs, each in its own place.
  template <typename T>
  static void rotate(int64_t n, const T *left, const T *right, const T *sines, const T *cosines, T *newLeft,
                     T *newRight) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T a = left[i], b = right[i];
      newLeft[i] = a * cosines[i] - b * sines[i];
      newRight[i] = b * cosines[i] + a * sines[i];
    }
  }
};

} // namespace

void registerRotary(KernelRegistry &registry) { add<RotaryOp>(registry); }

} // namespace modelpar::runtime::cpu
