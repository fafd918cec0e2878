//===- Loops_avx512.cpp - inner loops, AVX-512F ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One instance of Loops.inc; the build adds the flags of the instruction set.
//
//===----------------------------------------------------------------------===//

#define MODELPAR_ISA avx512
#define MODELPAR_ISA_NAME "avx512"
#define MODELPAR_VECTOR_BYTES 64
// Rows and vectors of the accumulators of the matrix product: they, two vectors and a broadcast fill the registers.
#define MODELPAR_TILE_ROWS 12
#define MODELPAR_TILE_VECTORS 2

#include "runtime/kernels/cpu/isa/Loops.inc"
