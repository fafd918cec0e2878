//===- NNOps.td - ops of the nn dialect -------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNOPS
#define MODELPAR_DIALECT_NN_IR_NNOPS

include "modelpar/Dialect/NN/IR/NNAttrs.td"
include "modelpar/Interfaces/ShardingRuleOpInterface.td"
include "modelpar/Interfaces/CostOpInterface.td"
include "modelpar/Interfaces/DifferentiableOpInterface.td"
include "modelpar/Interfaces/InPlaceOpInterface.td"
include "modelpar/Interfaces/ParameterOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

// Tensors of floats, of 32-bit integers (tokens, labels, positions), and the scalars of a step.
def NN_Tensor : RankedTensorOf<[F32, F64, BF16, F16], [HasStaticShapePred], "statically shaped tensor">;
def NN_IntTensor : RankedTensorOf<[I32], [HasStaticShapePred], "statically shaped tensor">;
def NN_Scalars : RankedTensorOf<[F64], [HasStaticShapePred], "statically shaped tensor">;

// What parameter ops read and write. Reads of one parameter may merge, but none moves over a write.
def NN_ParameterMemory : Resource<"::modelpar::nn::ParameterMemory">;
def NN_GradientMemory : Resource<"::modelpar::nn::GradientMemory">;

class NN_Op<string mnemonic, list<Trait> traits = []> : Op<NN_Dialect, mnemonic, traits>;

// A pure computation on tensors with a sharding rule and a cost.
class NN_ComputeOp<string mnemonic, list<Trait> traits = [],
                   Trait cost = DeclareOpInterfaceMethods<CostOpInterface>,
                   Trait rule = DeclareOpInterfaceMethods<ShardingRuleOpInterface>>
    : NN_Op<mnemonic, !listconcat([Pure, rule, cost], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
defvar NN_Differentiable = DeclareOpInterfaceMethods<DifferentiableOpInterface>;
defvar NN_Loss = DeclareOpInterfaceMethods<DifferentiableOpInterface, ["isLoss"]>;
defvar NN_MatrixCost = DeclareOpInterfaceMethods<CostOpInterface, ["isMatrixOp"]>;
// Result 0 may take the bytes of operand 0; ops that differ define getInPlaceOperands.
def NN_InPlace : DeclareOpInterfaceMethods<InPlaceOpInterface>;
def NN_InPlaceOf : DeclareOpInterfaceMethods<InPlaceOpInterface, ["getInPlaceOperands"]>;
defvar NN_SumOverOperands = DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["isSumOverOperands", "buildSumOfResults"]>;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

def NN_ParameterOp : NN_Op<"parameter", [Symbol, DeclareOpInterfaceMethods<ParameterOpInterface>]> {
  let summary = "a trained tensor and its optimizer state";
  let description = [{
    Declares a parameter of the model: its type, its first values, and where a Hugging Face checkpoint keeps it. The checkpoint's tensor
    is a row-major reshape of the parameter. `weight_decay` says whether the optimizer decays it. AdamW's moments (slots `exp_avg`
    and `exp_avg_sq`) start at zero and have f32 elements (f64 for an f64 parameter).

    - C1: the extents of `checkpoint_shape` are positive and have the product of those of `type`.

    ```mlir
    nn.parameter @h.qkv : tensor<768x3x12x64xf32> init <normal, 0.0, 2.0e-02> checkpoint "h.c_attn.weight" [768, 2304]
    nn.parameter @h.bias : tensor<768xf32> init <zeros> checkpoint "h.bias" [768] {weight_decay = false}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<NN_Tensor>:$type, NN_InitAttr:$init,
                       StrAttr:$checkpoint_name, DenseI64ArrayAttr:$checkpoint_shape,
                       DefaultValuedAttr<BoolAttr, "true">:$weight_decay);
  let assemblyFormat = "$sym_name `:` $type `init` $init `checkpoint` $checkpoint_name $checkpoint_shape attr-dict";
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::mlir::RankedTensorType $cppClass::getParameterType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
  }];
}

// getParameter is each op's own accessor.
def NN_ParameterUse : DeclareOpInterfaceMethods<ParameterUseOpInterface>;
def NN_ParameterGradient : DeclareOpInterfaceMethods<ParameterUseOpInterface, ["isGradient"]>;

def NN_ReadParameterOp : NN_Op<"read_parameter", [MemoryEffects<[MemRead<NN_ParameterMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterUse]> {
  let summary = "the value of a parameter, or of its optimizer state";
  let description = [{
    Two reads of one parameter may merge; no read moves over an `nn.write_parameter`.

    - C1: `parameter` names an `nn.parameter`.
    - C2: the shape is the parameter's, the element type that of the slot.

    ```mlir
    %w = nn.read_parameter @w : tensor<64x256xf32>
    %m = nn.read_parameter @w {slot = #nn.slot<exp_avg>} : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter,
                       DefaultValuedAttr<NN_ParameterSlotAttr, "ParameterSlot::value">:$slot);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getResult(); }
  }];
}

def NN_WriteParameterOp : NN_Op<"write_parameter", [MemoryEffects<[MemWrite<NN_ParameterMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterUse]> {
  let summary = "replace the value of a parameter, or of its optimizer state";
  let description = [{
    - C1: `parameter` names an `nn.parameter`.
    - C2: the shape is the parameter's, the element type that of the slot.

    ```mlir
    nn.write_parameter @w, %new : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, NN_Tensor:$value,
                       DefaultValuedAttr<NN_ParameterSlotAttr, "ParameterSlot::value">:$slot);
  let assemblyFormat = "$parameter `,` $value attr-dict `:` type($value)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getValue(); }
  }];
}

def NN_GradientOp : NN_Op<"gradient", [MemoryEffects<[MemWrite<NN_GradientMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterGradient]> {
  let summary = "name a value as the gradient of a parameter, whole and before clipping";
  let description = [{
    Marks which buffer `--dump-grads` and the update read.

    - C1: `parameter` names an `nn.parameter`.
    - C2: shape and element type are the parameter's.

    ```mlir
    nn.gradient @w, %g : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, NN_Tensor:$value);
  let assemblyFormat = "$parameter `,` $value attr-dict `:` type($value)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getValue(); }
    bool $cppClass::isGradient() { return true; }
  }];
}

//===----------------------------------------------------------------------===//
// Linear algebra and elementwise
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Embedding, norm, attention
//===----------------------------------------------------------------------===//

def NN_EmbeddingOp : NN_ComputeOp<"embedding", [NN_Differentiable]> {
  let summary = "rows of a table: ids[..], table[v, h] -> [.., h]";
  let description = [{
    An id outside [0, v) gives zeros. v is a positional reduction by masked lookup: a shard contributes zero for ids outside its rows.

    - C1: the table has two dimensions.
    - C2: the result has the shape of ids and the table's width.
    - C3: the result has the table's element type.

    ```mlir
    %x = nn.embedding %ids, %table : (tensor<2x8xi32>, tensor<96x32xf32>) -> tensor<2x8x32xf32>
    ```
  }];
  let arguments = (ins NN_IntTensor:$ids, NN_Tensor:$table);
  let results = (outs NN_Tensor:$result);
}

def NN_EmbeddingGradOp : NN_ComputeOp<"embedding_grad"> {
  let summary = "gradient of the table: grad[.., h], ids[..] -> [v, h]";
  let description = [{
    Row r is the sum of the gradients whose id is r, in the order of the ids; ids outside the table contribute nothing.

    - C1: the result has two dimensions.
    - C2: grad has the shape of ids and the result's width.
    - C3: the result has the element type of grad.

    ```mlir
    %g = nn.embedding_grad %grad, %ids : (tensor<2x8x32xf32>, tensor<2x8xi32>) -> tensor<96x32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_IntTensor:$ids);
  let results = (outs NN_Tensor:$result);
}

def NN_LayerNormOp : NN_ComputeOp<"layer_norm", [NN_Differentiable]> {
  let summary = "x[.., h], weight[h], bias[h] -> y[.., h], mean[..], rstd[..]";
  let description = [{
    Per row of the last dimension: mean, biased variance (divided by h), rstd = 1/√(variance + epsilon), y = (x - mean)·rstd·weight + bias.
    mean and rstd are for the gradient ops; a gradient with respect to them does not exist.

    - C1: the input has at least one dimension.
    - C2: the result has the input's shape and element type.
    - C3: weight and bias have the shape [h] and the input's element type.
    - C4: mean and rstd have the input's shape without h, and f32 elements (f64 for an f64 input).
    - C5: `epsilon` >= 0.

    ```mlir
    %y, %mean, %rstd = nn.layer_norm %x, %w, %b {epsilon = 1.0e-5}
        : (tensor<8x32xf32>, tensor<32xf32>, tensor<32xf32>) -> (tensor<8x32xf32>, tensor<8xf32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$bias, F64Attr:$epsilon);
  let results = (outs NN_Tensor:$result, NN_Tensor:$mean, NN_Tensor:$rstd);
}

def NN_LayerNormInputGradOp : NN_ComputeOp<"layer_norm_input_grad"> {
  let summary = "grad[.., h], x[.., h], weight[h], mean[..], rstd[..] -> gradient of x";
  let description = [{
    With n = (x - mean)·rstd and g = grad·weight per row: rstd·(g - mean(g) - n·mean(g·n)), the means over h.

    - C1: the input has at least one dimension.
    - C2: grad and result have the input's shape and element type.
    - C3: weight has the shape [h] and the input's element type.
    - C4: mean and rstd have the input's shape without h, and f32 elements (f64 for an f64 input).

    ```mlir
    %g = nn.layer_norm_input_grad %grad, %x, %w, %mean, %rstd
        : (tensor<8x32xf32>, tensor<8x32xf32>, tensor<32xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8x32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$mean, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$result);
}

def NN_LayerNormWeightGradOp : NN_ComputeOp<"layer_norm_weight_grad"> {
  let summary = "grad[.., h], x[.., h], mean[..], rstd[..] -> gradients of weight[h] and bias[h]";
  let description = [{
    The sums over all rows of grad·(x - mean)·rstd and of grad.

    - C1: the input has at least one dimension.
    - C2: grad has the input's shape and element type.
    - C3: both results have the shape [h] and the input's element type.
    - C4: mean and rstd have the input's shape without h, and f32 elements (f64 for an f64 input).

    ```mlir
    %dw, %db = nn.layer_norm_weight_grad %grad, %x, %mean, %rstd
        : (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<32xf32>, tensor<32xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$mean, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$weight_grad, NN_Tensor:$bias_grad);
}

def NN_AttentionOp : NN_ComputeOp<"attention", [NN_Differentiable], NN_MatrixCost> {
  let summary = "q[b, s, g, (r,) d], k[b, t, g, d], v[b, t, g, d] -> out like q, lse[b, s, g(, r)]";
  let description = [{
    softmax(scale · q kᵀ) v per (b, g, r), over t. g counts key-value heads, r the query heads that share one; q of rank 4 has r = 1.
    `causal`: query i sees the keys j <= i, by global index. `lse` is the natural logarithm of the sum of exponentials of a row's scaled
    scores; a row without any key has lse = -inf and contributes zero; a gradient with respect to lse does not exist. With `rate` > 0 the
    probabilities (not the lse) go through dropout, keyed like nn.dropout by `dropout_key` and the index in [b, s, g, r, t], row-major;
    `rate` 0 leaves it out.

    - C1: q has four or five dimensions.
    - C2: k has the shape [b, t, g, d], with b, g, d of q, and its element type.
    - C3: v is like k and the result like q, in shape and element type.
    - C4: lse has the shape of q without d, and f32 elements (f64 for f64).
    - C5: `scalars` has 16 elements.
    - C6: 0 <= `rate` < 1.

    ```mlir
    %out, %lse = nn.attention %q, %k, %v, %scalars {causal = true, scale = 0.125, rate = 0.0, dropout_key = 0}
        : (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<16xf64>)
       -> (tensor<2x8x4x64xf32>, tensor<2x8x4xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value, NN_Scalars:$scalars,
                       BoolAttr:$causal, F64Attr:$scale, F64Attr:$rate, I64Attr:$dropout_key);
  let results = (outs NN_Tensor:$result, NN_Tensor:$lse);
}

def NN_AttentionGradOp : NN_ComputeOp<"attention_grad", [], NN_MatrixCost> {
  let summary = "grad, q, k, v, out, lse -> gradients of q, k, v";
  let description = [{
    P = exp(scale · q kᵀ - lse) where the mask allows, D the dropout factor of each probability (0 or 1/(1-rate)), Δ = rowsum(grad · out):
    dv = (D·P)ᵀ grad, dS = P·(D·(grad vᵀ) - Δ), dq = scale · dS k, dk = scale · dSᵀ q. dk and dv are sums over s and r. Rows with lse = -inf
    contribute zero.

    - C1: q has four or five dimensions.
    - C2: k has the shape [b, t, g, d], with b, g, d of q, and its element type.
    - C3: grad, out and query_grad are like q; v, key_grad and value_grad like k, in shape and element type.
    - C4: lse has the shape of q without d, and f32 elements (f64 for f64).
    - C5: `scalars` has 16 elements.
    - C6: 0 <= `rate` < 1.

    ```mlir
    %dq, %dk, %dv = nn.attention_grad %grad, %q, %k, %v, %out, %lse, %scalars
        {causal = true, scale = 0.125, rate = 0.0, dropout_key = 0}
        : (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>,
           tensor<2x8x4xf32>, tensor<16xf64>) -> (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value, NN_Tensor:$out, NN_Tensor:$lse,
                       NN_Scalars:$scalars, BoolAttr:$causal, F64Attr:$scale, F64Attr:$rate, I64Attr:$dropout_key);
  let results = (outs NN_Tensor:$query_grad, NN_Tensor:$key_grad, NN_Tensor:$value_grad);
}

//===----------------------------------------------------------------------===//
// Loss
//===----------------------------------------------------------------------===//

def NN_SoftmaxStatsOp : NN_ComputeOp<"softmax_stats", [NN_Differentiable]> {
  let summary = "logits[.., v], targets[..] -> lse[..], target_logit[..]";
  let description = [{
    lse = log Σ exp(logits) over v; target_logit = the logit at the target, 0 for a target outside [0, v). v is a positional reduction:
    lse joins by log-sum-exp, target_logit by sum (zero where the target is not in the shard). With nn.token_loss it is softmax
    cross-entropy. Both results' gradients are needed for the logits'.

    - C1: logits have at least one dimension; targets have their shape without v.
    - C2: lse and target_logit have the shape of targets, and f32 elements (f64 for f64 logits).

    ```mlir
    %lse, %logit = nn.softmax_stats %logits, %targets : (tensor<2x8x96xf32>, tensor<2x8xi32>) -> (tensor<2x8xf32>, tensor<2x8xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$logits, NN_IntTensor:$targets);
  let results = (outs NN_Tensor:$lse, NN_Tensor:$target_logit);
}

def NN_SoftmaxStatsGradOp : NN_ComputeOp<"softmax_stats_grad", [NN_InPlace]> {
  let summary = "logits[.., v], targets[..], lse[..], lse_grad[..], target_grad[..] -> gradient of logits";
  let description = [{
    exp(logits - lse) · lse_grad + onehot(targets) · target_grad; a target outside [0, v) has no one. A row whose lse_grad is 0
    or whose lse is -inf has only the second term.

    - C1: logits have at least one dimension; targets have their shape without v.
    - C2: lse, lse_grad and target_grad have the shape of targets, and f32 elements (f64 for f64 logits).
    - C3: the result has the shape and element type of the logits.

    ```mlir
    %g = nn.softmax_stats_grad %logits, %targets, %lse, %lse_grad, %target_grad
        : (tensor<2x8x96xf32>, tensor<2x8xi32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8x96xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$logits, NN_IntTensor:$targets, NN_Tensor:$lse, NN_Tensor:$lse_grad, NN_Tensor:$target_grad);
  let results = (outs NN_Tensor:$result);
}

def NN_TokenLossOp : NN_ComputeOp<"token_loss", [NN_Loss]> {
  let summary = "sum over targets that are not ignored (>= 0) of (lse - target_logit) / label count -> scalar";
  let description = [{
    The label count of the global batch is read from the scalars; when it is 0, so is the loss. As the loss of the step its gradient is one.

    - C1: lse and target_logit have the shape of targets and one element type.
    - C2: the loss has no dimension, and f32 elements (f64 for f64).
    - C3: `scalars` has 16 elements.

    ```mlir
    %loss = nn.token_loss %lse, %logit, %targets, %scalars
        : (tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xi32>, tensor<16xf64>) -> tensor<f32>
    ```
  }];
  let arguments = (ins NN_Tensor:$lse, NN_Tensor:$target_logit, NN_IntTensor:$targets, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$loss);
}

def NN_TokenLossGradOp : NN_ComputeOp<"token_loss_grad"> {
  let summary = "targets[..] -> gradients of lse and target_logit: ±1 / label count, 0 where ignored";
  let description = [{
    lse_grad is +1/count and target_grad -1/count where the target is >= 0; both are 0 elsewhere, and where the count is 0.

    - C1: both results have the shape of targets and one element type.
    - C2: `scalars` has 16 elements.

    ```mlir
    %lse_grad, %target_grad = nn.token_loss_grad %targets, %scalars
        : (tensor<2x8xi32>, tensor<16xf64>) -> (tensor<2x8xf32>, tensor<2x8xf32>)
    ```
  }];
  let arguments = (ins NN_IntTensor:$targets, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$lse_grad, NN_Tensor:$target_grad);
}

def NN_SquaredErrorOp : NN_ComputeOp<"squared_error", [NN_Loss]> {
  let summary = "sum of (prediction - target)² / count -> scalar (count: elements of the global tensor)";
  let description = [{
    The mean squared error. As the loss of the step its gradient is one; the target has no gradient.

    - C1: the target has the shape and element type of the prediction.
    - C2: the loss has no dimension, and f32 elements (f64 for f64).

    ```mlir
    %loss = nn.squared_error %y, %target : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins NN_Tensor:$prediction, NN_Tensor:$target);
  let results = (outs NN_Tensor:$loss);
}

def NN_SquaredErrorGradOp : NN_ComputeOp<"squared_error_grad", [NN_InPlace]> {
  let summary = "2 (prediction - target) / count";
  let description = [{
    count: elements of the global tensor, whatever the shard.

    - C1: operands and result have one shape and element type.

    ```mlir
    %g = nn.squared_error_grad %y, %target : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$prediction, NN_Tensor:$target);
  let results = (outs NN_Tensor:$result);
}

//===----------------------------------------------------------------------===//
// Update
//===----------------------------------------------------------------------===//

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
    With lr, wd, β₁, β₂, ε and the step number n (from 1) of the scalars, and g = scale · grad:

        m' = β₁·m + (1-β₁)·g        v' = β₂·v + (1-β₂)·g²
        p' = (1 - lr·wd)·p - lr · (m'/(1-β₁ⁿ)) / (√(v'/(1-β₂ⁿ)) + ε)

    `weight_decay` false: wd is 0. With scale 0 all results are the operands unchanged (a skipped step).

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

#endif // MODELPAR_DIALECT_NN_IR_NNOPS
