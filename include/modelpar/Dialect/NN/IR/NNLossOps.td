//===- NNLossOps.td - nn ops of losses --------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNLOSSOPS
#define MODELPAR_DIALECT_NN_IR_NNLOSSOPS

include "modelpar/Dialect/NN/IR/NNOpBase.td"

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

#endif // MODELPAR_DIALECT_NN_IR_NNLOSSOPS
