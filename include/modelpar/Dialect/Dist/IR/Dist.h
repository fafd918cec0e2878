//===- Dist.h - the dist dialect --------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The dialect, its attributes and ops, and the way between attributes and the plain
// structs of lib/Sharding. The one header to include.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DIST_H
#define MODELPAR_DIALECT_DIST_IR_DIST_H

#include "modelpar/Sharding/Reshard.h"
#include "modelpar/Sharding/ShardingRule.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

// Hashes of the structs that attributes hold.
namespace modelpar::sharding {
llvm::hash_code hash_value(const MeshAxis &axis);
llvm::hash_code hash_value(const Mesh &mesh);
llvm::hash_code hash_value(const AxisRef &axis);
llvm::hash_code hash_value(const DimSharding &axes);
llvm::hash_code hash_value(const TensorSharding &sharding);
llvm::hash_code hash_value(const Placement &placement);
} // namespace modelpar::sharding

#include "modelpar/Dialect/Dist/IR/DistDialect.h.inc"
#include "modelpar/Dialect/Dist/IR/DistEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/Dist/IR/DistAttrs.h.inc"

#define GET_OP_CLASSES
#include "modelpar/Dialect/Dist/IR/DistOps.h.inc"

namespace modelpar::dist {

//===----------------------------------------------------------------------===//
// Attributes and plain structs
//===----------------------------------------------------------------------===//

/// The mesh of the module that `op` is, or is in; null when there is none.
MeshAttr getMesh(mlir::Operation *op);

/// In a plain struct every axis has its size; in an attribute whole axes have none. `resolve` needs axes that the mesh
/// has: unknown ones stay as they are, and sharding::validate names them.
sharding::AxisRef resolve(const sharding::Mesh &mesh, sharding::AxisRef axis);
sharding::DimSharding resolve(const sharding::Mesh &mesh, sharding::DimSharding axes);
sharding::TensorSharding resolve(const sharding::Mesh &mesh, ShardingAttr attr);
sharding::Placement resolve(const sharding::Mesh &mesh, PlacementAttr attr);
ShardingAttr makeSharding(mlir::MLIRContext *context, const sharding::Mesh &mesh, sharding::TensorSharding sharding);
PlacementAttr makePlacement(mlir::MLIRContext *context, const sharding::Mesh &mesh, sharding::Placement placement);
AxesAttr makeAxes(mlir::MLIRContext *context, const sharding::Mesh &mesh, sharding::DimSharding axes);

sharding::ReduceKind toPlain(ReduceKind kind);
ReduceKind fromPlain(sharding::ReduceKind kind);

//===----------------------------------------------------------------------===//
// Sharded types
//===----------------------------------------------------------------------===//

/// The sharding in the type's encoding; null without one.
ShardingAttr getSharding(mlir::Type type);
/// The same, resolved. A type without a sharding is replicated.
sharding::TensorSharding getSharding(const sharding::Mesh &mesh, mlir::RankedTensorType type);
/// The type under another sharding.
mlir::RankedTensorType withSharding(mlir::RankedTensorType type, ShardingAttr sharding);
mlir::RankedTensorType withSharding(mlir::RankedTensorType type, const sharding::Mesh &mesh,
                                    const sharding::TensorSharding &sharding);

/// The op for one step of a reshard path.
mlir::Value createStep(mlir::OpBuilder &builder, mlir::Location loc, const sharding::Mesh &mesh, mlir::Value input,
                       const sharding::ReshardStep &step);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_IR_DIST_H
