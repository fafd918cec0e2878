//===- InPlaceOpInterface.td ------------------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_INPLACEOPINTERFACE
#define MODELPAR_INTERFACES_INPLACEOPINTERFACE

include "mlir/IR/OpBase.td"

def InPlaceOpInterface : OpInterface<"InPlaceOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{
    An op whose kernels may write a result over an operand's bytes: element i of the result is written after every
    operand's element i has been read, and nothing else of that operand is read later. Whether the operand is dead is the
    memory planner's question.
  }];
  let methods = [
    InterfaceMethod<"Operands whose bytes the result may take when its type is the same, best first.",
      "::llvm::SmallVector<unsigned>", "getInPlaceOperands", (ins "unsigned":$result), [{}],
      [{ return result == 0 ? ::llvm::SmallVector<unsigned>{0} : ::llvm::SmallVector<unsigned>{}; }]>
  ];
}

#endif // MODELPAR_INTERFACES_INPLACEOPINTERFACE
