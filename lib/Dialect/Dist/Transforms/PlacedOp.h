//===- PlacedOp.h - what a placement makes of an op's types -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that says which shardings an op takes and gives under its placement.
// The partitioner writes types by it, and the verifier compares them with it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_PLACEDOP_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_PLACEDOP_H

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"

namespace modelpar::dist {

/// The function that is one training step.
inline constexpr llvm::StringLiteral kStepFunction = "step";

using Partials = std::vector<sharding::PartialAxis>;

/// Attribute of modules: #dist.axes, SumPolicy::sharedAxes.
inline constexpr llvm::StringLiteral kSharedAxesAttr = "dist.shared_axes";

/// Which sums are joined late, because they are on their way out of the micro-batch loop anyway.
struct SumPolicy {
  sharding::DimSharding batchAxes; ///< What the batch is split over.
  /// Parts of axes that some classes do not have, so that their parameters are shared there (key-value heads):
  /// gradients of those are sums over the part.
  sharding::DimSharding sharedAxes;

  bool isOverBatch(const Partials &partials) const;
  /// Partial over shared axes, and over nothing else.
  bool isShared(const Partials &partials) const;
};

class PlacedOp {
public:
  /// The op's rule with the placement in its attribute. Emits an error when there is none, or it does not fit.
  static mlir::FailureOr<PlacedOp> get(ShardingRuleOpInterface op, const sharding::Mesh &mesh);
  /// Why the placement does not fit the rule; nothing when it fits. A sum over operands has a factor of its own for
  /// every operand's dimension, so an axis may be on several.
  static std::optional<std::string> validate(ShardingRuleOpInterface op, const sharding::OpShardingRule &rule,
                                             const sharding::Placement &placement);

  PlacedOp(ShardingRuleOpInterface op, sharding::OpShardingRule rule, sharding::Placement placement,
           const sharding::Mesh &mesh)
      : op(op), rule_(std::move(rule)), placement_(std::move(placement)), mesh(mesh) {}

  const sharding::OpShardingRule &rule() const { return rule_; }
  const sharding::Placement &placement() const { return placement_; }

  /// What the operand must be, beside what it may be partial over.
  sharding::TensorSharding operand(unsigned index) const { return sharding::operandSharding(rule_, placement_, index); }
  /// What the result is, when `passed` went through the op.
  sharding::TensorSharding result(unsigned index, const Partials &passed = {}) const;

  struct Passed {
    Partials partial;
    std::string error; ///< Why the operands' partials cannot enter; empty when they can.
  };
  /// What goes through the op when its operands are partial over these axes.
  Passed passThrough(llvm::ArrayRef<Partials> operands) const;
  /// True when the op only adds its operands up: all of them, two at least, are in one linear group, and nothing is
  /// reduced.
  bool isJointlyLinear() const;
  /// What the partitioner lets through; everything else is reduced before the op. What was summed over the batch, or
  /// over shared axes alone, passes every op that is linear in it, at least as far as it is a sum over the batch. Other
  /// partials pass only sums of values that are all partial over the axis.
  Partials passByPolicy(llvm::ArrayRef<Partials> operands, const SumPolicy &policy) const;
  /// For a sum over operands: the same op on some of them, under the same placement, before it is given its types.
  ShardingRuleOpInterface buildPartOfSum(mlir::OpBuilder &builder, llvm::ArrayRef<unsigned> members) const;
  /// For a sum over operands: why its operands do not go together (each axis must split all of them or none).
  std::optional<std::string> checkSumOverOperands() const;

private:
  mutable ShardingRuleOpInterface op; ///< A handle; interface methods are not const.
  sharding::OpShardingRule rule_;
  sharding::Placement placement_;
  const sharding::Mesh &mesh;
};

/// As the module's attributes dist.batch_axes and dist.shared_axes say.
SumPolicy getSumPolicy(mlir::Operation *module, const sharding::Mesh &mesh);

/// The axes that a sharding splits dimensions over, in the mesh's order.
sharding::DimSharding shardedAxes(const sharding::Mesh &mesh, const sharding::TensorSharding &sharding);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_PLACEDOP_H
