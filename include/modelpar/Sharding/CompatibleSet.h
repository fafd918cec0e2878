//===- CompatibleSet.h - the heaviest set without conflicts ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which factor classes get an axis: a set of items no two of which conflict, of
// the largest weight (a maximum-weight independent set).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_COMPATIBLESET_H
#define MODELPAR_SHARDING_COMPATIBLESET_H

#include <set>
#include <utility>
#include <vector>

namespace modelpar::sharding {

struct CompatibleSetProblem {
  std::vector<double> weights;             ///< Items of weight 0 or less are never chosen.
  std::set<std::pair<int, int>> conflicts; ///< Pairs (a, b), a < b.

  /// Whether the items are distinct, exist, and do not conflict.
  bool verify(const std::vector<int> &chosen) const;
};

/// Connected groups of conflicts of up to this many items are solved exactly.
inline constexpr int kExactCompatibleSet = 24;

/// The chosen items in ascending order; of equal sets the one whose items come first. Larger groups are filled by
/// weight.
std::vector<int> solveCompatibleSet(const CompatibleSetProblem &problem);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_COMPATIBLESET_H
