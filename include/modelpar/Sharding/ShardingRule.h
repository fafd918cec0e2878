//===- ShardingRule.h - an op as an einsum over named factors -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A rule maps the dimensions of an op's operands and results to factors. A
// placement assigns mesh axes to factors. From the two follow the sharding each
// operand must have, the sharding each result gets, and what it is partial over.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_SHARDINGRULE_H
#define MODELPAR_SHARDING_SHARDINGRULE_H

#include "modelpar/Sharding/TensorSharding.h"

#include <map>

namespace modelpar::sharding {

enum class FactorKind {
  Parallel,  ///< Occurs in results; each shard computes its part alone.
  Reduction, ///< Summed over (or joined by the result's kind): a result without it becomes partial.
  Whole,     ///< Must not be sharded: the op needs all of it (a norm's width, a packing dimension).
  Streamed   ///< Every shard needs all of it, but part by part: may be sharded over axes of the factor `along`, whose
             ///< ranks then pass the parts on in a ring (the keys of attention, along the queries).
};

struct Factor {
  std::string name;
  int64_t size = 1;
  FactorKind kind = FactorKind::Parallel;
  /// The op reads the shard's global offset along this factor (vocabulary, positions, dropout).
  bool positional = false;
  /// Streamed: index of the factor that it is streamed along. Nothing is partial over an axis that both are on.
  int along = -1;
  /// Whole where ops of the kind could do without: why, for messages.
  std::string whyWhole = {};
  bool operator==(const Factor &) const = default;
};

/// Factors of one dimension, major to minor (indices into OpShardingRule::factors). Only the major factor of a merged
/// dimension may be sharded. Empty: the dimension is broadcast (size 1) and stays whole.
using DimFactors = std::vector<int>;

struct OperandRule {
  std::vector<DimFactors> dims;
  /// The op is linear in this operand: a partial(sum) value may pass through it, when every other linear operand of
  /// the same `linearGroup` is partial over the same axes. -1: not linear.
  int linearGroup = -1;
};

struct ResultRule {
  std::vector<DimFactors> dims;
  /// How this result joins over the Reduction factors it does not have as dimensions.
  ReduceKind reduce = ReduceKind::Sum;
};

struct OpShardingRule {
  std::vector<Factor> factors;
  std::vector<OperandRule> operands;
  std::vector<ResultRule> results;

  int factorIndex(std::string_view name) const; ///< -1 when there is none.
  /// The textual form of DESIGN: `([b, s, h], [h, f]) -> ([b, s, f])  h: reduction`.
  std::string toString() const;
};

/// Axes per factor name; a factor that does not occur is whole.
using Placement = std::map<std::string, DimSharding>;

/// Why the placement does not fit the rule (unknown or Whole factor sharded, a minor factor of a merged dimension
/// sharded, an axis on two factors, a streamed factor over an axis that its other does not have); nothing when it fits.
std::optional<std::string> validate(const OpShardingRule &rule, const Placement &placement);
/// The sharding that operand `index` must have under the placement (never partial).
TensorSharding operandSharding(const OpShardingRule &rule, const Placement &placement, unsigned index);
/// The sharding that result `index` gets: partial exactly over the axes of the Reduction factors it lacks.
/// (A Parallel factor that a result lacks leaves it replicated: every shard computes the same.)
TensorSharding resultSharding(const OpShardingRule &rule, const Placement &placement, unsigned index, const Mesh &mesh);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_SHARDINGRULE_H
