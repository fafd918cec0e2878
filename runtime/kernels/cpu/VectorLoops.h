//===- VectorLoops.h - inner loops per instruction set ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops where kernels spend their time, compiled once for each instruction
// set (isa/) and chosen when the process starts. Results depend on the
// instruction set, never on how a caller cuts its ranges: no loop here carries a
// sum from one element of its range to another unless its comment says so.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_VECTORLOOPS_H
#define MODELPAR_RUNTIME_KERNELS_CPU_VECTORLOOPS_H

#include <cstdint>

namespace modelpar::runtime::cpu {

/// Elementwise non-linearities, in the order of nn::ActivationKind.
enum class Activation : int { Relu, Gelu, GeluTanh, Silu, Tanh, Sigmoid };

/// Constants of one AdamW update, the same for every element.
template <typename T> struct AdamWStep {
  T gradScale; ///< The clip scale.
  T beta1, beta2;
  T decay;            ///< 1 - lr · weight decay.
  T stepSize;         ///< lr / (1 - beta1^step).
  T inverseRootBias2; ///< 1 / sqrt(1 - beta2^step).
  T epsilon;
};

/// Counters that VectorLoops::philox takes at once.
inline constexpr int kPhiloxBlocks = 32;

template <typename T> struct VectorLoops {
  const char *name;
  /// Register tile of the matrix product.
  int tileRows, tileColumns;
  /// tile[i·tileColumns + j] = Σ_p a[p·tileRows + i] · b[p·tileColumns + j], summed in the order of p.
  void (*gemmTile)(int64_t k, const T *a, const T *b, T *tile);
  /// Pack rows [0, count) × [0, k) of a strided matrix into panel[p·width + i], zero for count <= i < width.
  void (*packPanel)(int64_t count, int64_t width, int64_t k, const T *source, int64_t countStride, int64_t kStride,
                    T *panel);
  /// c[i·rowStride + j] (+)= alpha · tile[i·tileColumns + j] for the first rows and columns of a tile.
  void (*storeTile)(const T *tile, int64_t tileColumns, int64_t rows, int64_t columns, T alpha, bool accumulate, T *c,
                    int64_t rowStride);
  void (*activation)(Activation kind, int64_t n, const T *x, T *y);
  /// dx = dy · f'(x).
  void (*activationGrad)(Activation kind, int64_t n, const T *dy, const T *x, T *dx);
  /// Σ exp(x[i] - shift), a sum over the range in an order fixed by n; y (may be null, may be x) receives the terms.
  double (*expSum)(int64_t n, const T *x, T shift, T *y);
  /// y[i] = exp(x[i] - shift) · scale.
  void (*expScale)(int64_t n, const T *x, T shift, T scale, T *y);
  /// Largest element; -inf when n is 0.
  T (*max)(int64_t n, const T *x);
  /// Σ x and Σ (x - center)² over the range, in an order fixed by n.
  double (*sum)(int64_t n, const T *x);
  double (*centeredSquares)(int64_t n, const T *x, T center);
  /// Σ a·b over the range, in an order fixed by n.
  double (*dot)(int64_t n, const T *a, const T *b);
  /// y = (x - mean) · rstd · weight + bias.
  void (*normalize)(int64_t n, const T *x, T mean, T rstd, const T *weight, const T *bias, T *y);
  /// One row of layer_norm's input gradient: dx = rstd · (g·w - mean(g·w) - x̂ · mean(g·w·x̂)).
  void (*normalizeGrad)(int64_t n, const T *g, const T *x, const T *w, T mean, T rstd, double width, T *dx);
  void (*adamw)(const AdamWStep<T> &step, int64_t n, const T *p, const T *g, const T *m, const T *v, T *newP, T *newM,
                T *newV);
  /// Σ x² over the range in double, in an order fixed by n.
  double (*sumSquares)(int64_t n, const T *x);
  /// The 4 · kPhiloxBlocks words of the Philox counters (first + i, word2, word3).
  void (*philox)(uint64_t first, uint32_t word2, uint32_t word3, uint32_t key0, uint32_t key1, uint32_t *words);
  /// y[i] = words[i] >= threshold ? x[i] · scale : 0.
  void (*keep)(int64_t n, const uint32_t *words, uint32_t threshold, T scale, const T *x, T *y);
};

/// The loops of the best instruction set that this processor has.
template <typename T> const VectorLoops<T> &vectorLoops();
/// Those of every instruction set that it has, best first; null-terminated.
template <typename T> const VectorLoops<T> *const *supportedLoops();

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_VECTORLOOPS_H
