//===- VectorLoops.cpp - choice of instruction set -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Asks the processor once which of the compiled instruction sets it has.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/VectorLoops.h"

namespace modelpar::runtime::cpu {

#define MODELPAR_DECLARE_LOOPS(isa)                                                                                    \
  namespace isa {                                                                                                      \
  const VectorLoops<float> &floatLoops();                                                                              \
  const VectorLoops<double> &doubleLoops();                                                                            \
  }
MODELPAR_DECLARE_LOOPS(baseline)
#ifdef MODELPAR_X86_LOOPS
MODELPAR_DECLARE_LOOPS(avx2)
MODELPAR_DECLARE_LOOPS(avx512)
#endif

namespace {

/// Filled once, when first asked for.
template <typename T> struct Supported {
  const VectorLoops<T> *list[4] = {};
  int count = 0;

  void add(const VectorLoops<T> &loops) { list[count++] = &loops; }
  Supported() {
    constexpr bool isFloat = sizeof(T) == sizeof(float);
    auto pick = [&](const VectorLoops<float> &(*floats)(), const VectorLoops<double> &(*doubles)()) {
      if constexpr (isFloat)
        add(floats());
      else
        add(doubles());
    };
#ifdef MODELPAR_X86_LOOPS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
      pick(avx512::floatLoops, avx512::doubleLoops);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      pick(avx2::floatLoops, avx2::doubleLoops);
#endif
    pick(baseline::floatLoops, baseline::doubleLoops);
  }
};

} // namespace

template <typename T> const VectorLoops<T> *const *supportedLoops() {
  static const Supported<T> supported;
  return supported.list;
}

template <typename T> const VectorLoops<T> &vectorLoops() { return **supportedLoops<T>(); }

template const VectorLoops<float> *const *supportedLoops();
template const VectorLoops<double> *const *supportedLoops();
template const VectorLoops<float> &vectorLoops();
template const VectorLoops<double> &vectorLoops();

} // namespace modelpar::runtime::cpu
