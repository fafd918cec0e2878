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
    }],
      "::mlir::SmallVector<::mlir::Value>", "buildGradient",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGrads,
           "::llvm::ArrayRef<bool>":$needed)>
  ];
}

#endif // MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE
