//===- DifferentiableOpInterface.td -----------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE
#define MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{
    Reverse-mode differentiation of one op. Gradient ops are ordinary nn ops over the
    same named factors. The builder must make separate ops for the gradients of
    activations and of parameters where they can be computed apart, so that they can go into
    separate functions.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the gradients of the operands for which `needed` is true. `resultGrads[i]` is the gradient of result i, or null
      when nothing depends on it (then it is zero). Returns one value per operand, null where
      the gradient is zero or not needed. The forward op's operands and results may be used.
      When the gradient does not exist (a result that is not differentiable has one, a needed one is missing) it emits an
      error on the op and returns an empty list.
    }],
      "::mlir::SmallVector<::mlir::Value>", "buildGradient",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGrads,
           "::llvm::ArrayRef<bool>":$needed)>,
    InterfaceMethod<[{True when the op may end a step: its one result is the loss, whose gradient is one, so buildGradient takes no
      result gradient.}], "bool", "isLoss", (ins), [{}], [{ return false; }]>
  ];
}

#endif // MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE
