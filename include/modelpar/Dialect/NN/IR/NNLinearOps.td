//===- NNLinearOps.td - linear algebra and elementwise nn ops ---*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNLINEAROPS
#define MODELPAR_DIALECT_NN_IR_NNLINEAROPS

include "modelpar/Dialect/NN/IR/NNOpBase.td"

def NN_MatmulOp : NN_ComputeOp<"matmul", [NN_Differentiable], NN_MatrixCost> {
  let summary = "contraction of two tensors, in einsum notation";
  let description = [{
    Each letter of `subscripts` is a factor. The result at an index is the sum of lhs · rhs over all values of the letters that the result
    lacks. Products of f32 and smaller types are accumulated in f32. The gradients are matmuls over the same letters.

    - C1: `subscripts` has the form `ab,bc->ac`: letters for lhs, rhs and result.
    - C2: each tensor has as many letters as dimensions.
    - C3: no letter is twice in one tensor.
    - C4: a letter has one size in all tensors.
    - C5: every letter is in two or three of the tensors (no sum or broadcast of one operand alone).
    - C6: the element types are equal.

    ```mlir
    %y = nn.matmul %x, %w {subscripts = "bsh,hf->bsf"} : (tensor<2x8x32xf32>, tensor<32x64xf32>) -> tensor<2x8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs, StrAttr:$subscripts);
  let results = (outs NN_Tensor:$result);
}

def NN_AddOp : NN_ComputeOp<"add", [NN_InPlaceOf, NN_Differentiable]> {
  let summary = "elementwise sum; the right side may lack leading dimensions (a bias)";
  let description = [{
    Linear in both operands together: partial operands over the same axes may be added before they are reduced.

    - C1: the shape of rhs is that of lhs, or its last dimensions.
    - C2: rhs and result have the element type of lhs, the result its shape.

    ```mlir
    %y = nn.add %x, %bias : (tensor<2x8x32xf32>, tensor<32xf32>) -> tensor<2x8x32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_Tensor:$result);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {0, 1}; }
  }];
}

def NN_MulOp : NN_ComputeOp<"mul", [NN_InPlaceOf, NN_Differentiable]> {
  let summary = "elementwise product of tensors of one shape";
  let description = [{
    - C1: operands and result have one shape and element type.

    ```mlir
    %y = nn.mul %a, %b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_Tensor:$result);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {0, 1}; }
  }];
}

def NN_ReduceSumOp : NN_ComputeOp<"reduce_sum"> {
  let summary = "sum over the leading dimensions that the result lacks (a bias's gradient)";
  let description = [{
    - C1: the result's shape is the last dimensions of the input's, without at least the first.
    - C2: the element types are equal.

    ```mlir
    %g = nn.reduce_sum %grad : (tensor<2x8x32xf32>) -> tensor<32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
}

def NN_SumOp : NN_ComputeOp<"sum", [NN_InPlace, NN_Differentiable]> {
  let summary = "sum of tensors of one shape";
  let description = [{
    Adds in operand order. Linear in all operands together: partial operands over the same axes may be added before they are reduced.

    - C1: there is at least one operand.
    - C2: operands and result have one shape and element type.

    ```mlir
    %s = nn.sum %a, %b, %c : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs);
  let results = (outs NN_Tensor:$result);
}

def NN_ActivationOp : NN_ComputeOp<"activation", [NN_InPlace, NN_Differentiable]> {
  let summary = "elementwise non-linearity";
  let description = [{
    With Φ the normal distribution function and σ(x) = 1/(1+exp(-x)): `relu` max(x, 0); `gelu` x·Φ(x) by erf; `gelu_tanh`
    x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (GPT-2's); `silu` x·σ(x); `tanh`; `sigmoid` σ(x).

    - C1: the result has the input's shape and element type.

    ```mlir
    %y = nn.activation %x {kind = #nn.activation<gelu_tanh>} : (tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_ActivationKindAttr:$kind);
  let results = (outs NN_Tensor:$result);
}

def NN_ActivationGradOp : NN_ComputeOp<"activation_grad", [NN_InPlace]> {
  let summary = "gradient of activation: grad · f'(input)";
  let description = [{
    The derivative of `relu` at 0 is 0.

    - C1: operands and result have one shape and element type.

    ```mlir
    %g = nn.activation_grad %grad, %x {kind = #nn.activation<relu>} : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_ActivationKindAttr:$kind);
  let results = (outs NN_Tensor:$result);
}

def NN_DropoutOp : NN_ComputeOp<"dropout", [NN_InPlace, NN_Differentiable]> {
  let summary = "zero elements with probability `rate`, scale the others by 1/(1-rate)";
  let description = [{
    Counter-based: whether element i (row-major in the global tensor) is dropped is a function of (seed, step, `key`, call instance, i)
    alone, whatever the plan. Seed and step are scalars; the instance is the `nn.instance` of the call that the op is executed in; `key`
    tells the dropouts of one block apart and must be different for each of them (`dropout_key` of attention included). The
    gradient is the same op on the gradient, with the same key.

    - C1: the result has the input's shape and element type.
    - C2: `scalars` has 16 elements.
    - C3: 0 <= `rate` < 1.

    ```mlir
    %y = nn.dropout %x, %scalars {rate = 0.1, key = 3} : (tensor<8x64xf32>, tensor<16xf64>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Scalars:$scalars, F64Attr:$rate, I64Attr:$key);
  let results = (outs NN_Tensor:$result);
}

def NN_UnpackOp : NN_ComputeOp<"unpack", [NN_Differentiable]> {
  let summary = "take the members of a packed dimension apart: [.., n, ..] to n tensors [.., ..]";
  let description = [{
    Member i is the slice at index i of dimension `dim`. Every member's gradient is needed for the input's.

    - C1: `dim` is a dimension of the packed tensor.
    - C2: there are as many members as the size of `dim`.
    - C3: a member has the packed tensor's shape without `dim`, and its element type.

    ```mlir
    %q, %k = nn.unpack %x {dim = 1} : (tensor<8x2x12x64xf32>) -> (tensor<8x12x64xf32>, tensor<8x12x64xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, I64Attr:$dim);
  let results = (outs Variadic<NN_Tensor>:$members);
}

def NN_PackOp : NN_ComputeOp<"pack", [NN_Differentiable]> {
  let summary = "the reverse of unpack";
  let description = [{
    - C1: `dim` is a dimension of the packed tensor.
    - C2: there are as many members as the size of `dim`.
    - C3: a member has the packed tensor's shape without `dim`, and its element type.

    ```mlir
    %x = nn.pack %q, %k {dim = 1} : (tensor<8x12x64xf32>, tensor<8x12x64xf32>) -> tensor<8x2x12x64xf32>
    ```
  }];
  let arguments = (ins Variadic<NN_Tensor>:$members, I64Attr:$dim);
  let results = (outs NN_Tensor:$result);
}

#endif // MODELPAR_DIALECT_NN_IR_NNLINEAROPS
