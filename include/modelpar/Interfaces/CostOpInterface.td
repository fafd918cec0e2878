//===- CostOpInterface.td ---------------------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_COSTOPINTERFACE
#define MODELPAR_INTERFACES_COSTOPINTERFACE

include "mlir/IR/OpBase.td"

def CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{
    How much an op computes. The op does `getFlopsPerPoint` floating-point operations for
    each point of the box spanned by all factors of its sharding rule, so a shard's share
    follows from its factors' local sizes.
  }];
  let methods = [
    InterfaceMethod<"Operations per point of the factor box (a multiply-add is two).",
      "double", "getFlopsPerPoint", (ins)>,
    InterfaceMethod<[{True when the operations are those of matrix products (they run at the device's matrix rate, and count as model
      FLOPs).}], "bool", "isMatrixOp", (ins), [{}], [{ return false; }]>
  ];
}

#endif // MODELPAR_INTERFACES_COSTOPINTERFACE
