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
      : step_(step), parts_(parts), crossings_(crossings),
        programs_(static_cast<size_t>(parts.numStages()) * kNumParts) {}

  void build();

private:
  /// What a program is made of, takes and gives.
  struct Program {
    mlir::SmallVector<mlir::Operation *> ops;
    llvm::DenseSet<mlir::Value> inputs; ///< Of the step.
    llvm::SetVector<mlir::Operation *> reads;
    mlir::SmallVector<mlir::Value> arguments, results;
    mlir::SmallVector<mlir::Attribute> argumentAttrs, resultAttrs;
    mlir::SmallVector<mlir::Value> received, sent;
  };
  Program &programOf(int64_t stage, Part part) {
    return programs_[static_cast<size_t>(stage) * kNumParts + static_cast<size_t>(part)];
  }
  void sortOps();
  void addUse(Program &program, mlir::Value value);
  void sortCrossings();
  void addOutputs();
  void build(int64_t stage, Part part);
  mlir::ArrayAttr namesOf(mlir::ArrayRef<mlir::Value> values);
  void clone(mlir::OpBuilder &builder, mlir::Operation *op, int64_t stage, mlir::IRMapping &mapping);

  mlir::func::FuncOp step_;
  const StepParts &parts_;
  const StageCrossings &crossings_;
  std::vector<Program> programs_; ///< By stage, then part.
};

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGEPROGRAMS_H
