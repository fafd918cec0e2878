//===- Passes.h - passes over the dist dialect ------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constructors and registration of the passes that Passes.td describes.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES_H

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace modelpar::dist {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES_H
