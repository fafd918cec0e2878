//===- Passes.td - passes over the nn dialect -------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_TRANSFORMS_PASSES
#define MODELPAR_DIALECT_NN_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def NNSplitBlocks : Pass<"nn-split-blocks", "::mlir::ModuleOp"> {
  let summary = "Cut blocks in two until there is a call for every pipeline stage";
  let description = [{
    A pipeline is cut between calls of `@step`. While there are fewer than `min-calls`, the block with the most work is cut in two, between two
    ops that one tensor crosses (parameters and inputs of the step aside: every stage has its own), as evenly as such places allow:
    a transformer's layer behind the residual of its attention. Nothing happens where there are calls enough, or no such place is left.

    Precondition and postcondition: a module of phase `import`.

    ```mlir
    %1 = call @layer(%0, %v, %w) {nn.instance = 0 : i64} : ...
    ```
    becomes
    ```mlir
    %1 = call @layer_front(%0, %v) {nn.instance = 0 : i64} : ...
    %2 = call @layer_back(%1, %w) {nn.instance = 0 : i64} : ...
    ```
  }];
  let options = [Option<"minCalls", "min-calls", "int64_t", "1", "how many calls @step is to have at least">];
  let dependentDialects = ["::modelpar::nn::NNDialect", "::mlir::func::FuncDialect"];
}

def NNDifferentiate : Pass<"nn-differentiate", "::mlir::ModuleOp"> {
  let summary = "Make the whole training step of a forward step";
  let description = [{
    Reverse-mode differentiation and the optimizer's update. It runs before anything is sharded, so that backward ops are
    ordinary ops with factors of their own, and works once per block function, not once per layer.

    Precondition: a module of phase `import`: `@step` holds only `nn.read_parameter`, calls of private straight-line functions and
    the return of one loss, which an `nn.token_loss` or `nn.squared_error` makes.
    Postcondition: a module of phase `differentiated` (docs/Pipeline.md; checked by `verify-differentiated`).

    A block `@b` becomes up to four functions:

    - `@b.forward`: the block, which also returns what its backward functions need ("saved"). Operands of the call and results
      that it has anyway are not saved again.
    - `@b.backward_input`: the ops that the gradients of activations depend on.
    - `@b.backward_weight`: the other gradient ops; parameters' gradients.
    - `@b.update`: optimizer ops for the parameters that the block is the first to use.

    Calls of one block that need different gradients (the first layer's input is data, the others' is an activation) get a
    block of their own each: `@b` for the most frequent, `@b.1`, ... A gradient that is another one unchanged (of a residual
    connection) is passed on in `@step` and not returned by a function.

    ```mlir
    %1 = call @layer(%x, %w) {nn.instance = 0 : i64} : ...
    return %1
    ```
    becomes
    ```mlir
    %1:2 = call @layer.forward(%x, %w) {nn.instance = 0 : i64, nn.role = #nn.role<forward>} : ...
    %2 = call @layer.backward_weight(%1#1, %x) {nn.instance = 0 : i64, nn.role = #nn.role<backward_weight>} : ...
    nn.gradient @w, %2 : tensor<64x256xf32>
    %3 = nn.sum_squares %2 : (tensor<64x256xf32>) -> tensor<f32>
    %norm, %scale = nn.clip_scale %3, %scalars : ...
    %4:3 = call @layer.update(%w, %2, %m, %v, %scale, %scalars) {nn.role = #nn.role<update>} : ...
    nn.write_parameter @w, %4#0 : tensor<64x256xf32>
    return %1#0, %norm
    ```
  }];
  let options = [
    Option<"optimizer", "optimizer", "std::string", /*default=*/"\"\"",
           "adamw or sgd; empty: the module's nn.optimizer, or adamw where it has none">
  ];
  let dependentDialects = ["::modelpar::nn::NNDialect", "::mlir::func::FuncDialect"];
}

def VerifyDifferentiated : Pass<"verify-differentiated", "::mlir::ModuleOp"> {
  let summary = "Check a module of phase differentiated";
  let description = [{
    What must hold after `nn-differentiate` (docs/Pipeline.md):

    - D1: the module names its optimizer, `adamw` or `sgd`.
    - D2: every private function has an `nn.role`, one block, and neither calls nor parameter ops in it.
    - D3: `@step` exists, is public, and holds only parameter ops, calls whose `nn.role` is the callee's, `nn.sum`, one
      `nn.sum_squares`, one `nn.clip_scale` and the return.
    - D4: `@step` returns the loss and the norm of `nn.clip_scale`, named `loss` and `grad_norm`.
    - D5: every parameter has exactly one `nn.gradient`, whose value is exactly once an operand of `nn.sum_squares`.
    - D6: every parameter and every optimizer state is written exactly once, with a result of a call of role `update`.
    - D7: calls of role `forward` come before those of the backward roles, these before those of role `update`.
    - D8: what is written to a tensor of a parameter is made from that tensor: of the update call's result, the op that makes it takes over the
      tensor that was read. Every state is read once.
  }];
}

def VerifyTensors : Pass<"verify-tensors", "::mlir::ModuleOp"> {
  let summary = "Check that tensors have sizes that can be computed with";
  let description = [{
    For modules that someone hands in, of any phase, before anything multiplies their extents:

    - T1: every tensor type, in whatever type or attribute it stands, has at most 8 dimensions, with static extents of at least 1.
    - T2: it has at most 2^56 elements, so that bytes, offsets and operations fit 64 bits.
  }];
}

#endif // MODELPAR_DIALECT_NN_TRANSFORMS_PASSES
