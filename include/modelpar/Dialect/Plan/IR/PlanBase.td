//===- PlanBase.td - dialect, types, attributes of plan ---------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_IR_PLANBASE
#define MODELPAR_DIALECT_PLAN_IR_PLANBASE

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::modelpar::plan";
  let summary = "What one rank does, in order: programs, buffers with offsets, streams, events, the schedule";
  let description = [{
    A module of the plan dialect is the plan file in IR form (docs/PlanFormat.md). It holds tables (`plan.input`, `plan.parameter`,
    `plan.output`), the buffers of each stage, block bodies that are called once per layer, program bodies, and per stage
    a schedule and a memory account. All ranks of a stage share it: extents, offsets and neighbours follow from a rank's
    coordinates and the sharding in a buffer's type.

    Instructions are issued in list order to their stream. A stream runs in order; across streams only events order. A
    waiting instruction's stream waits before it, a recording one's records after it. A body starts with a fork (every stream
    that its own instructions use waits for stream 0) and ends joined: stream 0 has waited for all others.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

def Plan_BufferType : TypeDef<Plan_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "bytes that hold a rank's shard of a tensor";
  let description = [{`!plan.buffer<tensor<8x64xf32, #dist.sharding<...>>>`: shape and sharding of the global tensor.}];
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
  let builders = [TypeBuilderWithInferredContext<(ins "::mlir::RankedTensorType":$tensor), [{
    return $_get(tensor.getContext(), tensor);
  }]>];
}

class Plan_I32Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::modelpar::plan";
}

def Plan_BufferKind : Plan_I32Enum<"BufferKind", "what a buffer is for", [
  I32EnumAttrCase<"parameter", 0>, I32EnumAttrCase<"gradient", 1>, I32EnumAttrCase<"optimizer_state", 2>,
  I32EnumAttrCase<"activation", 3>, I32EnumAttrCase<"input", 4>, I32EnumAttrCase<"output", 5>,
  I32EnumAttrCase<"scalars", 6>]>;

def Plan_ProgramKind : Plan_I32Enum<"ProgramKind", "which part of a step a program is", [
  I32EnumAttrCase<"forward", 0>, I32EnumAttrCase<"backward_input", 1>, I32EnumAttrCase<"backward_weight", 2>,
  I32EnumAttrCase<"backward", 3>, I32EnumAttrCase<"update", 4>]>;

def Plan_Direction : Plan_I32Enum<"Direction", "which way a channel goes", [
  I32EnumAttrCase<"send", 0>, I32EnumAttrCase<"receive", 1>]>;

def Plan_CollectiveKind : Plan_I32Enum<"CollectiveKind", "a collective operation", [
  I32EnumAttrCase<"all_reduce", 0>, I32EnumAttrCase<"all_gather", 1>, I32EnumAttrCase<"reduce_scatter", 2>,
  I32EnumAttrCase<"all_to_all", 3>, I32EnumAttrCase<"collective_permute", 4>]>;

def Plan_AxisAttr : AttrDef<Plan_Dialect, "Axis"> {
  let mnemonic = "axis";
  let summary = "a mesh axis or a part of it";
  let description = [{`#plan.axis<"tp", 4>` is a whole axis of four; `#plan.axis<"tp", 2, 2>` a part: pre-size and size. Of
    `#plan.axis<"pp", 4 {0, 3}>` only coordinates 0 and 3 take part.}];
  let parameters = (ins StringRefParameter<>:$name, "int64_t":$preSize, "int64_t":$size, ArrayRefParameter<"int64_t">:$subset);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}
def Plan_AxesAttr : TypedArrayAttrBase<Plan_AxisAttr, "mesh axes">;

#endif // MODELPAR_DIALECT_PLAN_IR_PLANBASE
