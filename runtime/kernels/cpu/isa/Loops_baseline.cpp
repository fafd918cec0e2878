//===- Loops_baseline.cpp - inner loops, any processor ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One instance of Loops.inc; the build adds the flags of the instruction set.
//
//===----------------------------------------------------------------------===//

#define MODELPAR_ISA baseline
#define MODELPAR_ISA_NAME "baseline"
#define MODELPAR_VECTOR_BYTES 16
// Rows and vectors of the accumulators of the matrix product: they, two vectors and a broadcast fill the registers.
#define MODELPAR_TILE_ROWS 6
#define MODELPAR_TILE_VECTORS 2

#include "runtime/kernels/cpu/isa/Loops.inc"
