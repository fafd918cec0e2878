//===- ConvertBody.h - one function to one body of instructions -*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits the instructions of a straight-line function once its Storage says where every
// value lives. Shared by blocks and programs.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_CONVERTBODY_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_CONVERTBODY_H

#include "lib/Conversion/DistToPlan/Storage.h"

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"

namespace modelpar {

class BodyEmitter {
public:
  BodyEmitter(mlir::OpBuilder &builder, Tensors &tensors, Storage &storage, llvm::StringRef deviceKind)
      : builder_(builder), tensors_(tensors), storage_(storage), deviceKind_(deviceKind) {}

  /// Arguments of the plan.block that is being built; empty in a program.
  void setArguments(mlir::ValueRange arguments) { arguments_.assign(arguments.begin(), arguments.end()); }
  /// Emits the instructions of all ops but the terminator.
  mlir::LogicalResult emit(mlir::Block &body);
  /// Copies `value` to `place` (results that are arguments, or returned twice).
  mlir::LogicalResult emitCopy(mlir::Value value, Place place);
  /// The buffer that holds `value`.
  mlir::Value handle(mlir::Value value);

private:
  mlir::Value use(mlir::StringAttr buffer, mlir::RankedTensorType type);
  mlir::Value makeHandle(mlir::Value value);
  mlir::LogicalResult emit(mlir::Operation *op);
  mlir::LogicalResult emitInstruction(mlir::Operation *op);
  void emitLaunch(mlir::Operation *op);
  void emitStageParts(dist::StagePartsOp op);
  void emitCall(mlir::func::CallOp call);
  mlir::LogicalResult emitCollective(mlir::Operation *op);
  void emitCollective(mlir::Operation *op, plan::CollectiveKind kind, dist::AxesAttr axes,
                      std::optional<dist::ReduceKind> reduce, std::optional<int64_t> dim,
                      std::optional<int64_t> sourceDim, std::optional<int64_t> shift = std::nullopt);
  void emitContributions(mlir::Operation *op);
  void emitAccumulate(dist::AccumulateOp op, mlir::Value contribution);
  mlir::SmallVector<mlir::Value> handles(mlir::ValueRange values);

  mlir::OpBuilder &builder_;
  Tensors &tensors_;
  Storage &storage_;
  llvm::StringRef deviceKind_;
  mlir::SmallVector<mlir::Value> arguments_;
  /// Per slot the local bytes; per value its handle.
  llvm::DenseMap<unsigned, mlir::Value> bases_;
  llvm::DenseMap<mlir::Value, mlir::Value> handles_;
  /// Per stage buffer and type: its plan.use.
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Type>, mlir::Value> uses_;
  /// Contributions whose instruction has been emitted, by accumulation.
  llvm::DenseMap<mlir::Operation *, Contributions> contributions_;
};

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_CONVERTBODY_H
