//===- ParameterOpInterface.td ----------------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_PARAMETEROPINTERFACE
#define MODELPAR_INTERFACES_PARAMETEROPINTERFACE

include "mlir/IR/OpBase.td"

def ParameterOpInterface : OpInterface<"ParameterOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{ A symbol that declares a trained tensor. }];
  let methods = [
    InterfaceMethod<"The parameter's global type.", "::mlir::RankedTensorType", "getParameterType", (ins)>
  ];
}

def ParameterUseOpInterface : OpInterface<"ParameterUseOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{ An op that reads or writes a parameter (or a tensor kept for it), or names its gradient. }];
  let methods = [
    InterfaceMethod<"The symbol of the parameter.", "::llvm::StringRef", "getParameter", (ins)>,
    InterfaceMethod<"The value that is read (a result), written or named (an operand).",
      "::mlir::Value", "getParameterValue", (ins)>,
    InterfaceMethod<"True when the value is the parameter's gradient.", "bool", "isGradient", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<"Which tensor of the parameter: \"value\", the name of a state that an optimizer keeps, or \"gradient\".",
      "::llvm::StringRef", "getTensorName", (ins)>
  ];
}

#endif // MODELPAR_INTERFACES_PARAMETEROPINTERFACE
