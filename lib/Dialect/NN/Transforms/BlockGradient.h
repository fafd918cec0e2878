//===- BlockGradient.h - differentiation of one block function --*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block function becomes a forward function and up to two backward functions.
// A description of where their arguments come from and what their results are
// tells the step how to call them; that is all the step needs to know.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_DIALECT_NN_TRANSFORMS_BLOCKGRADIENT_H
#define MODELPAR_LIB_DIALECT_NN_TRANSFORMS_BLOCKGRADIENT_H

#include "modelpar/Dialect/NN/Transforms/Passes.h"

#include <optional>
#include <vector>

namespace modelpar::nn {

/// What a block's operand is in `@step`.
enum class OperandKind { Parameter, Input, Activation };

/// Which gradients the calls of a block need; calls with equal requests share their functions.
struct GradientRequest {
  std::vector<OperandKind> kinds;
  std::vector<bool> active;      ///< Operands whose gradient is needed, if there is a path.
  std::vector<bool> resultGrads; ///< Results that come with a gradient.
  int loss = -1;                 ///< The result that is the loss, or -1.
  auto operator<=>(const GradientRequest &) const = default;
};

/// Where `@step` finds a value that a backward function takes, or a gradient. Arguments are in this order.
struct Source {
  enum Kind {
    ResultGradient, ///< The gradient of the block's result `index`.
    ForwardResult,  ///< Result `index` of the forward call (saved values follow the block's own).
    Operand,        ///< Operand `index` of the forward call.
    BackwardInputResult,
    BackwardWeightResult
  };
  Kind kind;
  unsigned index;
  auto operator<=>(const Source &) const = default;
};

/// The functions of a block and how to call them. A function that would be empty is null.
struct BlockGradient {
  mlir::func::FuncOp forward, backwardInput, backwardWeight;
  std::vector<Source> inputArguments, weightArguments;
  std::vector<std::optional<Source>> operandGradients; ///< Per operand of the block.
};

/// Results of `block` that depend on an active operand through floating-point values.
std::vector<bool> activeResults(mlir::func::FuncOp block, const std::vector<bool> &activeOperands);
/// Operands of `block` that a result in `results` depends on.
std::vector<bool> reachedOperands(mlir::func::FuncOp block, const std::vector<bool> &results);

/// Turns `block` into its forward function (renamed, with saved values as further results) and makes the backward ones
/// beside it. Emits an error where the block cannot be differentiated.
mlir::FailureOr<BlockGradient> differentiateBlock(mlir::func::FuncOp block, const GradientRequest &request,
                                                  mlir::SymbolTable &symbols);

/// A private function `name` of one role beside `after`, with an empty entry block for `arguments`.
mlir::func::FuncOp createRoleFunction(mlir::func::FuncOp after, llvm::StringRef name, Role role,
                                      mlir::TypeRange arguments, mlir::SymbolTable &symbols);
/// Ends a function with a return of `results` and gives it the type that follows.
void finishFunction(mlir::func::FuncOp function, mlir::ValueRange results);

} // namespace modelpar::nn

#endif // MODELPAR_LIB_DIALECT_NN_TRANSFORMS_BLOCKGRADIENT_H
