//===- StepParts.h - in which programs each op of @step runs ----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of a step (forward, backward, update) follows from the roles of calls and the
// data flow; the stages from the stages of calls, forwards to where values can be made and
// backwards to where they are needed.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STEPPARTS_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STEPPARTS_H

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallBitVector.h"

namespace modelpar {

/// In the order they run for one micro-batch; `Read` ops are copied into every program that uses them.
enum class Part { Read = -1, Forward, Backward, Update };
inline constexpr unsigned kNumParts = 3;
llvm::StringRef name(Part part); ///< "forward", "backward", "update"

/// A set of pipeline stages.
class Stages {
public:
  Stages() = default;
  Stages(std::initializer_list<int64_t> stages) {
    for (int64_t stage : stages)
      insert(stage);
  }

  void insert(int64_t stage) {
    if (stage >= static_cast<int64_t>(bits_.size()))
      bits_.resize(static_cast<unsigned>(stage) + 1);
    bits_.set(static_cast<unsigned>(stage));
  }
  bool count(int64_t stage) const {
    return stage >= 0 && stage < static_cast<int64_t>(bits_.size()) && bits_.test(static_cast<unsigned>(stage));
  }
  bool empty() const { return bits_.none(); }
  size_t size() const { return bits_.count(); }
  int64_t first() const { return bits_.find_first(); }
  int64_t last() const { return bits_.find_last(); }
  auto begin() const { return bits_.set_bits_begin(); }
  auto end() const { return bits_.set_bits_end(); }

  Stages &operator|=(const Stages &other) {
    bits_ |= other.bits_;
    return *this;
  }
  Stages &operator&=(const Stages &other) {
    bits_ &= other.bits_;
    return *this;
  }
  /// The same stages, whatever room there is for more.
  bool operator==(const Stages &other) const { return !bits_.test(other.bits_) && !other.bits_.test(bits_); }

private:
  llvm::SmallBitVector bits_;
};

class StepParts {
public:
  explicit StepParts(mlir::func::FuncOp step);

  /// Emits an error for a value that is needed where it cannot be.
  mlir::LogicalResult assign();

  int64_t numStages() const { return numStages_; }
  int64_t lastStage() const { return numStages_ - 1; }
  bool hasMicroBatches() const { return hasMicroBatches_; }
  /// Of the return: Update.
  Part partOf(mlir::Operation *op) const;
  /// The part in which a value is made; Read for arguments.
  Part partOf(mlir::Value value) const;
  /// The stages that a value is made in. Not of Read values, which are everywhere.
  const Stages &madeIn(mlir::Value value) const { return made_.find(value)->second; }
  /// The stages that run the op, or one of its results for an all_reduce of many.
  const Stages &runsIn(mlir::Operation *op) const { return runs_.find(op)->second; }
  /// The stages in which an operand is used: those that run what the op does with it.
  Stages usedIn(mlir::OpOperand &operand) const;
  bool usesIn(mlir::OpOperand &operand, int64_t stage) const { return usedIn(operand).count(stage); }
  /// An accumulated value is complete only after all micro-batches.
  static bool isAccumulated(mlir::Value value) { return value.getDefiningOp<dist::AccumulateOp>() != nullptr; }

private:
  mlir::LogicalResult assignParts();
  mlir::FailureOr<Part> partOfCall(mlir::func::CallOp call);
  mlir::LogicalResult findMade(mlir::Operation &op);
  mlir::LogicalResult findMadeInUpdate(mlir::Operation &op);
  Stages madeInLoop(mlir::Operation &op) const;
  void settle();
  Stages neededBy(mlir::Value value) const;
  bool isRead(mlir::Value value) const { return partOf(value) == Part::Read; }

  mlir::func::FuncOp step_;
  sharding::Mesh mesh_;
  int64_t numStages_ = 1;
  bool hasMicroBatches_ = false;
  Stages all_;
  llvm::DenseMap<mlir::Operation *, Part> parts_;
  /// First where values can be made, then where they are.
  llvm::DenseMap<mlir::Value, Stages> made_;
  /// Where ops run: those without results at first, in the end all but Read ones.
  llvm::DenseMap<mlir::Operation *, Stages> runs_;
};

/// The stages of the group that a sum over stages is over.
Stages groupOf(dist::StagePartsOp op, const sharding::Mesh &mesh);

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STEPPARTS_H
