//===- PlanInterfaces.td - what all instructions have -----------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_PLAN_IR_PLANINTERFACES
#define MODELPAR_DIALECT_PLAN_IR_PLANINTERFACES

include "mlir/IR/OpBase.td"

def Plan_InstructionOpInterface : OpInterface<"InstructionOpInterface"> {
  let cppNamespace = "::modelpar::plan";
  let description = [{An op that is issued to a stream: what it reads and writes, and how events order it.}];
  let methods = [
    InterfaceMethod<"The buffers that the instruction reads.", "::mlir::OperandRange", "getReads">,
    InterfaceMethod<"The buffers that the instruction writes.", "::mlir::OperandRange", "getWrites">,
    InterfaceMethod<"Scratch, or null.", "::mlir::Value", "getScratch", (ins), [{}], [{ return {}; }]>,
    InterfaceMethod<"0: compute; 1: communication.", "uint32_t", "getStream">,
    InterfaceMethod<"Events to wait for, if any.", "std::optional<::llvm::ArrayRef<int32_t>>", "getWaits">,
    InterfaceMethod<"Event to record, if any.", "std::optional<uint32_t>", "getRecord">
  ];
}

#endif // MODELPAR_DIALECT_PLAN_IR_PLANINTERFACES
