//===- FactorClasses.h - dimensions that are placed alike -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Union-find over every value's dimensions and every op's factors of a module: what
// sharding rules, shared values, calls and parameters tie together is one class.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_FACTORCLASSES_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_FACTORCLASSES_H

#include "PlacedOp.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

namespace modelpar::dist {

class FactorClasses {
public:
  /// Emits an error for ops that it does not understand (no sharding rule, an unknown callee).
  static mlir::FailureOr<FactorClasses> build(mlir::ModuleOp module);

  struct OpFactors {
    mutable ShardingRuleOpInterface op; ///< A handle; interface methods are not const.
    sharding::OpShardingRule rule;
    int base = 0;      ///< Node of factor 0.
    int64_t calls = 1; ///< How often the op's function is called in a step.
  };
  struct Parameter {
    mlir::Operation *op;
    mlir::RankedTensorType type;
    int base;
  };
  const std::vector<OpFactors> &ops() const { return ops_; }
  /// In the module's order.
  const std::vector<std::pair<llvm::StringRef, Parameter>> &parameters() const { return parameters_; }

  int numClasses() const { return static_cast<int>(infos.size()); }
  /// Classes are numbered in the order of their first dimension in the module.
  int classOf(mlir::Value value, unsigned dim) const { return classes[values.lookup(value) + dim]; }
  int classOf(const OpFactors &op, unsigned factor) const { return classes[op.base + factor]; }
  int classOf(const Parameter &parameter, unsigned dim) const { return classes[parameter.base + dim]; }

  /// Why no axis may be on the class, streaming left aside: an op needs it whole, or has it twice. Empty when one may.
  const std::string &whyWhole(int id) const { return infos[id].whole.empty() ? infos[id].streamed : infos[id].whole; }
  /// Why no axis may be on the class even where it is streamed. Empty when one may.
  const std::string &whyNotStreamed(int id) const { return infos[id].whole; }
  /// Why the two classes may not have one axis; empty when they may.
  std::string whyConflict(int a, int b) const;
  const std::map<std::pair<int, int>, std::string> &conflicts() const { return conflicts_; }

private:
  struct Info {
    std::string whole;
    std::string streamed; ///< Which op has it as a streamed factor.
  };
  mlir::LogicalResult collect(mlir::ModuleOp module);
  mlir::LogicalResult collect(mlir::func::FuncOp function);
  mlir::LogicalResult collect(mlir::func::FuncOp function, mlir::Operation &op);
  void collectRule(ShardingRuleOpInterface op, int64_t calls);
  void number();
  void findWhole();
  void findConflicts();

  int addNodes(size_t count);
  int addValue(mlir::Value value);
  int find(int node);
  void unite(int a, int b);
  void unite(int a, int b, size_t count);
  void addConflict(int a, int b, llvm::function_ref<std::string()> why);

  std::vector<int>
      parents; ///< Union-find; negative while a node stands alone is not used: roots are their own parents.
  std::vector<int> classes; ///< Class of each node, once numbered.
  std::vector<Info> infos;
  std::vector<OpFactors> ops_;
  llvm::DenseMap<mlir::Value, int> values;
  std::vector<std::pair<llvm::StringRef, Parameter>> parameters_;
  llvm::DenseMap<llvm::StringRef, unsigned> parameterIndex;
  llvm::DenseMap<llvm::StringRef, mlir::func::FuncOp> functions;
  llvm::DenseMap<llvm::StringRef, int64_t> callCounts;
  llvm::DenseMap<mlir::Operation *, std::vector<int>> results; ///< Nodes of a function's results.
  std::vector<std::pair<int, std::string>> wholeNodes, streamedNodes;
  std::map<std::pair<int, int>, std::string> conflicts_;
};

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_FACTORCLASSES_H
