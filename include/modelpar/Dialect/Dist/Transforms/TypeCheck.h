//===- TypeCheck.h - types of sharded tensors -------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every phase with sharded types asks of them, op by op.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_TYPECHECK_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_TYPECHECK_H

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace modelpar::dist {

class TypeCheck {
public:
  /// `rings`: parts may go round (phase `staged`).
  explicit TypeCheck(const sharding::Mesh &mesh, bool rings = false) : mesh_(mesh), rings_(rings) {}

  /// Tensors have a sharding that is well formed on the mesh; other types are not looked at.
  mlir::LogicalResult checkType(mlir::Operation *op, mlir::Type type);
  /// The same of all operands and results.
  mlir::LogicalResult checkTypes(mlir::Operation *op);
  /// One block, whose arguments have the types of the signature; these are sharded.
  mlir::LogicalResult checkSignature(mlir::func::FuncOp function);
  /// Operands and results are what the op's rule and placement say.
  mlir::LogicalResult checkCompute(ShardingRuleOpInterface op);
  /// `found` are the function's types `expected`; `what`: "operand", "result".
  mlir::LogicalResult checkEqual(mlir::Operation *op, const char *what, mlir::TypeRange found,
                                 mlir::TypeRange expected);
  std::string show(const sharding::TensorSharding &sharding) const;

private:
  const sharding::Mesh &mesh_;
  const bool rings_;
  llvm::DenseSet<mlir::Type> validTypes_; ///< Types repeat: each is validated once.
};

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_TYPECHECK_H
