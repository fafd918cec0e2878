//===- StepLoop.h - what of @step runs once per micro-batch -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The gradients of parameters leave the micro-batch loop as sums. What makes them runs in
// it, also where it reads the gradient of another parameter: that of a bias is what a
// product beside it passes on. What reads gradients otherwise comes after the loop.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_STEPLOOP_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_STEPLOOP_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace modelpar::dist {

class StepLoop {
public:
  explicit StepLoop(mlir::func::FuncOp step);

  /// What each stage adds to the gradients of parameters, in the order of their nn.gradient.
  const llvm::SetVector<mlir::Value> &gradients() const { return gradients_; }
  /// True when a gradient is made by the op, or of its results.
  bool contains(mlir::Operation *op) const { return ops.contains(op); }
  /// Keeps up with a change: what reads gradients before they leave the loop, what is erased.
  void insert(mlir::Operation *op) { ops.insert(op); }
  void erase(mlir::Operation *op) { ops.erase(op); }

private:
  llvm::SetVector<mlir::Value> gradients_;
  llvm::DenseSet<mlir::Operation *> ops;
};

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_STEPLOOP_H
