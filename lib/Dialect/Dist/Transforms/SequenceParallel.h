//===- SequenceParallel.h - the sequence between tensor-parallel regions -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where an op has tp on no factor, its ranks would all compute the same: it gets tp on its
// sequence instead. This is decided op by op, so a dimension of one factor class is split
// in one place and whole in another, and the edges between become collectives.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_SEQUENCEPARALLEL_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_SEQUENCEPARALLEL_H

#include "FactorClasses.h"

#include <set>

namespace modelpar::dist {

class SequenceParallel {
public:
  /// `axes` by class, as everything else decided them; `sequence` are the classes of the inputs' sequence dimension;
  /// `over` is the axis of tensor parallelism, in the parts that it has everywhere.
  SequenceParallel(const FactorClasses &classes, llvm::ArrayRef<sharding::DimSharding> axes, std::set<int> sequence,
                   const sharding::Mesh &mesh, sharding::DimSharding over)
      : classes(classes), axes(axes), sequence(std::move(sequence)), mesh(mesh), over(std::move(over)) {}

  void place(mlir::ModuleOp module);
  const sharding::DimSharding &splitOver() const { return over; }

  /// The op's factor that gets the axis; -1 when none does.
  int factorOf(mlir::Operation *op) const {
    auto it = factors.find(op);
    return it == factors.end() ? -1 : it->second;
  }
  /// The dimension that an argument, or what a function returns as its result `index`, is split in; -1 when none is.
  int dimOfArgument(mlir::BlockArgument argument) const;
  int dimOfResult(mlir::func::FuncOp function, unsigned index, mlir::Value returned) const;

private:
  bool hasAxis(int id) const;
  void notePartials(const FactorClasses::OpFactors &op);
  bool addsPartials(const FactorClasses::OpFactors &op) const;
  int chooseFactor(const FactorClasses::OpFactors &op) const;
  int sequenceDim(mlir::Value value) const;

  void collect(mlir::func::FuncOp function);
  int node(mlir::Value value);
  int find(int node) const;
  void unite(int a, int b) { parents[find(a)] = find(b); }
  bool isWhole(int node) const { return whole.count(find(node)); }

  const FactorClasses &classes;
  llvm::ArrayRef<sharding::DimSharding> axes;
  std::set<int> sequence;
  const sharding::Mesh &mesh;
  sharding::DimSharding over;           ///< The axis, or its parts.
  llvm::DenseSet<mlir::Value> partials; ///< Sums over the axis that are not joined yet.
  llvm::DenseMap<mlir::Operation *, int> factors;

  // What crosses functions: arguments, results and the values of the step, tied by calls.
  std::vector<int> parents;
  llvm::DenseMap<mlir::Value, int> nodes;
  llvm::DenseMap<mlir::Operation *, int> results; ///< Node of a function's result 0.
  llvm::StringMap<mlir::func::FuncOp> functions;
  std::vector<int> readWhole;
  std::set<int> whole; ///< Roots.
};

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_SEQUENCEPARALLEL_H
