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
def NN_Tensor : RankedTensorOf<[F32, F64, BF16, F16], [HasStaticShapePred], "statically shaped tensor of floats">;
def NN_IntTensor : RankedTensorOf<[I32], [HasStaticShapePred], "statically shaped tensor of 32-bit integers">;
def NN_Scalars : RankedTensorOf<[F64], [HasStaticShapePred], "tensor of the step's scalars">;

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
def NN_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def NN_Loss : DeclareOpInterfaceMethods<DifferentiableOpInterface, ["isLoss"]>;
def NN_MatrixCost : DeclareOpInterfaceMethods<CostOpInterface, ["isMatrixOp"]>;
// Result 0 may take the bytes of operand 0; ops that differ define getInPlaceOperands.
def NN_InPlace : DeclareOpInterfaceMethods<InPlaceOpInterface>;
def NN_InPlaceOf : DeclareOpInterfaceMethods<InPlaceOpInterface, ["getInPlaceOperands"]>;
def NN_SumOverOperands : DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["isSumOverOperands", "buildSumOfResults"]>;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

def NN_ParameterOp : NN_Op<"parameter", [Symbol, DeclareOpInterfaceMethods<ParameterOpInterface>]> {
  let summary = "a trained tensor and its optimizer state";
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
  let description = [{Marks which buffer `--dump-grads` and the update read.}];
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
    `nn.matmul %x, %w {subscripts = "bsh,hf->bsf"}`. Each letter is a factor; letters that the result lacks are
    summed over. The gradients are matmuls over the same letters.
  }];
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs, StrAttr:$subscripts);
  let results = (outs NN_Tensor:$result);
}

def NN_AddOp : NN_ComputeOp<"add", [NN_InPlaceOf, NN_Differentiable]> {
  let summary = "elementwise sum; the right side may lack leading dimensions (a bias)";
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_Tensor:$result);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {0, 1}; }
  }];
}

def NN_MulOp : NN_ComputeOp<"mul", [NN_InPlaceOf, NN_Differentiable]> {
  let summary = "elementwise product of tensors of one shape";
  let arguments = (ins NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_Tensor:$result);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {0, 1}; }
  }];
}

def NN_ReduceSumOp : NN_ComputeOp<"reduce_sum"> {
  let summary = "sum over the leading dimensions that the result lacks (a bias's gradient)";
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
}

def NN_SumOp : NN_ComputeOp<"sum", [NN_InPlace, NN_Differentiable]> {
  let summary = "sum of tensors of one shape";
  let description = [{Linear in all operands: partial operands over the same axes may be added before they are reduced.}];
  let arguments = (ins Variadic<NN_Tensor>:$inputs);
  let results = (outs NN_Tensor:$result);
}

def NN_ActivationOp : NN_ComputeOp<"activation", [NN_InPlace, NN_Differentiable]> {
  let summary = "elementwise non-linearity";
  let arguments = (ins NN_Tensor:$input, NN_ActivationKindAttr:$kind);
  let results = (outs NN_Tensor:$result);
}

def NN_ActivationGradOp : NN_ComputeOp<"activation_grad", [NN_InPlace]> {
  let summary = "gradient of activation: grad · f'(input)";
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_ActivationKindAttr:$kind);
  let results = (outs NN_Tensor:$result);
}

def NN_DropoutOp : NN_ComputeOp<"dropout", [NN_InPlace, NN_Differentiable]> {
  let summary = "zero elements with probability `rate`, scale the others by 1/(1-rate)";
  let description = [{
    Counter-based: element i of the global tensor is dropped as a function of (seed, step, `key`, call instance, i)
    alone. The gradient is the same op on the gradient: `key` identifies the op in its block, the call's `nn.instance` the layer.
  }];
  let arguments = (ins NN_Tensor:$input, NN_Scalars:$scalars, F64Attr:$rate, I64Attr:$key);
  let results = (outs NN_Tensor:$result);
}

def NN_UnpackOp : NN_ComputeOp<"unpack", [NN_Differentiable]> {
  let summary = "take the members of a packed dimension apart: [.., n, ..] to n tensors [.., ..]";
  let arguments = (ins NN_Tensor:$input, I64Attr:$dim);
  let results = (outs Variadic<NN_Tensor>:$members);
}

def NN_PackOp : NN_ComputeOp<"pack", [NN_Differentiable]> {
  let summary = "the reverse of unpack";
  let arguments = (ins Variadic<NN_Tensor>:$members, I64Attr:$dim);
  let results = (outs NN_Tensor:$result);
}

//===----------------------------------------------------------------------===//
// Embedding, norm, attention
//===----------------------------------------------------------------------===//

def NN_EmbeddingOp : NN_ComputeOp<"embedding", [NN_Differentiable]> {
  let summary = "rows of a table: ids[..] , table[v, h] -> [.., h]";
  let description = [{v: reduction by masked lookup (positional): a shard contributes zero for ids outside its rows.}];
  let arguments = (ins NN_IntTensor:$ids, NN_Tensor:$table);
  let results = (outs NN_Tensor:$result);
}

def NN_EmbeddingGradOp : NN_ComputeOp<"embedding_grad"> {
  let summary = "gradient of the table: grad[.., h], ids[..] -> [v, h], rows added in index order";
  let arguments = (ins NN_Tensor:$grad, NN_IntTensor:$ids);
  let results = (outs NN_Tensor:$result);
}

def NN_LayerNormOp : NN_ComputeOp<"layer_norm", [NN_Differentiable]> {
  let summary = "x[.., h], weight[h], bias[h] -> y[.., h], mean[..], rstd[..]";
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$bias, F64Attr:$epsilon);
  let results = (outs NN_Tensor:$result, NN_Tensor:$mean, NN_Tensor:$rstd);
}

def NN_LayerNormInputGradOp : NN_ComputeOp<"layer_norm_input_grad"> {
  let summary = "grad[.., h], x[.., h], weight[h], mean[..], rstd[..] -> gradient of x";
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$mean, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$result);
}

def NN_LayerNormWeightGradOp : NN_ComputeOp<"layer_norm_weight_grad"> {
  let summary = "grad[.., h], x[.., h], mean[..], rstd[..] -> gradients of weight[h] and bias[h]";
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$mean, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$weight_grad, NN_Tensor:$bias_grad);
}

def NN_AttentionOp : NN_ComputeOp<"attention", [NN_Differentiable], NN_MatrixCost> {
  let summary = "q[b, s, g, (r,) d], k[b, t, g, d], v[b, t, g, d] -> out like q, lse[b, s, g(, r)]";
  let description = [{
    softmax(scale · q kᵀ) v, causal by global positions (query i sees keys j <= i). `lse` is the natural-log log-sum-exp of a row's
    scores. A row without any key has lse = -inf and contributes zero. Dropout acts on the probabilities, keyed like nn.dropout by the
    global index (b, s, g, r, t); `rate` 0 leaves it out. q of rank 4 has r = 1.
  }];
  let arguments = (ins NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value, NN_Scalars:$scalars,
                       BoolAttr:$causal, F64Attr:$scale, F64Attr:$rate, I64Attr:$dropout_key);
  let results = (outs NN_Tensor:$result, NN_Tensor:$lse);
}

def NN_AttentionGradOp : NN_ComputeOp<"attention_grad", [], NN_MatrixCost> {
  let summary = "grad, q, k, v, out, lse -> gradients of q, k, v";
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
    v is a positional reduction: lse joins by log-sum-exp, target_logit by sum (zero where the target is not in the shard). A target
    outside [0, v) is ignored (target_logit 0). With nn.token_loss it is softmax cross-entropy; its gradient is one op,
    nn.softmax_stats_grad, built from nn.token_loss's gradients.
  }];
  let arguments = (ins NN_Tensor:$logits, NN_IntTensor:$targets);
  let results = (outs NN_Tensor:$lse, NN_Tensor:$target_logit);
}

def NN_SoftmaxStatsGradOp : NN_ComputeOp<"softmax_stats_grad", [NN_InPlace]> {
  let summary = "logits[.., v], targets[..], lse[..], lse_grad[..], target_grad[..] -> gradient of logits";
  let description = [{ softmax(logits) · lse_grad + onehot(targets) · target_grad }];
  let arguments = (ins NN_Tensor:$logits, NN_IntTensor:$targets, NN_Tensor:$lse, NN_Tensor:$lse_grad, NN_Tensor:$target_grad);
  let results = (outs NN_Tensor:$result);
}

def NN_TokenLossOp : NN_ComputeOp<"token_loss", [NN_Loss]> {
  let summary = "sum over targets that are not ignored (>= 0) of (lse - target_logit) / label count -> scalar";
  let description = [{The label count of the global batch is read from the scalars.}];
  let arguments = (ins NN_Tensor:$lse, NN_Tensor:$target_logit, NN_IntTensor:$targets, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$loss);
}

def NN_TokenLossGradOp : NN_ComputeOp<"token_loss_grad"> {
  let summary = "targets[..] -> gradients of lse and target_logit: ±1 / label count, 0 where ignored";
  let arguments = (ins NN_IntTensor:$targets, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$lse_grad, NN_Tensor:$target_grad);
}

def NN_SquaredErrorOp : NN_ComputeOp<"squared_error", [NN_Loss]> {
  let summary = "sum of (prediction - target)² / count -> scalar (count: elements of the global tensor)";
  let arguments = (ins NN_Tensor:$prediction, NN_Tensor:$target);
  let results = (outs NN_Tensor:$loss);
}

def NN_SquaredErrorGradOp : NN_ComputeOp<"squared_error_grad", [NN_InPlace]> {
  let summary = "2 (prediction - target) / count";
  let arguments = (ins NN_Tensor:$prediction, NN_Tensor:$target);
  let results = (outs NN_Tensor:$result);
}

//===----------------------------------------------------------------------===//
// Update
//===----------------------------------------------------------------------===//

def NN_SumSquaresOp : NN_ComputeOp<"sum_squares", [], DeclareOpInterfaceMethods<CostOpInterface>, NN_SumOverOperands> {
  let summary = "sum of the squares of all elements of all operands -> scalar f32";
  let description = [{
    Every operand's dimensions are reductions of their own. isSumOverOperands: the partitioner splits it by the axes
    the operands are sharded over, so each element counts once.
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs);
  let results = (outs NN_Tensor:$result);
}

def NN_ClipScaleOp : NN_ComputeOp<"clip_scale"> {
  let summary = "sum of squares -> norm, scale = min(1, clip / norm), or 0 when the norm is not finite";
  let description = [{clip <= 0 means no clipping (scale 1). An update with scale 0 changes nothing.}];
  let arguments = (ins NN_Tensor:$sum_squares, NN_Scalars:$scalars);
  let results = (outs NN_Tensor:$norm, NN_Tensor:$scale);
}

def NN_AdamWOp : NN_ComputeOp<"adamw", [NN_InPlaceOf]> {
  let summary = "AdamW (Loshchilov and Hutter, arXiv:1711.05101) with bias correction; returns new parameter and moments";
  let arguments = (ins NN_Tensor:$parameter, NN_Tensor:$grad, NN_Tensor:$exp_avg, NN_Tensor:$exp_avg_sq,
                       NN_Tensor:$scale, NN_Scalars:$scalars, BoolAttr:$weight_decay);
  let results = (outs NN_Tensor:$new_parameter, NN_Tensor:$new_exp_avg, NN_Tensor:$new_exp_avg_sq);
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {result == 0 ? 0u : result + 1}; }
  }];
}

def NN_SgdOp : NN_ComputeOp<"sgd", [NN_InPlace]> {
  let summary = "parameter - lr · (scale · grad + weight decay · parameter)";
  let arguments = (ins NN_Tensor:$parameter, NN_Tensor:$grad, NN_Tensor:$scale, NN_Scalars:$scalars, BoolAttr:$weight_decay);
  let results = (outs NN_Tensor:$new_parameter);
}

#endif // MODELPAR_DIALECT_NN_IR_NNOPS
