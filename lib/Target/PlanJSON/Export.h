//===- Export.h - shared by the parts of the exporter -----------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers of types, buffers and blocks, and the export of one body.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_TARGET_PLANJSON_EXPORT_H
#define MODELPAR_LIB_TARGET_PLANJSON_EXPORT_H

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/PlanFormat/Plan.h"

#include "llvm/ADT/DenseMap.h"

namespace modelpar {

/// Plan::types, each tensor type once.
class TypeTable {
public:
  explicit TypeTable(planformat::Plan &plan) : plan_(plan) {}
  planformat::TypeId operator()(mlir::Type type);
  /// Bytes of the largest shard, rounded up.
  int64_t bytes(planformat::TypeId id) const { return bytes_[id]; }
  /// A type whose elements the plan file does not have; null when there was none.
  mlir::Type unknown() const { return unknown_; }

private:
  planformat::Plan &plan_;
  mlir::Type unknown_;
  llvm::DenseMap<mlir::Type, planformat::TypeId> ids_;
  std::vector<int64_t> bytes_;
};

/// What a body may refer to by name.
struct Names {
  llvm::DenseMap<mlir::StringAttr, int32_t> buffers; ///< Of all stages: a name has one stage.
  llvm::DenseMap<mlir::StringAttr, int32_t> blocks, programs, channels;
};

mlir::LogicalResult exportBody(mlir::Block &block, unsigned numInputs, TypeTable &types, const Names &names,
                               planformat::Body &body);

} // namespace modelpar

#endif // MODELPAR_LIB_TARGET_PLANJSON_EXPORT_H
