//===- Passes.td - from sharded functions to plan ---------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_CONVERSION_DISTTOPLAN_PASSES
#define MODELPAR_CONVERSION_DISTTOPLAN_PASSES

include "mlir/Pass/PassBase.td"

def DistStage : Pass<"dist-stage", "::mlir::ModuleOp"> {
  let summary = "cut @step into one function per program";
  let description = [{
    A schedule can order programs, not the ops of one function. Forward and backward run once per micro-batch, update once per step.

    Precondition: phase `partitioned`; `@step` calls blocks with `nn.role`, and what leaves the micro-batch loop passes
    `dist.accumulate`.

    Postcondition: phase `staged`. `@step` is gone; `@stage0.forward`, `@stage0.backward` and `@stage0.update` have `dist.program` and
    `dist.stage`. Step inputs are arguments with their `nn.*` attributes. A value that crosses programs is a result of one and an
    argument of the other, with one name (`dist.buffer`), and `dist.per_micro_batch` unless it was accumulated. Programs read
    parameters themselves. Each `dist.accumulate` stands in the program of its last contribution; an `nn.sum` that only it reads (the
    gradients of a shared parameter's uses) is gone, so each contribution is added when it is made.

    With several stages (`dist.stage` on calls) each has its programs. A call runs in its stage; after the loop an op runs where its operands are
    and its results are needed, and a `dist.stage_parts` leaves each stage its own part. What crosses stages is received at the start (`dist.recv`)
    and sent at the end (`dist.send`) of the forward programs, or of the backward programs, hop by hop between neighbours. A stage that uses a
    parameter which another one updates gets an update of its own: the update function reduced to that parameter (`.replica`).

    ```mlir
    func.func @step(%x: !x {nn.input = "x"}) -> (!l {nn.output = "loss"}) {
      %w = nn.read_parameter @w : !w
      %0:2 = call @b.forward(%x, %w) {nn.role = #nn.role<forward>} : (!x, !w) -> (!l0, !s)
      %1 = call @b.backward_weight(%0#1) {nn.role = #nn.role<backward_weight>} : (!s) -> !g0
      %loss = dist.accumulate %0#0 over "mb" : (!l0) -> !l
      %g = dist.accumulate %1 over "mb" : (!g0) -> !g
      ...
    // becomes
    func.func @stage0.forward(%x: !x {nn.input = "x"}) -> (!s {dist.buffer = "act.0", dist.per_micro_batch}, !l {dist.buffer = "loss"})
    func.func @stage0.backward(%s: !s {dist.buffer = "act.0", dist.per_micro_batch}) -> (!g {dist.buffer = "w.grad"})
    func.func @stage0.update(%l: !l {dist.buffer = "loss"}, %g: !g {dist.buffer = "w.grad"}) -> (!l {nn.output = "loss"})
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def VerifyStaged : Pass<"verify-staged", "::mlir::ModuleOp"> {
  let summary = "check the programs of phase staged";
  let description = [{
    What must hold after `dist-stage`:

    - T1: every stage of the mesh has one `forward`, one `backward` and one `update` program (`dist.program`, `dist.stage`); of a single stage
      the first two may be missing.
    - T2: every other function is a private block with an `nn.role`, of computation and communication alone.
    - T3: every tensor is sharded on the mesh, and every compute op has the types that its rule and placement say, but for the steps of a ring
      and what joins them.
    - T4: a program calls blocks of its own roles, with their types.
    - T5: an argument of a program is an input of the step (`nn.input`), or the result of an earlier program of the stage or what that has
      received, by name (`dist.buffer`), with the same type and the same `dist.per_micro_batch`.
    - T6: a result has a `dist.buffer`, one for each name; or is an output (`nn.output`) of the last stage's update.
    - T7: `dist.recv` opens a forward program that follows another stage, or a backward program that precedes one; `dist.send` ends one that the
      neighbour receives from. Names and types are the same at both ends.
    - T8: every stage reads what it writes of parameters and names gradients of, and writes what it reads, once; the update writes.
    - T9: the last stage's update returns `loss` and `grad_norm`.
  }];
}

def ConvertDistToPlan : Pass<"convert-dist-to-plan", "::mlir::ModuleOp"> {
  let summary = "lower programs over sharded tensors to instructions over buffers";
  let description = [{
    Every block function becomes one `plan.block`, every program a `plan.program`, values become buffers. A result may take the bytes
    of an operand that dies in its op when the op allows it (InPlaceOpInterface). What a block returns is written straight into the
    caller's buffer; what a program returns, into the stage's buffers; parameters are read and updated where they are.
    Collectives go to stream 1, everything else to stream 0. What a program sends or receives is in buffers of the stage, listed by
    `plan.channel`; a value that was written over a received one is sent from there.

    Precondition: phase `staged`, no `dist.reshard`; every send has its receive.

    Postcondition: only plan ops; no events, schedule and offsets yet (`plan-schedule`, `plan-insert-events`, `plan-allocate`).
  }];
  let options = [
    Option<"deviceKind", "device", "std::string", "\"cpu\"", "Kind of device that kernels' workspace is planned for">
  ];
  let dependentDialects = ["::modelpar::plan::PlanDialect"];
}

#endif // MODELPAR_CONVERSION_DISTTOPLAN_PASSES
