//===- Passes.td - passes over the dist dialect -----------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES
#define MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

class DistPass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = ["::modelpar::dist::DistDialect", "::mlir::func::FuncDialect"];
}

def DistAssignPlacements : DistPass<"dist-assign-placements"> {
  let summary = "Put mesh axes on the factors of every op";
  let description = [{
    Dimensions that must be placed alike form factor classes: the union, over the whole module, of what sharding rules, shared values,
    calls and parameters tie together. The class of the inputs' batch dimension gets `dp`, then `mb`, that of their `nn.seq_dim` gets `cp`
    (without a sequence, `cp` splits the batch too); pins come next; then `tp` goes on the compatible set of classes with the most matrix work. A class is left whole when an op needs it whole, or
    when an op (or a value) has it twice. No op is known by name.

    With `cp`, attention has the axis on its queries, and on its keys where these are a sequence that `cp` splits: a ring (`dist-lower-ring`).
    A sequence along which work grows under a causal mask is dealt out for equal work, the axis balanced (`"cp"*`), when its size is a multiple of
    2·cp and no parameter has it; every other one stays in its natural order.

    With `sp`, every op that has `tp` on no factor gets it on the sequence (the class of the inputs' `nn.seq_dim`) where its rule allows.
    What crosses functions is split on the sequence too, unless some function needs it whole.

    With `pp`, the forward calls of `@step` are cut into `pp` contiguous runs, so that the slowest stage (forward and backward) is as fast as
    can be; of such cuts the most even one. The time of an op is the longer of its operations and its bytes times `flops-per-byte`. Every call
    gets `dist.stage`: a backward call that of its forward call, an update that of the first stage that uses its parameters.

    Precondition: a module of phase `differentiated`.
    Postcondition: phase `sharded` (docs/Pipeline.md): `dist.mesh` on the module, `dist.placement` on compute ops, `dist.sharding` on arguments and
    results, `dist.storage` on parameters.

    ```mlir
    %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : ...
    ```
    becomes
    ```mlir
    %0 = nn.matmul %x, %w {dist.placement = #dist.placement<{b = ["dp", "mb"], f = ["tp"]}>, subscripts = "bd,df->bf"} : ...
    ```
  }];
  let options = [
    Option<"dp", "dp", "int64_t", "1", "ranks that share the batch">,
    Option<"tp", "tp", "int64_t", "1", "ranks that share each layer">,
    Option<"cp", "cp", "int64_t", "1", "ranks that share the sequence">,
    Option<"ep", "ep", "int64_t", "1", "ranks that share the experts (not supported yet)">,
    Option<"pp", "pp", "int64_t", "1", "pipeline stages">,
    Option<"flopsPerByte", "flops-per-byte", "double", "100.0", "operations in the time of one byte of memory traffic, for the cut into stages">,
    Option<"sp", "sp", "bool", "false", "split the sequence over tp where tp has nothing else to split">,
    Option<"microBatches", "micro-batches", "int64_t", "1", "micro-batches per step">,
    Option<"schedule", "schedule", "std::string", "\"1f1b\"", "recorded as dist.schedule">,
    ListOption<"pins", "pins", "std::string", "PARAMETER-PATTERN:SHARDING, e.g. 'h.*.mlp.c_fc.weight:[-,tp]'">
  ];
}

def VerifySharded : DistPass<"verify-sharded"> {
  let summary = "Check the decisions of phase sharded";
  let description = [{
    What must hold after `dist-assign-placements`, beside what `verify-differentiated` asks of `@step` and its blocks:

    - S1: the module has a mesh, and its lists of axes (`dist.batch_axes`, `dist.shared_axes`) are axes of it;
    - S2: functions have one block; every argument and result is a tensor with a `dist.sharding` that is well formed on the mesh;
    - S3: every compute op has a placement on the mesh that fits its rule;
    - S4: other ops are calls, returns and uses of parameters; ops of `dist` come with phase `partitioned`;
    - S5: every parameter has a `dist.storage` that is well formed on the mesh and whole;
    - S6: calls give their callee's arguments and take its results;
    - S7: with several stages, every call has one, calls of a backward role that of their forward call, activations flow to the same or later
      stages, and every stage has a forward call;
    - S8: no op is a step of a ring yet.
  }];
}

def DistPartition : DistPass<"dist-partition"> {
  let summary = "Give every type its sharding, and put reshards where they disagree";
  let description = [{
    What an op needs and gives follows from its rule and its placement. Where an operand lives otherwise, a `dist.reshard` stands right after
    its definition: one per value and target. Partial values are reduced there too, except when they are only added to others that
    are partial over the same axes, or returned as the function's `dist.sharding` says. A sum over operands is split by the axes that the
    operands are sharded over.

    In `@step`, what leaves the micro-batch loop (gradients of parameters, and results computed in the loop) is accumulated over time first;
    then one grouped all_reduce joins the gradients. What is a sum over pipeline stages is split by stage (`dist.stage_parts`) and joined over
    `pp`: the gradient of a parameter that several stages use (after the sum over the batch), then the squares of all gradients.

    Precondition: phase `sharded`. Postcondition: phase `partitioned`, with `dist.reshard` still in it.

    ```mlir
    %0 = nn.matmul %x, %w {dist.placement = #dist.placement<{f = ["tp"]}>, subscripts = "bf,fd->bd"} : ...
    %1 = nn.add %0, %b ...
    ```
    becomes
    ```mlir
    %0 = nn.matmul %x, %w ... -> tensor<8x64xf32, #dist.sharding<[{}, {} ], partial={"tp":sum}>>
    %1 = dist.reshard %0 : ... -> tensor<8x64xf32, #dist.sharding<[{}, {} ]>>
    %2 = nn.add %1, %b ...
    ```
  }];
  let options = [
    Option<"gradSync", "grad-sync", "std::string", "\"all_reduce\"", "how gradients are joined: all_reduce">
  ];
}

def DistLowerReshard : DistPass<"dist-lower-reshard"> {
  let summary = "Write reshards out as collectives and slices";
  let description = [{
    Each `dist.reshard` becomes a shortest sequence (fewest collectives, then fewest elements sent) of slice, all_gather, reduce_scatter,
    all_reduce and all_to_all (`Sharding/Reshard.h`).

    ```mlir
    %1 = dist.reshard %0 : tensor<8xf32, #dist.sharding<[{} ], partial={"tp":sum}>> -> tensor<8xf32, #dist.sharding<[{} ]>>
    ```
    becomes
    ```mlir
    %1 = dist.all_reduce %0 over ["tp"] kind sum : ...
    ```
  }];
}

def DistMergeCollectives : DistPass<"dist-merge-collectives"> {
  let summary = "Join collectives that follow each other";
  let description = [{
    An all_reduce whose only use is a slice over the same axes is a reduce_scatter, an all_gather of what was just sliced is
    nothing, and of two equal communications in a function the first serves both. Never across functions: what is computed or gathered
    again in another one was decided so.
  }];
}

def DistLowerRing : DistPass<"dist-lower-ring"> {
  let summary = "Unroll ops with a streamed factor into a ring";
  let description = [{
    An op whose placement has an axis on a streamed factor (keys) and on the factor that it is streamed along (queries) needs all parts of
    its streamed operands, of which a rank holds one. It becomes as many ops as the axis has ranks, each on the part that the rank has
    then (`dist.ring_step`), and between them `dist.collective_permute`s that pass the parts on. A permute stands before the op on the part that
    it sends, so it runs while that computes.

    Results without the streamed factor are joined step by step (`StreamedOpInterface::joinParts`). A result with it is a sum over the
    ranks, in f32 (f64): what a rank adds to its own part stays there; from step 1 on the sum travels with the part, and goes home after the last
    step. Of n ranks, operands make n-1 hops and such results n-1.

    It runs after `verify-partitioned`: until there the op is one op with whole results, so the type checker of shardings sees no partial
    results of steps, and decisions of earlier passes do not meet them.

    Precondition: phase `partitioned`, verified; streamed over one axis. Postcondition: no compute op has an unlowered streamed factor.

    ```mlir
    %o, %lse = nn.attention %q, %k, %v, %scalars {dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>, ...} : ...
    ```
    becomes, on cp=2,
    ```mlir
    %kv:2 = dist.collective_permute %k, %v shift 1 over ["cp"] : ...
    %o0, %lse0 = nn.attention %q, %k, %v, %scalars {dist.ring_step = 0 : i64, ...} : ...
    %o1, %lse1 = nn.attention %q, %kv#0, %kv#1, %scalars {dist.ring_step = 1 : i64, ...} : ...
    %o, %lse = nn.attention_merge %o0, %lse0, %o1, %lse1 : ...
    ```
  }];
}

def VerifyPartitioned : DistPass<"verify-partitioned"> {
  let summary = "The type checker of shardings";
  let description = [{
    Phase `partitioned` is right when:

    - P1: every tensor has a sharding, well formed on the module's mesh, and without shifted axes (rings are lowered later);
    - P2: every compute op has operands and results exactly as its rule and placement say; a partial value enters only an op that is linear in
      it (with all operands of its linear group partial alike), and leaves with the results;
    - P3: no `dist.reshard` and no `dist.assume` is left, and every other dist op turns its operand's sharding into its result's;
    - P4: calls have the types of their callee, returns those of their function;
    - P5: parameters are read, written and differentiated under their storage sharding;
    - P6: what `@step` returns is whole;
    - P7: contributions to one accumulator are different values;
    - P8: with several stages, every call has one, calls of a backward role that of their forward call, activations flow to the same or later
      stages, and every stage has a forward call;
    - P9: `dist.stage_parts` have their parts where they are made;
    - P10: in `@step`, every tensor of a parameter that is written, or whose gradient is named, is read, and what is read is written once.
  }];
}

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_PASSES
