//===- DistDialect.td - the dist dialect -*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DISTDIALECT
#define MODELPAR_DIALECT_DIST_IR_DISTDIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"

def Dist_Dialect : Dialect {
  let name = "dist";
  let cppNamespace = "::modelpar::dist";
  let summary = "Where tensors live on a mesh of devices, and the communication that follows";
  let description = [{
    The module has one mesh (`dist.mesh`). In phase `sharded`, ops have placements (mesh axes per factor of their sharding rule),
    and parameters, arguments and results have shardings, as attributes. In phase `partitioned`, a tensor type keeps its
    global shape and carries a sharding as its encoding: per mesh axis a value is replicated, sharded along one
    dimension, or partial with a kind. Every op below takes sharded types to sharded types, and its verifier checks that
    the result's sharding is what the op makes of the operand's.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Attribute of modules: #dist.mesh.
    static constexpr llvm::StringLiteral getMeshAttrName() { return "dist.mesh"; }
    /// Attribute of modules: #dist.axes, what the batch is split over, and the axis of the sequence (context parallelism).
    static constexpr llvm::StringLiteral getBatchAxesAttrName() { return "dist.batch_axes"; }
    /// Attribute of compute ops: which step of a ring they are; they see that rank's part of their streamed operands alone.
    static constexpr llvm::StringLiteral getRingStepAttrName() { return "dist.ring_step"; }
    /// Attribute of compute ops: #dist.placement.
    static constexpr llvm::StringLiteral getPlacementAttrName() { return "dist.placement"; }
    /// Attribute of function arguments and results: #dist.sharding.
    static constexpr llvm::StringLiteral getShardingAttrName() { return "dist.sharding"; }
    /// Attribute of parameters: #dist.sharding.
    static constexpr llvm::StringLiteral getStorageAttrName() { return "dist.storage"; }
    /// Attribute of calls in @step and of programs: i64, the pipeline stage.
    static constexpr llvm::StringLiteral getStageAttrName() { return "dist.stage"; }
  }];
}

#endif // MODELPAR_DIALECT_DIST_IR_DISTDIALECT
