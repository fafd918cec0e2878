//===- Loops_avx2.cpp - inner loops, AVX2 and FMA --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One instance of Loops.inc; the build adds the flags of the instruction set.
//
//===----------------------------------------------------------------------===//

#define MODELPAR_ISA avx2
#define MODELPAR_ISA_NAME "avx2"
#define MODELPAR_VECTOR_BYTES 32
// Rows and vectors of the accumulators of the matrix product: they, two vectors and a broadcast fill the registers.
#define MODELPAR_TILE_ROWS 6
#define MODELPAR_TILE_VECTORS 2

#include "runtime/kernels/cpu/isa/Loops.inc"
