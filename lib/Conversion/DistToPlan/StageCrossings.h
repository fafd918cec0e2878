//===- StageCrossings.h - values between programs ---------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A value that another program needs crosses to it: within a stage through a buffer, to
// another stage hop by hop between neighbours, activations in the forward programs and
// gradients in the backward programs. What a stage receives it can use, keep and send on.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGECROSSINGS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGECROSSINGS_H

#include "lib/Conversion/DistToPlan/StepParts.h"

#include "llvm/ADT/MapVector.h"

namespace modelpar {

struct Crossing {
  std::string name;
  bool accumulated = false;
  std::set<std::pair<int64_t, Part>> arguments; ///< Programs (stage and part) that find it in a buffer.
  Stages results;                               ///< Stages where the program that makes it leaves it in a buffer.
  Stages receivedIn;                            ///< Where its hops end: the stages beside the first on its way.
};

class StageCrossings {
public:
  StageCrossings(mlir::func::FuncOp step, const StepParts &parts) : step_(step), parts_(parts) {}

  /// Emits an error for a value that would have to flow against the order of programs.
  mlir::LogicalResult find();

  /// In the order of their first use by another program.
  const llvm::MapVector<mlir::Value, Crossing> &all() const { return crossings_; }
  /// Where the program of a stage sends its part's values: the next stage, or the one before.
  static int64_t peerOfSend(int64_t stage, Part part) { return part == Part::Forward ? stage + 1 : stage - 1; }
  static int64_t peerOfRecv(int64_t stage, Part part) { return part == Part::Forward ? stage - 1 : stage + 1; }

private:
  mlir::LogicalResult addUse(mlir::OpOperand &operand, int64_t stage);
  mlir::LogicalResult addHops(mlir::Operation *user, mlir::Value value, int64_t stage);
  void nameAll();
  std::string parameterOrOutputOf(mlir::Value value);

  mlir::func::FuncOp step_;
  const StepParts &parts_;
  llvm::MapVector<mlir::Value, Crossing> crossings_;
};

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STAGECROSSINGS_H
