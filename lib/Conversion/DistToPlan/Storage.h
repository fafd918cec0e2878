//===- Storage.h - which values of a function share bytes -------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values of one function are grouped into slots: the same bytes, one after the other,
// under one or more types. A result joins the slot of an operand that dies in its op when the
// op allows it. A slot is bound to a place outside the function's own frame (an argument
// of a block, a buffer of a stage) or local.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_CONVERSION_DISTTOPLAN_STORAGE_H
#define MODELPAR_LIB_CONVERSION_DISTTOPLAN_STORAGE_H

#include "lib/Conversion/DistToPlan/Tensors.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <functional>

namespace modelpar {

/// Where a slot's bytes are.
struct Place {
  enum class Kind {
    Local,    ///< In the body's frame.
    Argument, ///< Argument `index` of the block.
    Buffer    ///< `buffer` of the stage.
  };
  Kind kind = Kind::Local;
  unsigned index = 0;
  mlir::StringAttr buffer;

  static Place argument(unsigned index) { return {Kind::Argument, index, {}}; }
  static Place stageBuffer(mlir::StringAttr name) { return {Kind::Buffer, 0, name}; }
  bool operator==(const Place &other) const {
    return kind == other.kind && index == other.index && buffer == other.buffer;
  }
};

/// For each result of a block function, the argument that it may be written over (-1: none): its op takes the
/// argument's bytes in place, and nothing reads the argument later.
using UpdatedArguments = mlir::SmallVector<int>;
UpdatedArguments findUpdatedArguments(Tensors &tensors, mlir::func::FuncOp function);

class Storage {
public:
  /// Results of a call that the callee can write over its arguments.
  using CalleeUpdates = std::function<llvm::ArrayRef<int>(mlir::func::CallOp)>;

  Storage(Tensors &tensors, CalleeUpdates updates) : tensors_(tensors), updates_(std::move(updates)) {}

  /// Who may write over the bytes of a value that was there before the body's ops, once it is dead.
  enum class Overwrite { Never, Anyone, Only };
  /// Starts a slot for `value` at `place`; with Only, `only` alone may take its bytes.
  void start(mlir::Value value, Place place, Overwrite overwrite, mlir::Value only = {});
  /// Groups the results of the body's ops that have no slot yet.
  void group(mlir::Block &body);
  /// Binds the slot of `value`, which it keeps; false when it is bound elsewhere already.
  bool bind(mlir::Value value, Place place);
  /// Says that `value` is what its place holds (found or left there), not an intermediate result in the same bytes.
  void keep(mlir::Value value) { kept_.insert(canonical(value)); }
  bool isKept(mlir::Value value) const { return kept_.contains(canonical(value)); }
  /// The value that `value` is another name of: a sum begun by its first contribution is that contribution.
  mlir::Value canonical(mlir::Value value) const {
    mlir::Value first = sums_.lookup(value);
    return first ? first : value;
  }

  unsigned slotOf(mlir::Value value) const { return slots_.find(value)->second; }
  const Place &placeOf(mlir::Value value) const { return all_[slotOf(value)].place; }

private:
  struct Slot {
    Place place;
    Overwrite overwrite = Overwrite::Anyone;
    mlir::Value only;
  };
  void groupResult(mlir::Operation *op, unsigned index);
  bool reusePartBefore(dist::CollectivePermuteOp permute, unsigned index);
  void joinFirst(mlir::Value sum, mlir::Value first);
  bool mayOverwrite(mlir::Operation *op, unsigned operand, mlir::Value result) const;
  mlir::SmallVector<unsigned> candidates(mlir::Operation *op, unsigned index) const;

  Tensors &tensors_;
  CalleeUpdates updates_;
  llvm::DenseMap<mlir::Value, unsigned> slots_;
  llvm::DenseSet<mlir::Value> kept_;
  llvm::DenseMap<mlir::Value, mlir::Value> sums_;
  llvm::DenseMap<unsigned, unsigned> receivedFrom_; ///< By slot that a permute wrote last: the slot that it sent.
  std::vector<Slot> all_;
};

/// The contributions of an accumulation in the order in which they are made, and whether the first is written straight
/// into the sum (one micro-batch, same element type): then no instruction is needed for it.
struct Contributions {
  mlir::SmallVector<mlir::Value> values;
  bool firstIsDirect = false;
};
Contributions findContributions(Tensors &tensors, dist::AccumulateOp op);

} // namespace modelpar

#endif // MODELPAR_LIB_CONVERSION_DISTTOPLAN_STORAGE_H
