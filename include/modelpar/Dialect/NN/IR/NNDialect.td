//===- NNDialect.td - the nn dialect ----------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNDIALECT
#define MODELPAR_DIALECT_NN_IR_NNDIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::modelpar::nn";
  let summary = "Neural networks with global tensors: operators, gradients, optimizer update";
  let description = [{
    A model is a module of `nn.parameter` symbols, private block functions and one public
    function `@step`. Tensors are global: they have the extents of the whole batch and the
    whole layer, whatever the number of devices. A tensor type may carry a sharding as its
    encoding (see the `dist` dialect); no op of `nn` looks at encodings.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

#endif // MODELPAR_DIALECT_NN_IR_NNDIALECT
