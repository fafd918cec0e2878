//===- Tensors.h - sharded types as the plan file sees them -----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From tensor types with #dist.sharding to planformat::TensorType, once per type, and
// what follows from it: bytes, scratch, operations.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_TENSORS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_TENSORS_H

#include "modelpar/PlanFormat/Plan.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"

namespace modelpar {

class Tensors {
public:
  explicit Tensors(sharding::Mesh mesh) : mesh_(std::move(mesh)) {}

  struct Info {
    planformat::TensorType type;
    int64_t bytes = 0; ///< Of the largest shard, rounded up to planformat::kAlignment.
  };
  const sharding::Mesh &mesh() const { return mesh_; }
  const Info &operator[](mlir::RankedTensorType type);
  const Info &of(mlir::Value value) { return (*this)[mlir::cast<mlir::RankedTensorType>(value.getType())]; }

  /// True when values of both types have the same bytes on every rank and micro-batch: they differ at most in what they
  /// are partial over.
  bool sameLayout(mlir::Type a, mlir::Type b);

  /// True when the largest shards of both types have the same size: sameLayout but for the shifts of axes.
  bool sameBytes(mlir::Type a, mlir::Type b);

  /// Operations of the largest shard of a compute op (CostOpInterface).
  double localFlops(mlir::Operation *op);

private:
  sharding::Mesh mesh_;
  llvm::DenseMap<mlir::Type, std::unique_ptr<Info>> infos_;
};

/// The attributes of a compute op that its kernel needs, as the plan dialect and the plan file write them.
mlir::SmallVector<mlir::NamedAttribute> kernelAttributes(mlir::Operation *op);

/// Scratch bytes of the op's kernel on this kind of device.
int64_t scratchBytes(Tensors &tensors, mlir::Operation *op, llvm::StringRef deviceKind,
                     mlir::ArrayRef<mlir::NamedAttribute> attributes);

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_TENSORS_H
