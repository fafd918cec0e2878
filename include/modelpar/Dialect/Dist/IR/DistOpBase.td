//===- DistOpBase.td - what dist ops share -*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DISTOPBASE
#define MODELPAR_DIALECT_DIST_IR_DISTOPBASE

include "modelpar/Dialect/Dist/IR/DistAttrs.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Dist_Tensor : RankedTensorOf<[AnyType]>;

class Dist_Op<string mnemonic, list<Trait> traits = []> : Op<Dist_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

// One tensor in, one out. The verifiers share C1: operand and result have one global shape and element type, and each a sharding
// that is well formed on the module's mesh.
class Dist_UnaryOp<string mnemonic> : Dist_Op<mnemonic> {
  let results = (outs Dist_Tensor:$result);
}

#endif // MODELPAR_DIALECT_DIST_IR_DISTOPBASE
