//===- NNLayerOps.td - embedding, norms, rotary, attention ------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNLAYEROPS
#define MODELPAR_DIALECT_NN_IR_NNLAYEROPS

include "modelpar/Dialect/NN/IR/NNOpBase.td"

def NN_EmbeddingOp : NN_ComputeOp<"embedding", [NN_Differentiable]> {
  let summary = "rows of a table: ids[..], table[v, h] -> [.., h]";
  let description = [{
    An id outside [0, v) gives zeros. v is a positional reduction by masked lookup: a shard contributes zero for ids outside its rows.
    Row `padding_row` is looked up as any other, and gets no gradient from this op.

    - C1: the table has two dimensions.
    - C2: the result has the shape of ids and the table's width.
    - C3: the result has the table's element type.
    - C4: 0 <= `padding_row` < v.

    ```mlir
    %x = nn.embedding %ids, %table : (tensor<2x8xi32>, tensor<96x32xf32>) -> tensor<2x8x32xf32>
    ```
  }];
  let arguments = (ins NN_IntTensor:$ids, NN_Tensor:$table, OptionalAttr<I64Attr>:$padding_row);
  let results = (outs NN_Tensor:$result);
}

def NN_EmbeddingGradOp : NN_ComputeOp<"embedding_grad"> {
  let summary = "gradient of the table: grad[.., h], ids[..] -> [v, h]";
  let description = [{
    Row r is the sum of the gradients whose id is r, in the order of the ids; ids outside the table contribute nothing, nor does the id
    `padding_row` (a row of the whole table, whatever shard of it a rank has).

    - C1: the result has two dimensions.
    - C2: grad has the shape of ids and the result's width.
    - C3: the result has the element type of grad.
    - C4: 0 <= `padding_row` < v.

    ```mlir
    %g = nn.embedding_grad %grad, %ids : (tensor<2x8x32xf32>, tensor<2x8xi32>) -> tensor<96x32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_IntTensor:$ids, OptionalAttr<I64Attr>:$padding_row);
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

def NN_RmsNormOp : NN_ComputeOp<"rms_norm", [NN_Differentiable]> {
  let summary = "x[.., h], weight[h] -> y[.., h], rstd[..]";
  let description = [{
    Per row of the last dimension: rstd = 1/√(mean(x²) + epsilon), y = x·rstd·weight. rstd is for the gradient ops; a gradient with respect to
    it does not exist.

    - C1: the input has at least one dimension.
    - C2: the result has the input's shape and element type.
    - C3: weight has the shape [h] and the input's element type.
    - C4: rstd has the input's shape without h, and f32 elements (f64 for an f64 input).
    - C5: `epsilon` >= 0.

    ```mlir
    %y, %rstd = nn.rms_norm %x, %w {epsilon = 1.0e-5} : (tensor<8x32xf32>, tensor<32xf32>) -> (tensor<8x32xf32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$weight, F64Attr:$epsilon);
  let results = (outs NN_Tensor:$result, NN_Tensor:$rstd);
}

def NN_RmsNormInputGradOp : NN_ComputeOp<"rms_norm_input_grad", [NN_InPlace]> {
  let summary = "grad[.., h], x[.., h], weight[h], rstd[..] -> gradient of x";
  let description = [{
    With n = x·rstd and g = grad·weight per row: rstd·(g - n·mean(g·n)), the mean over h.

    - C1: the input has at least one dimension.
    - C2: grad and result have the input's shape and element type.
    - C3: weight has the shape [h] and the input's element type.
    - C4: rstd has the input's shape without h, and f32 elements (f64 for an f64 input).

    ```mlir
    %g = nn.rms_norm_input_grad %grad, %x, %w, %rstd
        : (tensor<8x32xf32>, tensor<8x32xf32>, tensor<32xf32>, tensor<8xf32>) -> tensor<8x32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$weight, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$result);
}

def NN_RmsNormWeightGradOp : NN_ComputeOp<"rms_norm_weight_grad"> {
  let summary = "grad[.., h], x[.., h], rstd[..] -> gradient of weight[h]";
  let description = [{
    The sum over all rows of grad·x·rstd.

    - C1: the input has at least one dimension.
    - C2: grad has the input's shape and element type.
    - C3: the result has the shape [h] and the input's element type.
    - C4: rstd has the input's shape without h, and f32 elements (f64 for an f64 input).

    ```mlir
    %dw = nn.rms_norm_weight_grad %grad, %x, %rstd : (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8xf32>) -> tensor<32xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$input, NN_Tensor:$rstd);
  let results = (outs NN_Tensor:$result);
}

def NN_RotaryOp : NN_ComputeOp<"rotary", [NN_InPlace, NN_Differentiable]> {
  let summary = "rotary position embedding: x[b, s, .., d], positions[s] -> like x";
  let description = [{
    Rotates each pair (x[i], x[i + d/2]), i < d/2, by the angle a = position · θᵢ with θᵢ = theta^(-2i/d):

        y[i] = x[i]·cos a - x[i + d/2]·sin a        y[i + d/2] = x[i + d/2]·cos a + x[i]·sin a

    `inverse` rotates by -a: the gradient is the same op on the gradient, with the other `inverse`.

    With `factor` the frequencies are scaled as for Llama 3. With w = original_max_position_embeddings · θᵢ / 2π turns over the original length:
    θᵢ where w > high_freq_factor, θᵢ/factor where w < low_freq_factor, and between (1-t)·θᵢ/factor + t·θᵢ with
    t = (w - low_freq_factor)/(high_freq_factor - low_freq_factor).

    - C1: the input has at least three dimensions.
    - C2: d is even.
    - C3: positions have the shape [s].
    - C4: the result has the input's shape and element type.
    - C5: `theta` > 0.
    - C6: `factor`, `low_freq_factor`, `high_freq_factor` and `original_max_position_embeddings` are all there or all absent.
    - C7: `factor` >= 1, 0 < `low_freq_factor` < `high_freq_factor`, `original_max_position_embeddings` >= 1.

    ```mlir
    %y = nn.rotary %q, %positions {theta = 1.0e4, inverse = false} : (tensor<2x8x4x64xf32>, tensor<8xi32>) -> tensor<2x8x4x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_IntTensor:$positions, F64Attr:$theta, BoolAttr:$inverse,
                       OptionalAttr<F64Attr>:$factor, OptionalAttr<F64Attr>:$low_freq_factor,
                       OptionalAttr<F64Attr>:$high_freq_factor, OptionalAttr<I64Attr>:$original_max_position_embeddings);
  let results = (outs NN_Tensor:$result);
}

def NN_AttentionOp : NN_ComputeOp<"attention", [NN_Differentiable, NN_Streamed], NN_MatrixCost> {
  let summary = "q[b, s, g, (r,) d], k[b, t, g, d], v[b, t, g, d](, mask[(b,) s, t]) -> out like q, lse[b, s, g(, r)]";
  let description = [{
    softmax(scale · q kᵀ + mask) v per (b, g, r), over t. g counts key-value heads, r the query heads that share one; q of rank 4 has r = 1.
    `causal`: query i sees the keys j <= i, by global index. `mask` is added to the scaled scores; an entry -inf hides the key, and no
    gradient with respect to it exists. What counts of a row of it are differences, however large its entries: it is taken less m, the
    largest entry of the keys that the row sees (0 where it sees none), so a row that is -1e9 throughout is a row without a mask. `lse` is the
    natural logarithm of the sum of exponentials of a row's scores, those less m; a row without any key
    that it sees has lse = -inf and contributes zero; a gradient with respect to lse does not exist. With `rate` > 0 the
    probabilities (not the lse) go through dropout, keyed like nn.dropout by `dropout_key` and the index in [b, s, g, r, t], row-major;
    `rate` 0 leaves it out. Of two parts of the keys (each by its global index) the results are joined by nn.attention_merge. With a mask
    the keys must stay whole: it is data, which a rank has for its queries and not for keys that come to it part by part. (On a part of the
    keys the m of a row is still that of all of them.)

    Queries and keys are counted each in the order of its own dimension: they are the same sequence, or two.

    - C1: q has four or five dimensions.
    - C2: k has the shape [b, t, g, d], with b, g, d of q, and its element type.
    - C3: v is like k and the result like q, in shape and element type.
    - C4: lse has the shape of q without d, and f32 elements (f64 for f64).
    - C5: `scalars` has 16 elements.
    - C6: 0 <= `rate` < 1.
    - C7: mask has the shape [s, t] or [b, s, t], and f32 elements (f64 for f64).

    ```mlir
    %out, %lse = nn.attention %q, %k, %v, %scalars {causal = true, scale = 0.125, rate = 0.0, dropout_key = 0}
        : (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<16xf64>)
       -> (tensor<2x8x4x64xf32>, tensor<2x8x4xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value, NN_Scalars:$scalars, Optional<NN_Tensor>:$mask,
                       BoolAttr:$causal, F64Attr:$scale, F64Attr:$rate, I64Attr:$dropout_key);
  let results = (outs NN_Tensor:$result, NN_Tensor:$lse);
}

def NN_AttentionMergeOp : NN_ComputeOp<"attention_merge", [NN_InPlaceOf]> {
  let summary = "out[.., d], lse[..] of one part of the keys, out[.., d], lse[..] of another -> out[.., d], lse[..] of both";
  let description = [{
    Joins what nn.attention gives on two disjoint parts of the keys: with L = log(exp(lse₁) + exp(lse₂)),

        out = exp(lse₁ - L) · out₁ + exp(lse₂ - L) · out₂        lse = L

    in f32 (f64 for f64). A row without keys in a part has lse = -inf there and takes nothing from it; without keys in both it stays zero
    with lse = -inf.

    - C1: the outs have one shape and element type, and at least one dimension.
    - C2: each lse has the shape of the outs without d, and f32 elements (f64 for f64).

    ```mlir
    %out, %lse = nn.attention_merge %o1, %l1, %o2, %l2 : (tensor<2x8x4x64xf32>, tensor<2x8x4xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4xf32>)
       -> (tensor<2x8x4x64xf32>, tensor<2x8x4xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$out, NN_Tensor:$lse, NN_Tensor:$part_out, NN_Tensor:$part_lse);
  let results = (outs NN_Tensor:$result, NN_Tensor:$result_lse);
  // The kernel reads a row's both lse before it writes any of the row.
  let extraClassDefinition = [{
    llvm::SmallVector<unsigned> $cppClass::getInPlaceOperands(unsigned result) { return {result}; }
  }];
}

def NN_AttentionGradOp : NN_ComputeOp<"attention_grad", [NN_Streamed], NN_MatrixCost> {
  let summary = "grad, q, k, v, out, lse(, mask) -> gradients of q, k, v";
  let description = [{
    P = exp(scale · q kᵀ + (mask - m) - lse) with m as for nn.attention, 0 where `causal` hides the key, D the dropout factor of each probability (0 or 1/(1-rate)), Δ = rowsum(grad · out):
    dv = (D·P)ᵀ grad, dS = P·(D·(grad vᵀ) - Δ), dq = scale · dS k, dk = scale · dSᵀ q. dk and dv are sums over s and r. Rows with lse = -inf
    contribute zero.

    - C1: q has four or five dimensions.
    - C2: k has the shape [b, t, g, d], with b, g, d of q, and its element type.
    - C3: grad, out and query_grad are like q; v, key_grad and value_grad like k, in shape and element type. key_grad and value_grad
      may be f32 (f64 for f64) instead: contributions that are added up.
    - C4: lse has the shape of q without d, and f32 elements (f64 for f64).
    - C5: `scalars` has 16 elements.
    - C6: 0 <= `rate` < 1.
    - C7: mask has the shape [s, t] or [b, s, t], and f32 elements (f64 for f64).

    ```mlir
    %dq, %dk, %dv = nn.attention_grad %grad, %q, %k, %v, %out, %lse, %scalars
        {causal = true, scale = 0.125, rate = 0.0, dropout_key = 0}
        : (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>,
           tensor<2x8x4xf32>, tensor<16xf64>) -> (tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>, tensor<2x8x4x64xf32>)
    ```
  }];
  let arguments = (ins NN_Tensor:$grad, NN_Tensor:$query, NN_Tensor:$key, NN_Tensor:$value, NN_Tensor:$out, NN_Tensor:$lse,
                       NN_Scalars:$scalars, Optional<NN_Tensor>:$mask, BoolAttr:$causal, F64Attr:$scale, F64Attr:$rate,
                       I64Attr:$dropout_key);
  let results = (outs NN_Tensor:$query_grad, NN_Tensor:$key_grad, NN_Tensor:$value_grad);
}

#endif // MODELPAR_DIALECT_NN_IR_NNLAYEROPS
