//===- Passes.h - passes over the nn dialect --------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constructors and registration of the passes that Passes.td describes.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_TRANSFORMS_PASSES_H
#define MODELPAR_DIALECT_NN_TRANSFORMS_PASSES_H

#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace modelpar::nn {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "modelpar/Dialect/NN/Transforms/Passes.h.inc"

} // namespace modelpar::nn

#endif // MODELPAR_DIALECT_NN_TRANSFORMS_PASSES_H
