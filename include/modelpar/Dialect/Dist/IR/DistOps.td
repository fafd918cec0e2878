//===- DistOps.td - ops of the dist dialect -*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DISTOPS
#define MODELPAR_DIALECT_DIST_IR_DISTOPS

include "modelpar/Dialect/Dist/IR/DistOpBase.td"
include "modelpar/Dialect/Dist/IR/DistStageOps.td"

def Dist_ReshardOp : Dist_UnaryOp<"reshard"> {
  let summary = "the same tensor under another sharding";
  let description = [{
    What must be communicated follows from the two types; `dist-lower-reshard` writes it out as the ops below.

    Constraints:
    * C1: operand and result have one global shape and element type, and a sharding on the module's mesh.
    * C2: there is a path: nothing is gathered or reduced over the axis of time, and nothing becomes partial.

    ```mlir
    %1 = dist.reshard %0 : tensor<8x4xf32, #dist.sharding<[{"tp"}, {} ]>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"} ]>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def Dist_AllReduceOp : Dist_Op<"all_reduce"> {
  let summary = "join partial values over axes; several tensors are one grouped launch";
  let description = [{
    Constraints:
    * C1: each operand and its result have one global shape and element type, and a sharding on the module's mesh.
    * C2: as many results as operands, at least one.
    * C3: every operand is partial of this kind over all of `axes`; its result is the same without them.
    * C4: `axes` is not empty and has no axis of time.

    ```mlir
    %1 = dist.all_reduce %0 over ["tp"] kind sum
      : (tensor<8xf32, #dist.sharding<[{} ], partial={"tp":sum}>>) -> tensor<8xf32, #dist.sharding<[{} ]>>
    ```
  }];
  let arguments = (ins Variadic<Dist_Tensor>:$inputs, Dist_AxesAttr:$axes, Dist_ReduceKindAttr:$kind);
  let results = (outs Variadic<Dist_Tensor>:$outputs);
  let assemblyFormat = [{
    $inputs `over` custom<AxisList>($axes) `kind` `` $kind attr-dict `:` functional-type($inputs, $outputs)
  }];
}

def Dist_AllGatherOp : Dist_UnaryOp<"all_gather"> {
  let summary = "make a dimension whole over its minor axes";
  let description = [{
    Constraints:
    * C1: as for reshard.
    * C2: dimension `dim` of the operand ends in `axes`; the result's does not have them, and is equal elsewhere.
    * C3: `axes` is not empty and has no axis of time.

    ```mlir
    %1 = dist.all_gather %0 dim 0 over ["tp"]
      : tensor<8x4xf32, #dist.sharding<[{"dp", "tp"}, {} ]>> -> tensor<8x4xf32, #dist.sharding<[{"dp"}, {} ]>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input, I64Attr:$dim, Dist_AxesAttr:$axes);
  let assemblyFormat = [{
    $input `dim` custom<Integer>($dim) `over` custom<AxisList>($axes) attr-dict `:` type($input) `->` type($result)
  }];
}

def Dist_ReduceScatterOp : Dist_UnaryOp<"reduce_scatter"> {
  let summary = "join partial values over axes and deal the result out along a dimension";
  let description = [{
    Constraints:
    * C1: as for reshard.
    * C2: the operand is partial of this kind over all of `axes`; the result is not, and its dimension `dim` has them as its minor axes.
    * C3: `axes` is not empty and has no axis of time.

    ```mlir
    %1 = dist.reduce_scatter %0 dim 0 over ["tp"] kind sum
      : tensor<8x4xf32, #dist.sharding<[{}, {} ], partial={"tp":sum}>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {} ]>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input, I64Attr:$dim, Dist_AxesAttr:$axes, Dist_ReduceKindAttr:$kind);
  let assemblyFormat = [{
    $input `dim` custom<Integer>($dim) `over` custom<AxisList>($axes) `kind` `` $kind attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Dist_AllToAllOp : Dist_UnaryOp<"all_to_all"> {
  let summary = "move axes from one dimension to another";
  let description = [{
    Constraints:
    * C1: as for reshard.
    * C2: dimension `source_dim` of the operand ends in `axes`; in the result `dim` ends in them instead.
    * C3: `axes` is not empty and has no axis of time; the two dimensions differ.

    ```mlir
    %1 = dist.all_to_all %0 from 0 to 1 over ["tp"]
      : tensor<8x4xf32, #dist.sharding<[{"tp"}, {} ]>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"} ]>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input, I64Attr:$source_dim, I64Attr:$dim, Dist_AxesAttr:$axes);
  let assemblyFormat = [{
    $input `from` custom<Integer>($source_dim) `to` custom<Integer>($dim) `over` custom<AxisList>($axes) attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Dist_CollectivePermuteOp : Dist_Op<"collective_permute"> {
  let summary = "pass shards on to later coordinates of an axis, the last to the first; several tensors are one grouped launch";
  let description = [{
    The rank with coordinate c sends its shard to the rank with coordinate c + `shift`, modulo the axis' size: the shift of the axis in the
    tensor's sharding grows by as much. A step of ring attention.

    Constraints:
    * C1: each operand and its result have one global shape and element type, and a sharding on the module's mesh.
    * C2: as many results as operands, at least one.
    * C3: `axes` is one axis of space (or a part of one), plain: not shifted, not balanced, without subset.
    * C4: 0 < `shift` < the axis' size.
    * C5: a dimension of every operand is split over the axis; the result's is the same with `shift` more.

    ```mlir
    %1 = dist.collective_permute %0 shift 1 over ["cp"]
      : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {} ]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {} ]>>
    ```
  }];
  let arguments = (ins Variadic<Dist_Tensor>:$inputs, I64Attr:$shift, Dist_AxesAttr:$axes);
  let results = (outs Variadic<Dist_Tensor>:$outputs);
  let assemblyFormat = [{
    $inputs `shift` custom<Integer>($shift) `over` custom<AxisList>($axes) attr-dict `:` functional-type($inputs, $outputs)
  }];
}

def Dist_SliceOp : Dist_UnaryOp<"slice"> {
  let summary = "each rank (and micro-batch) keeps its part of a dimension; no communication";
  let description = [{
    Constraints:
    * C1: as for reshard.
    * C2: the operand is replicated over `axes`; the result's dimension `dim` has them as its minor axes.

    ```mlir
    %1 = dist.slice %0 dim 0 over ["tp"]
      : tensor<8x4xf32, #dist.sharding<[{}, {} ]>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {} ]>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input, I64Attr:$dim, Dist_AxesAttr:$axes);
  let assemblyFormat = [{
    $input `dim` custom<Integer>($dim) `over` custom<AxisList>($axes) attr-dict `:` type($input) `->` type($result)
  }];
}

def Dist_AccumulateOp : Dist_Op<"accumulate"> {
  let summary = "the sum of values over all micro-batches, in an f32 (or f64) buffer";
  let description = [{
    Where a value leaves the micro-batch loop. Several operands are several contributions of every micro-batch to one sum
    (a parameter that is used twice). Without an axis of time there is one micro-batch, and the op still marks the place.

    Constraints:
    * C1: operands and result have one global shape, and a sharding on the module's mesh; operands have one type, and the result's
      elements are f32 (f64 for f64).
    * C2: the operands are partial(sum) over all of the axis of time `mb` when the mesh has it, and the result is the same without it.

    ```mlir
    %1 = dist.accumulate %0 over "mb"
      : (tensor<8xbf16, #dist.sharding<[{} ], partial={"mb":sum}>>) -> tensor<8xf32, #dist.sharding<[{} ]>>
    ```
  }];
  let arguments = (ins Variadic<Dist_Tensor>:$inputs);
  let results = (outs Dist_Tensor:$result);
  let assemblyFormat = [{
    $inputs `over` custom<AxisName>("::modelpar::sharding::kMicroBatchAxis") attr-dict `:` functional-type($inputs, $result)
  }];
}

def Dist_AssumeOp : Dist_UnaryOp<"assume"> {
  let summary = "claim that a value has another sharding (tests only)";
  let description = [{
    Moves no data and proves nothing: each rank's bytes are taken for what the result type says. `test-mutate-reductions` leaves it
    around a reduction that it changes, so that the wrong module can still be run; `verify-partitioned` rejects it.

    Constraints:
    * C1: operand and result have one element type, and a sharding on the module's mesh.
    * C2: the (largest) shards of operand and result have one shape; the global shapes may differ.

    ```mlir
    %1 = dist.assume %0 : tensor<8xf32, #dist.sharding<[{"dp"} ]>> -> tensor<4xf32, #dist.sharding<[{} ], partial={"dp":sum}>>
    ```
  }];
  let arguments = (ins Dist_Tensor:$input);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

#endif // MODELPAR_DIALECT_DIST_IR_DISTOPS
