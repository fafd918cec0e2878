//===- StepGradient.h - differentiation of the step -------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `@step` as a list of calls of blocks: which gradients each needs, their
// backward calls, and the update of the parameters.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_DIALECT_NN_TRANSFORMS_STEPGRADIENT_H
#define MODELPAR_LIB_DIALECT_NN_TRANSFORMS_STEPGRADIENT_H

#include "BlockGradient.h"

#include "llvm/ADT/MapVector.h"

#include <deque>
#include <map>

namespace modelpar::nn {

/// A call of a block. `call` is the forward call once there is one.
struct StepCall {
  mlir::func::CallOp call;
  mlir::func::FuncOp block;
  std::string blockName; ///< Without a role.
  GradientRequest request;
  const BlockGradient *gradient = nullptr;
};

struct StepParameter {
  ParameterOp op;
  mlir::Value value; ///< As read at the start of the step.
  llvm::SmallVector<mlir::Value> contributions;
  mlir::Value gradient;
};

/// The step while it is differentiated.
struct Step {
  Step(mlir::func::FuncOp function, mlir::SymbolTable &symbols) : function(function), symbols(symbols) {}

  mlir::func::FuncOp function;
  mlir::SymbolTable &symbols;
  std::vector<StepCall> calls;                                 ///< In order.
  llvm::MapVector<mlir::StringAttr, StepParameter> parameters; ///< By symbol name, in the order of their declaration.
  llvm::DenseMap<mlir::Value, mlir::StringAttr> parameterOfValue;
  std::deque<BlockGradient> blocks;

  mlir::func::ReturnOp terminator() { return mlir::cast<mlir::func::ReturnOp>(function.front().getTerminator()); }
  mlir::Value loss() { return terminator().getOperand(0); }
  /// The last argument.
  mlir::Value scalars() { return function.getArguments().back(); }
};

/// Reads the step: calls, parameters. Emits errors where it is not a step of phase import.
mlir::LogicalResult readStep(Step &step);
/// Decides which gradients each call needs, and gives calls of one block with different needs blocks of their own.
mlir::LogicalResult requestGradients(Step &step);
/// Differentiates the blocks, makes forward and backward calls, and joins the gradients of every parameter.
mlir::LogicalResult buildBackward(Step &step);
/// Adds gradients' names, the norm, the updates and the writes, and returns the norm beside the loss.
mlir::LogicalResult buildUpdate(Step &step, llvm::StringRef optimizer);

} // namespace modelpar::nn

#endif // MODELPAR_LIB_DIALECT_NN_TRANSFORMS_STEPGRADIENT_H
