//===- StagePrograms.h - one function per program ---------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEPROGRAMS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEPROGRAMS_H

#include "lib/Conversion/DistToPlan/StageCrossings.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace modelpar {

/// Builds the programs of all stages in front of @step.
class ProgramBuilder {
public:
  ProgramBuilder(mlir::func::FuncOp step, const StepParts &parts, const StageCrossings &crossings)
      : step_(step), parts_(parts), crossings_(crossings) {}

  void build();

private:
  /// What a program takes and gives.
  struct Signature {
    mlir::SmallVector<mlir::Value> arguments, results;
    mlir::SmallVector<mlir::Attribute> argumentAttrs, resultAttrs;
    mlir::SmallVector<mlir::Value> received, sent;
  };
  /// What it is made of.
  struct Contents {
    mlir::SmallVector<mlir::Operation *> ops;
    llvm::SetVector<mlir::Value> inputs;
    llvm::SetVector<mlir::Operation *> reads;
  };
  void build(int64_t stage, Part part);
  Contents contentsOf(int64_t stage, Part part);
  Signature signatureOf(int64_t stage, Part part, const Contents &contents);
  void addCrossing(Signature &signature, mlir::Value value, const Crossing &crossing, int64_t stage, Part part);
  mlir::ArrayAttr namesOf(mlir::ArrayRef<mlir::Value> values);
  void clone(mlir::OpBuilder &builder, mlir::Operation *op, int64_t stage, mlir::IRMapping &mapping);

  mlir::func::FuncOp step_;
  const StepParts &parts_;
  const StageCrossings &crossings_;
};

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEPROGRAMS_H
