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
enum class Isa { Baseline, Avx2, Avx512 };

Isa detect() {
#ifdef MODELPAR_X86_LOOPS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return Isa::Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return Isa::Avx2;
#endif
  return Isa::Baseline;
}

const Isa kIsa = detect();
} // namespace

template <> const VectorLoops<float> &vectorLoops<float>() {
#ifdef MODELPAR_X86_LOOPS
  if (kIsa == Isa::Avx512)
    return avx512::floatLoops();
  if (kIsa == Isa::Avx2)
    return avx2::floatLoops();
#endif
  return baseline::floatLoops();
}

template <> const VectorLoops<double> &vectorLoops<double>() {
#ifdef MODELPAR_X86_LOOPS
  if (kIsa == Isa::Avx512)
    return avx512::doubleLoops();
  if (kIsa == Isa::Avx2)
    return avx2::doubleLoops();
#endif
  return baseline::doubleLoops();
}

} // namespace modelpar::runtime::cpu
