//===- OneDnn.h - matrix product by oneDNN ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An alternative to Gemm.h for f32, taken when the build has oneDNN and the
// environment says MODELPAR_MATMUL=onednn. It is not the default: executing a oneDNN
// primitive allocates a little every time, and a step must not allocate.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_CPU_ONEDNN_H
#define MODELPAR_RUNTIME_KERNELS_CPU_ONEDNN_H

#include "runtime/base/Status.h"
#include "runtime/kernels/cpu/Gemm.h"

#include <memory>

namespace modelpar::runtime::cpu {

/// Primitives of one matmul op, cached by sizes and strides; used by one rank.
class OneDnnMatmul {
public:
  OneDnnMatmul();
  ~OneDnnMatmul();
  OneDnnMatmul(OneDnnMatmul &&) noexcept;
  OneDnnMatmul &operator=(OneDnnMatmul &&) noexcept;

  /// Error: MODELPAR_MATMUL is set to something else than "builtin" or "onednn".
  static Status checkEnvironment();
  /// True when the environment asks for oneDNN and the build has it.
  static bool selected();

  /// C = A·B, rows (or columns, when rows are few) divided over the threads by the sizes alone. `done` stays false, and
  /// nothing is computed, for strides that oneDNN does not take.
  Status run(ThreadPool *pool, int64_t m, int64_t n, int64_t k, Matrix<const float> a, Matrix<const float> b,
             Matrix<float> c, bool &done);

private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

} // namespace modelpar::runtime::cpu

#endif // MODELPAR_RUNTIME_KERNELS_CPU_ONEDNN_H
