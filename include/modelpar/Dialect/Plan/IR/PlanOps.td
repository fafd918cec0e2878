//===- PlanOps.td - ops of the plan dialect ---------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_IR_PLANOPS
#define MODELPAR_DIALECT_PLAN_IR_PLANOPS

include "modelpar/Dialect/Plan/IR/PlanBase.td"
include "modelpar/Dialect/Plan/IR/PlanInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;
def Plan_Tensor : TypeAttrOf<RankedTensorOf<[F32, F64, BF16, F16, I32, I64], [HasStaticShapePred], "statically shaped tensor">>;
def Plan_TopLevel : ParentOneOf<["::mlir::ModuleOp"]>;
def Plan_InBody : ParentOneOf<["BlockOp", "ProgramOp"]>;

//===----------------------------------------------------------------------===//
// Tables of the module
//===----------------------------------------------------------------------===//

def Plan_InputOp : Plan_Op<"input", [Plan_TopLevel]> {
  let summary = "an input of the step, and what fills it";
  let description = [{
    - C1: one name per dimension, or none.
    - C2: two range bounds, in order.
    - C3: `batch` is a dimension of the tensor: the one that counts samples. Without it the input is the same for
      every sample.

    ```mlir
    plan.input "tokens" : tensor<8x128xi32> role "tokens" range [0.0, 256.0] dims ["batch", "seq"] batch 0
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_Tensor:$type, StrAttr:$role, F64ArrayAttr:$range, StrArrayAttr:$dim_names,
                       OptionalAttr<I32Attr>:$batch_dim);
  let assemblyFormat = "$name `:` $type `role` $role `range` $range `dims` $dim_names (`batch` $batch_dim^)? attr-dict";
  let hasVerifier = 1;
}

def Plan_ParameterOp : Plan_Op<"parameter", [Plan_TopLevel, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a parameter: its name in checkpoints, how it starts, and its buffers";
  let description = [{
    - C1: value, gradient and state name buffers.
    - C2: one name per state buffer.
    - C3: the checkpoint shape has as many elements as the type.
    - C4: `zero_row`, which starts as zeros, is an index of the first dimension.

    `checkpoint_aliases` are names of the tensor in files that lack the checkpoint's name.

    ```mlir
    plan.parameter "w" : tensor<4x4xf32> init "normal" [0.0, 0.02] checkpoint "layer.weight" [16]
      value @w gradient @w.grad state ["exp_avg"] [@w.exp_avg]
    ```
  }];
  let arguments = (ins StrAttr:$name, Plan_Tensor:$type, StrAttr:$init, F64ArrayAttr:$init_arguments,
                       StrAttr:$checkpoint_name, DenseI64ArrayAttr:$checkpoint_shape,
                       OptionalAttr<StrArrayAttr>:$checkpoint_aliases, OptionalAttr<I64Attr>:$zero_row, FlatSymbolRefAttr:$value,
                       OptionalAttr<FlatSymbolRefAttr>:$gradient, StrArrayAttr:$state_names, FlatSymbolRefArrayAttr:$state,
                       DefaultValuedAttr<BoolAttr, "true">:$weight_decay, DefaultValuedAttr<I32Attr, "0">:$stage);
  let assemblyFormat = [{
    $name `:` $type `init` $init $init_arguments `checkpoint` $checkpoint_name $checkpoint_shape
    (`or` $checkpoint_aliases^)? `value` $value
    (`gradient` $gradient^)? `state` $state_names $state (`stage` $stage^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_OutputOp : Plan_Op<"output", [Plan_TopLevel, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a named result of the step, in a buffer";
  let description = [{
    ```mlir
    plan.output "loss" @loss
    ```
  }];
  let arguments = (ins StrAttr:$name, FlatSymbolRefAttr:$buffer);
  let assemblyFormat = "$name $buffer attr-dict";
}

def Plan_BufferOp : Plan_Op<"buffer", [Symbol, Plan_TopLevel]> {
  let summary = "memory of a stage that lives across programs";
  let description = [{
    Its bytes are at offset + slot·stride, slot = micro-batch modulo slots. `per_micro_batch` buffers get as many
    slots as the schedule has micro-batches in flight. `at` is filled in by `plan-allocate`.

    - C1: bytes, slots positive.
    - C2: with several slots the stride is at least the bytes.
    - C3: offset and stride not negative.

    ```mlir
    plan.buffer @act.0 activation : tensor<8x64xf32> bytes 2048 at 4096 slots 2 stride 2048 per_micro_batch
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_BufferKind:$kind, Plan_Tensor:$type, I64Attr:$bytes,
                       OptionalAttr<I64Attr>:$offset, DefaultValuedAttr<I32Attr, "1">:$slots,
                       DefaultValuedAttr<I64Attr, "0">:$stride, UnitAttr:$per_micro_batch,
                       DefaultValuedAttr<I32Attr, "0">:$stage);
  let assemblyFormat = [{
    $sym_name $kind `:` $type `bytes` $bytes (`at` $offset^)? (`slots` $slots^)? (`stride` $stride^)?
    (`per_micro_batch` $per_micro_batch^)? (`stage` $stage^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_ReplicaOp : Plan_Op<"replica", [Plan_TopLevel, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a copy of a parameter on a stage that uses it beside its owner";
  let description = [{
    - C1: value, gradient and state name buffers of the stage.
    - C2: as many state buffers as the parameter has.
    - C3: `parameter` is the name of a `plan.parameter` of another stage.

    ```mlir
    plan.replica "wte.weight" stage 3 value @wte.weight.stage3 gradient @wte.weight.grad.stage3 state [@wte.weight.exp_avg.stage3]
    ```
  }];
  let arguments = (ins StrAttr:$parameter, I32Attr:$stage, FlatSymbolRefAttr:$value, OptionalAttr<FlatSymbolRefAttr>:$gradient,
                       FlatSymbolRefArrayAttr:$state);
  let assemblyFormat = "$parameter `stage` $stage `value` $value (`gradient` $gradient^)? `state` $state attr-dict";
}

def Plan_ChannelOp : Plan_Op<"channel", [Symbol, Plan_TopLevel, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "what a stage sends to another one, or receives from it, for one micro-batch";
  let description = [{
    Buffers are in the order of the peer's channel.

    - C1: at least one buffer, all of the stage and per micro-batch.
    - C2: the peer is another stage.

    ```mlir
    plan.channel @stage0.send.1 send stage 0 peer 1 [@act.3, @act.4]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_Direction:$direction, I32Attr:$stage, I32Attr:$peer,
                       FlatSymbolRefArrayAttr:$buffers);
  let assemblyFormat = "$sym_name $direction `stage` $stage `peer` $peer $buffers attr-dict";
}

def Plan_ScheduleOp : Plan_Op<"schedule", [Plan_TopLevel, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the programs of one stage in the order of one step, and the exchanges with other stages between them";
  let description = [{
    Each entry is a program, or the list of channels of one exchange: a grouped launch of their transfers.

    - C1: one micro-batch per program and per channel, in their order.
    - C2: every name is a program of this stage, or in a list, which is not empty, a channel of this stage.

    ```mlir
    plan.schedule stage 0 run [@stage0.forward, [@stage0.send.1], [@stage0.recv.1], @stage0.backward, @stage0.update] on [0, 0, 0, 0, 0]
    ```
  }];
  let arguments = (ins I32Attr:$stage, ArrayAttr:$entries, DenseI32ArrayAttr:$micro_batches);
  let assemblyFormat = "`stage` $stage `run` $entries `on` $micro_batches attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// One entry: a program, or the channels of an exchange, each with its micro-batch.
    struct Entry {
      ::mlir::StringAttr program; ///< Null for an exchange.
      ::llvm::SmallVector<::mlir::StringAttr, 2> channels;
      ::llvm::ArrayRef<int32_t> microBatches; ///< Of the program, or of each channel.
    };
    /// The entries of a schedule that fulfils C1.
    ::llvm::SmallVector<Entry> getSchedule();
  }];
}

def Plan_MemoryOp : Plan_Op<"memory", [Plan_TopLevel]> {
  let summary = "the arena of one stage, by part";
  let description = [{
    Buffers come first; from `transient` on lie the frames that the stage's programs share.

    - C1: one size per part.
    - C2: the parts add up to the arena.
    - C3: the transient part starts inside the arena.

    ```mlir
    plan.memory stage 0 arena 12288 transient 4096 parts ["parameters", "temporaries"] [4096, 8192]
    ```
  }];
  let arguments = (ins I32Attr:$stage, I64Attr:$arena, I64Attr:$transient, StrArrayAttr:$part_names, DenseI64ArrayAttr:$part_bytes);
  let assemblyFormat = "`stage` $stage `arena` $arena `transient` $transient `parts` $part_names $part_bytes attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

def Plan_BlockOp : Plan_Op<"block", [Symbol, Plan_TopLevel, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "instructions that programs call, over the caller's buffers";
  let description = [{
    The entry block's arguments are the inputs, then the outputs. Offsets of `plan.alloc` count from the frame that a
    call gives.

    - C1: arguments are buffers.
    - C2: no more inputs than arguments.
    - C3: each event is recorded once, before any that waits for it.
    - C4: once it has its frame, stream 0 has waited for the other streams at the end.

    ```mlir
    plan.block @relu ins(%x: !plan.buffer<tensor<8x4xf32>>) outs(%y: !plan.buffer<tensor<8x4xf32>>) frame 0 {
      plan.launch "activation" ins(%x : !plan.buffer<tensor<8x4xf32>>) outs(%y : !plan.buffer<tensor<8x4xf32>>) {kind = "relu"}
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I32Attr:$num_inputs, OptionalAttr<I64Attr>:$frame);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Plan_ProgramOp : Plan_Op<"program", [Symbol, Plan_TopLevel, IsolatedFromAbove, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "instructions that the schedule runs, over the stage's buffers";
  let description = [{
    Offsets of `plan.alloc` count from the transient part of the arena. Constraints C3 and C4 of plan.block hold.

    ```mlir
    plan.program @stage0.forward forward stage 0 frame 4096 {
      %x = plan.use @x : <tensor<8x4xf32>>
      plan.load "x" into %x : <tensor<8x4xf32>>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_ProgramKind:$kind, I32Attr:$stage, OptionalAttr<I64Attr>:$frame);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name $kind `stage` $stage (`frame` $frame^)? attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def Plan_UseOp : Plan_Op<"use", [Pure, HasParent<"ProgramOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a buffer of the stage, as this program sees it";
  let description = [{
    The type may differ from the buffer's in what the tensor is partial over (a gradient before and after its
    reduction).

    - C1: the symbol is a buffer of the program's stage.
    - C2: the buffer is large enough for the type (same shape and element type).

    ```mlir
    %0 = plan.use @w.grad : <tensor<8x4xf32>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$buffer);
  let results = (outs Plan_BufferType:$result);
  let assemblyFormat = "$buffer attr-dict `:` type($result)";
}

def Plan_AllocOp : Plan_Op<"alloc", [Plan_InBody]> {
  let summary = "bytes that live inside this body only";
  let description = [{
    `at`, an offset in the body's frame, is filled in by `plan-allocate`. With `workspace` the bytes are a kernel's
    scratch. Two allocations of the same bytes are two tensors, one after the other: they must never be merged, so the op
    allocates in the eyes of MLIR's passes.

    - C1: bytes not negative, offset not negative.

    ```mlir
    %0 = plan.alloc 128 at 64 : <tensor<8x4xf32>>
    %1 = plan.alloc workspace 4096 : <tensor<1024xf32>>
    ```
  }];
  let arguments = (ins I64Attr:$bytes, OptionalAttr<I64Attr>:$offset, UnitAttr:$workspace);
  let results = (outs Res<Plan_BufferType, "", [MemAlloc]>:$result);
  let assemblyFormat = "(`workspace` $workspace^)? $bytes (`at` $offset^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Plan_AliasOp : Plan_Op<"alias", [Plan_InBody]> {
  let summary = "the bytes of a buffer for another tensor (an in-place result)";
  let description = [{
    A tensor of its own: an instruction must write it before any reads it, and what the source held is dead after that. Two
    aliases of one source are never merged, so the op allocates in the eyes of MLIR's passes.

    - C1: shape and element type are the same.

    ```mlir
    %1 = plan.alias %0 : <tensor<8x4xf32>> as <tensor<8x4xf32>>
    ```
  }];
  let arguments = (ins Plan_BufferType:$source);
  let results = (outs Res<Plan_BufferType, "", [MemAlloc]>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `as` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

// `format` is the op's own part; stream and events follow.
class Plan_InstructionOp<string mnemonic, dag own, string format, list<Trait> traits = []>
    : Plan_Op<mnemonic, !listconcat([Plan_InBody, DeclareOpInterfaceMethods<Plan_InstructionOpInterface, ["getReads", "getWrites"]>], traits)> {
  let arguments = !con(own, (ins DefaultValuedAttr<I32Attr, "0">:$stream, OptionalAttr<DenseI32ArrayAttr>:$waits,
                                 OptionalAttr<I32Attr>:$record));
  let assemblyFormat = format # "(`stream` $stream^)? (`waits` $waits^)? (`records` $record^)? attr-dict-with-keyword";
}

def Plan_LaunchOp : Plan_InstructionOp<"launch",
    (ins StrAttr:$kernel, Variadic<Plan_BufferType>:$inputs, Variadic<Plan_BufferType>:$outputs,
         Optional<Plan_BufferType>:$workspace, DictionaryAttr:$config),
    [{$kernel `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` ($outputs^ `:` type($outputs))? `)`
      (`workspace` `(` $workspace^ `:` type($workspace) `)`)? $config }],
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Plan_InstructionOpInterface, ["getScratch"]>]> {
  let summary = "run a kernel";
  let description = [{
    - C1: attributes are booleans, 64-bit integers, doubles, strings, or arrays of 64-bit integers or doubles.
    - C2: at least one output.

    ```mlir
    plan.launch "matmul" ins(%x, %w : !plan.buffer<tensor<8x4xf32>>, !plan.buffer<tensor<8x4xf32>>)
      outs(%y : !plan.buffer<tensor<8x4xf32>>) {subscripts = "bd,df->bf", flops = 256.0} records 0
    ```
  }];
  let hasVerifier = 1;
}

def Plan_CollectiveOp : Plan_InstructionOp<"collective",
    (ins Plan_CollectiveKind:$kind, Variadic<Plan_BufferType>:$inputs, Variadic<Plan_BufferType>:$outputs, Plan_AxesAttr:$axes,
         OptionalAttr<StrAttr>:$reduce, OptionalAttr<I32Attr>:$dim, OptionalAttr<I32Attr>:$source_dim,
         OptionalAttr<I32Attr>:$shift),
    [{$kind `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outputs `:` type($outputs) `)` `over` $axes
      (`reduce` $reduce^)? (`dim` $dim^)? (`from` $source_dim^)? (`shift` $shift^)? }],
    [AttrSizedOperandSegments]> {
  let summary = "communicate with the ranks that differ along the axes";
  let description = [{
    Several tensors are one grouped launch. outs[i] belongs to ins[i] and may be the same bytes.

    - C1: as many outputs as inputs, at least one.
    - C2: at least one axis.
    - C3: `reduce` ("sum", "max", "lse") with all_reduce and reduce_scatter alone.
    - C4: `dim` with all_gather, reduce_scatter and all_to_all alone, a dimension of every tensor.
    - C5: `from` with all_to_all alone.
    - C6: `shift` with collective_permute alone, at least 1 and less than the size of its one axis.

    ```mlir
    plan.collective all_reduce ins(%0 : !plan.buffer<tensor<8x4xf32>>) outs(%1 : !plan.buffer<tensor<8x4xf32>>)
      over [#plan.axis<"tp", 4>] reduce "sum" stream 1 waits [0] records 1
    ```
  }];
  let hasVerifier = 1;
}

def Plan_CallOp : Plan_InstructionOp<"call",
    (ins FlatSymbolRefAttr:$callee, Variadic<Plan_BufferType>:$inputs, Variadic<Plan_BufferType>:$outputs,
         I64Attr:$instance, OptionalAttr<I64Attr>:$frame),
    [{$callee `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` ($outputs^ `:` type($outputs))? `)` `instance` $instance
      (`frame` $frame^)? }],
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run a block on the caller's buffers";
  let description = [{
    `frame` is where the block's own bytes start, like an offset of `plan.alloc`. `instance` (the layer) keys
    dropout.

    - C1: the callee is a block, with these numbers of inputs and outputs.
    - C2: the types are those of its arguments.
    - C3: calls are issued to stream 0.

    ```mlir
    plan.call @relu ins(%0 : !plan.buffer<tensor<8x4xf32>>) outs(%1 : !plan.buffer<tensor<8x4xf32>>) instance 3 frame 0
    ```
  }];
  let hasVerifier = 1;
}

def Plan_AccumulateOp : Plan_InstructionOp<"accumulate",
    (ins Plan_BufferType:$input, Plan_BufferType:$output, UnitAttr:$first),
    "$input `into` $output (`first` $first^)? `:` type($input) `into` type($output) "> {
  let summary = "add this micro-batch's contribution to a sum over micro-batches";
  let description = [{
    With `first`, the step's first micro-batch writes instead of adding. Of several contributions to one sum, the
    earliest is first.

    - C1: the shapes are the same.

    ```mlir
    plan.accumulate %0 into %1 first : <tensor<8x4xf32>> into <tensor<8x4xf32>>
    ```
  }];
  let hasVerifier = 1;
}

def Plan_LoadOp : Plan_InstructionOp<"load", (ins StrAttr:$input, Plan_BufferType:$output),
    "$input `into` $output `:` type($output) "> {
  let summary = "fill a buffer with this micro-batch of an input";
  let description = [{
    ```mlir
    plan.load "x" into %0 : <tensor<8x4xf32>>
    ```
  }];
}

def Plan_WaitOp : Plan_InstructionOp<"wait", (ins), ""> {
  let summary = "nothing but its waits: joins streams at the end of a body";
  let description = [{
    ```mlir
    plan.wait waits [1]
    ```
  }];
}

#endif // MODELPAR_DIALECT_PLAN_IR_PLANOPS
