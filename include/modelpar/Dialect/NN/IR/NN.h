//===- NN.h - the nn dialect ------------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The dialect, its attributes and its ops: models with global tensors. The one
// header to include; NNOps.td says what every op means.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NN_H
#define MODELPAR_DIALECT_NN_IR_NN_H

#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/DifferentiableOpInterface.h"
#include "modelpar/Interfaces/InPlaceOpInterface.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"
#include "modelpar/Interfaces/StreamedOpInterface.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/bit.h"

namespace modelpar::nn {

/// What `nn.read_parameter` reads and `nn.write_parameter` writes: all parameters and optimizer states.
struct ParameterMemory : mlir::SideEffects::Resource::Base<ParameterMemory> {
  llvm::StringRef getName() final { return "modelpar.parameters"; }
};
/// What `nn.gradient` writes.
struct GradientMemory : mlir::SideEffects::Resource::Base<GradientMemory> {
  llvm::StringRef getName() final { return "modelpar.gradients"; }
};

/// A double as a parameter of attributes: it can be hashed. Zeros of either sign are one number.
struct Number {
  Number(double value = 0) : value(value + 0.0) {}
  operator double() const { return value; }
  bool operator==(const Number &other) const { return value == other.value; }
  friend llvm::hash_code hash_value(const Number &number) {
    return llvm::hash_value(llvm::bit_cast<uint64_t>(number.value));
  }
  double value;
};

/// Extents of the scalars operand of ops that read what changes per step (planformat::Scalar lists the fields).
inline constexpr int64_t kNumScalars = 16;

// Attributes on functions, calls and modules (docs/Pipeline.md).
inline constexpr llvm::StringLiteral kInputAttr = "nn.input";
inline constexpr llvm::StringLiteral kInputRoleAttr = "nn.input_role";
inline constexpr llvm::StringLiteral kInputRangeAttr = "nn.input_range";
inline constexpr llvm::StringLiteral kDimNamesAttr = "nn.dim_names";
inline constexpr llvm::StringLiteral kBatchDimAttr = "nn.batch_dim";
inline constexpr llvm::StringLiteral kSequenceDimAttr = "nn.seq_dim";
inline constexpr llvm::StringLiteral kOutputAttr = "nn.output";
inline constexpr llvm::StringLiteral kInstanceAttr = "nn.instance";
inline constexpr llvm::StringLiteral kRoleAttr = "nn.role";
inline constexpr llvm::StringLiteral kModelAttr = "nn.model";
inline constexpr llvm::StringLiteral kOptimizerAttr = "nn.optimizer";
inline constexpr llvm::StringLiteral kStepFunction = "step";

/// The type in which statistics (mean, rstd, lse) of tensors of `elementType` are kept: f64 for f64, else f32.
mlir::Type getStatisticsType(mlir::Type elementType);

} // namespace modelpar::nn

#include "modelpar/Dialect/NN/IR/NNDialect.h.inc"
#include "modelpar/Dialect/NN/IR/NNEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/NN/IR/NNAttrs.h.inc"

#define GET_OP_CLASSES
#include "modelpar/Dialect/NN/IR/NNOps.h.inc"

namespace modelpar::nn {

/// Softmax cross-entropy over the last dimension: `nn.softmax_stats` and `nn.token_loss`. Returns the scalar loss.
mlir::Value buildCrossEntropy(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value logits, mlir::Value targets,
                              mlir::Value scalars);

/// `value`s added up: the value itself when there is one, `nn.sum` when there are more, null when there is none.
mlir::Value buildSum(mlir::OpBuilder &builder, mlir::Location loc, mlir::ValueRange values);

} // namespace modelpar::nn

#endif // MODELPAR_DIALECT_NN_IR_NN_H
