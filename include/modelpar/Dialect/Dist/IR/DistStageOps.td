//===- DistStageOps.td - dist ops of the pipeline -*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DISTSTAGEOPS
#define MODELPAR_DIALECT_DIST_IR_DISTSTAGEOPS

include "modelpar/Dialect/Dist/IR/DistOpBase.td"

def Dist_StagePartsOp : Dist_Op<"stage_parts"> {
  let summary = "a sum over pipeline stages, of which each stage has its part";
  let description = [{
    Operand i is what stage `stages[i]` adds to the sum; a stage of the group without an operand adds zero. The result is that sum before
    it is joined: partial over the stages of the group. Gradients of a parameter that several stages use become one value this way, and the
    squares of all gradients. In a program (phase `staged`) only the stage's own part is left, or none.

    Constraints:
    * C1: operands have one type, which is the result's but for the group; all have a sharding on the module's mesh.
    * C2: the result is partial(sum) over `"pp"`, or over a subset of its coordinates: the group. Operands are not.
    * C3: one stage per operand, in ascending order, each of the group.

    ```mlir
    %1 = dist.stage_parts %a, %b stages [0, 3]
      : (tensor<8xf32, #dist.sharding<[{} ]>>, tensor<8xf32, #dist.sharding<[{} ]>>) -> tensor<8xf32, #dist.sharding<[{} ], partial={"pp"{0,-1}:sum}>>
    %2 = dist.all_reduce %1 over ["pp"{0,-1} ] kind sum : ...
    ```
  }];
  let arguments = (ins Variadic<Dist_Tensor>:$parts, DenseI64ArrayAttr:$stages);
  let results = (outs Dist_Tensor:$result);
  let assemblyFormat = "($parts^)? `stages` $stages attr-dict `:` functional-type($parts, $result)";
}

// What crosses stages, by name: the same names and types at both ends.
class Dist_TransferOp<string mnemonic> : Op<Dist_Dialect, mnemonic, [MemoryEffects<[MemRead, MemWrite]>]> {
  let hasVerifier = 1;
}

def Dist_SendOp : Dist_TransferOp<"send"> {
  let summary = "hand values of one micro-batch to a neighbouring stage, after the program";
  let description = [{
    Stands at the end of a program (phase `staged`). The ranks of the two stages that agree along all axes but `"pp"` are peers.

    Constraints:
    * C1: one name per value, at least one, all different.
    * C2: `peer` is a stage.

    ```mlir
    dist.send %0, %1 to 1 ["act.0", "act.3"] : tensor<8xf32>, tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Variadic<Dist_Tensor>:$values, I64Attr:$peer, StrArrayAttr:$buffers);
  let assemblyFormat = "$values `to` custom<Integer>($peer) $buffers attr-dict `:` type($values)";
}

def Dist_RecvOp : Dist_TransferOp<"recv"> {
  let summary = "values of one micro-batch from a neighbouring stage, there before the program";
  let description = [{
    Stands at the start of a program (phase `staged`).

    Constraints: as for `dist.send`.

    ```mlir
    %0:2 = dist.recv from 0 ["act.0", "act.3"] : tensor<8xf32>, tensor<8x4xf32>
    ```
  }];
  let arguments = (ins I64Attr:$peer, StrArrayAttr:$buffers);
  let results = (outs Variadic<Dist_Tensor>:$values);
  let assemblyFormat = "`from` custom<Integer>($peer) $buffers attr-dict `:` type($values)";
}

#endif // MODELPAR_DIALECT_DIST_IR_DISTSTAGEOPS
