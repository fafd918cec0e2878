//===- NNUpdateOps.td - nn ops of the optimizers ----------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNUPDATEOPS
#define MODELPAR_DIALECT_NN_IR_NNUPDATEOPS

include "modelpar/Dialect/NN/IR/NNOpBase.td"

def NN_SumSquaresOp : NN_ComputeOp<"sum_squares", [], DeclareOpInterfaceMethods<CostOpInterface>, NN_SumOverOperands> {
  let summary = "sum of the squares of all elements of all operands -> scalar";
  let description = [{
    Every operand's dimensions are reductions of their own. isSumOverOperands: the partitioner splits it by the axes
    the operands are sharded over, so each element counts once.

    - C1: there is at least one operand.
    - C2: the result has no dimension, and f32 elements (f64 when the first operand is f64).

    ```mlir
    %s = nn.sum_squares %a, %b : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs);
  let results = (outs NN_Tensor:$result);
}

def NN_ClipScaleOp : NN_ComputeOp<"clip_scale"> {
  let summary = "sum of squares -> norm, scale = min(1, clip / norm), or 0 when the norm is not finite";
  let description = [{
    norm = √sum_squares. clip (a scalar of the step) <= 0 means no clipping: scale 1. An update with scale 0 changes nothing.

    - C1: the operand and both results have no dimension and one element type.
    - C2: `scalars` has 16 elements.

    ```mlir
    %norm, %scale = nn.clip_scale %s, %scalars : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$sum_squares, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$norm, NN_Tensor:$scale);
}

def NN_AdamWOp : NN_ComputeOp<"adamw", [NN_InPlaceOf]> {
  let summary = "AdamW (Loshchilov and Hutter, arXiv:1711.05101) with bias correction; returns new parameter and moments";
  let description = [{
    With lr, wd, β₁, β₂, ε and the number n of the update (from 1) of the scalars, and g = scale · grad:

        m' = β₁·m + (1-β₁)·g        v' = β₂·v + (1-β₂)·g²
        p' = (1 - lr·wd)·p - lr · (m'/(1-β₁ⁿ)) / (√(v'/(1-β₂ⁿ)) + ε)

    `weight_decay` false: wd is 0. With scale 0 all results are the operands unchanged (a skipped step), and the next
    step's n is the same.

    - C1: grad and new_parameter have the parameter's shape and element type.
    - C2: `scale` has no dimension, and f32 elements (f64 for an f64 parameter).
    - C3: `scalars` has 16 elements.
    - C4: the moments have the parameter's shape, and f32 elements (f64 for an f64 parameter).

    ```mlir
    %p1, %m1, %v1 = nn.adamw %p, %g, %m, %v, %scale, %scalars {weight_decay = true}
        : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<f32>, tensor<16xf64>)
       -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$parameter, NN_Tensor:$grad, NN_Tensor:$exp_avg, NN_Tensor:$exp_avg_sq,
                       NN_Tensor:$scale, NN_Scalars:$scalars, BoolAttr:$weight_decay);
  let results = (outs NN_Tensor:$new_parameter, NN_Tensor:$new_exp_avg, NN_Tensor:$new_exp_avg_sq);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {result == 0 ? 0u : result + 1}; }
  }];
}

def NN_SgdOp : NN_ComputeOp<"sgd", [NN_InPlace]> {
  let summary = "parameter - lr · (scale · grad + weight decay · parameter)";
  let description = [{
    `weight_decay` false: no decay. With scale 0 the result is the parameter unchanged (a skipped step).

    - C1: grad and new_parameter have the parameter's shape and element type.
    - C2: `scale` has no dimension, and f32 elements (f64 for an f64 parameter).
    - C3: `scalars` has 16 elements.

    ```mlir
    %p1 = nn.sgd %p, %g, %scale, %scalars {weight_decay = true}
        : (tensor<64xf32>, tensor<64xf32>, tensor<f32>, tensor<16xf64>) -> tensor<64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$parameter, NN_Tensor:$grad, NN_Tensor:$scale, NN_Scalars:$scalars, BoolAttr:$weight_decay);
  let results = (outs NN_Tensor:$new_parameter);
}

#endif // MODELPAR_DIALECT_NN_IR_NNUPDATEOPS
