//===- Dropout.h - which elements dropout keeps ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whether an element is dropped is a function of (seed, step, op key, call
// instance, global element index) alone, so every plan drops the same elements and
// the backward pass recomputes the mask. Philox's counter is (index / 4, step,
// instance); its key is the seed mixed with the op's key; the word is index mod 4.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_DROPOUT_H
#define MODELPAR_RUNTIME_KERNELS_CPU_DROPOUT_H

#include "runtime/base/Hash.h"
#include "runtime/base/Philox.h"
#include "runtime/kernels/Kernel.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <algorithm>

namespace modelpar::runtime::cpu {

class Dropout {
public:
  /// `scalars`: the fields of planformat::Scalar.
  Dropout(const double *scalars, double rate, int64_t opKey, int64_t instance) {
    using planformat::Scalar;
    auto field = [&](Scalar s) { return static_cast<uint64_t>(scalars[static_cast<int>(s)]); };
    uint64_t seed = field(Scalar::SeedLow) | field(Scalar::SeedHigh) << 32;
    key_ = philoxKey(mixHash(seed, static_cast<uint64_t>(opKey)));
    step_ = static_cast<uint32_t>(field(Scalar::Step));
    instance_ = static_cast<uint32_t>(instance);
    threshold_ = rate <= 0 ? 0 : rate >= 1 ? uint64_t{1} << 32 : static_cast<uint64_t>(rate * 0x1p32);
    scale_ = rate < 1 ? 1 / (1 - rate) : 0;
  }

  bool active() const { return threshold_ != 0; }

  /// y[i] = x[i] · scale where the element of global index first + i is kept, 0 where it is dropped. y may be x.
  template <typename T> void apply(int64_t n, int64_t first, const T *x, T *y) const {
    constexpr int64_t kWords = 4 * kPhiloxBlocks;
    if (threshold_ > UINT32_MAX) {
      std::fill_n(y, n, T(0));
      return;
    }
    const VectorLoops<T> &loops = vectorLoops<T>();
    uint32_t words[kWords];
    for (int64_t i = 0; i < n;) {
      const uint64_t index = static_cast<uint64_t>(first + i);
      const int64_t skip = static_cast<int64_t>(index % 4), count = std::min(n - i, kWords - skip);
      loops.philox(index / 4, step_, instance_, key_[0], key_[1], words);
      loops.keep(count, words + skip, static_cast<uint32_t>(threshold_), static_cast<T>(scale_), x + i, y + i);
      i += count;
    }
  }

private:
  PhiloxKey key_;
  uint32_t step_ = 0, instance_ = 0;
  uint64_t threshold_ = 0; ///< Words below it are dropped.
  double scale_ = 1;
};

/// Row-major index in the global tensor of the start of the shard's `row` (all dimensions but the last), as if the row
/// were whole; every dimension counts in positions.
inline int64_t globalIndexOfRow(const TensorView &view, int64_t row) {
  int64_t index = 0, stride = view.rank ? view.globalExtents[view.rank - 1] : 1;
  for (int d = view.rank - 2; d >= 0; --d) {
    index += view.order(d).position(row % view.extents[d] + view.offsets[d]) * stride;
    row /= view.extents[d];
    stride *= view.globalExtents[d];
  }
  return index;
}

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_DROPOUT_H
