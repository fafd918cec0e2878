//===- Passes.td - passes on the plan dialect -------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES
#define MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def PlanSchedule : Pass<"plan-schedule", "::mlir::ModuleOp"> {
  let summary = "order the programs of a step and give buffers their slots";
  let description = [{
    Precondition: programs exist; the module has `plan.num_micro_batches` and `plan.schedule_kind` ("1f1b" when absent).

    Postcondition: one `plan.schedule` per stage, valid by lib/Schedule's checker, with the exchanges of its channels; `per_micro_batch`
    buffers have as many slots as keep micro-batches apart that are in use at a time: from the first program or exchange that touches
    a buffer to the last.

    ```mlir
    plan.schedule stage 0 run [@f, @b, @f, @b, @u] on [0, 0, 1, 1, 0]
    ```
  }];
}

def PlanInsertEvents : Pass<"plan-insert-events", "::mlir::ModuleOp"> {
  let summary = "order streams by events where bytes are shared";
  let description = [{
    List order is the order of the program's meaning, but streams run on their own. Where an instruction on one stream touches
    bytes that an instruction of another stream wrote (or overwrites what another reads), it gets an event to wait for, unless the order is known
    already. At the end of a body stream 0 waits for the others.

    Precondition: no events. Postcondition: every pair of conflicting accesses to a buffer is ordered.

    ```mlir
    plan.launch "matmul" ins(%x, %w) outs(%0) {...}                 // records 0
    plan.collective all_reduce ins(%0) outs(%0) ... stream 1        // waits [0] records 1
    plan.launch "add" ins(%0, %b) outs(%y) {}                       // waits [1]
    ```
  }];
}

def PlanAllocate : Pass<"plan-allocate", "::mlir::ModuleOp"> {
  let summary = "give every buffer and local value its offset";
  let description = [{
    Local values of a body share bytes when the happens-before order of streams and events separates them (lib/Memory). Blocks first: a call's
    frame is one more local of the calling program. A stage's buffers come first in its arena, then the transient part that its
    programs share.

    Precondition: schedule and events are there. Postcondition: every `plan.alloc`, `plan.buffer`, `plan.call` has its offset, every body its frame,
    every stage a `plan.memory`.

    ```mlir
    %0 = plan.alloc 4096 : ...      // becomes  plan.alloc 4096 at 128 : ...
    ```
  }];
}

def VerifyScheduled : Pass<"verify-scheduled", "::mlir::ModuleOp"> {
  let summary = "check that a module of phase scheduled is a whole plan";
  let description = [{
    What must hold after `plan-allocate`, so that the plan file can be written; the plan's own verifier proves the rest of it.

    - V1: only plan ops stand in the module; it names its optimizer, `adamw` or `sgd`, and a `plan.global_batch` of at least 1.
    - V2: stages are numbered from 0 without a gap, up to 2^16; each has one `plan.schedule`, which is not empty, one `plan.memory` and programs.
      What a buffer, channel, parameter or replica says of its stage is one of them; a channel's peer too.
    - V3: every buffer and allocation has its offset, every block, program and call its frame.
    - V4: a block is called only behind where it stands, so calls end.
    - V5: inputs, outputs and parameters have a name each; a replica is the only one of its stage.
    - V6: a load fills from a `plan.input`, with its shape and element type.
    - V7: every parameter has the states of its optimizer.
    - V8: there are outputs `loss` and `grad_norm`, of the last stage.
  }];
}

#endif // MODELPAR_DIALECT_PLAN_TRANSFORMS_PASSES
