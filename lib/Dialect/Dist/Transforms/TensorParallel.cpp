//===- TensorParallel.cpp - the rule for tp ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorParallel.h"

#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Sharding/CompatibleSet.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;

/// The matrix operations that each class takes off a rank when it is split over the axis.
static std::vector<double> savedWork(const FactorClasses &classes, const AxisRef &axis) {
  std::vector<double> work(classes.numClasses(), 0.0);
  for (const FactorClasses::OpFactors &factors : classes.ops()) {
    auto cost = dyn_cast<CostOpInterface>(factors.op.getOperation());
    if (!cost || !cost.isMatrixOp())
      continue;
    double flops = cost.getFlopsPerPoint() * static_cast<double>(factors.calls);
    for (const sharding::Factor &factor : factors.rule.factors)
      flops *= static_cast<double>(factor.size);
    for (auto [i, factor] : llvm::enumerate(factors.rule.factors)) {
      double largest = static_cast<double>(sharding::maxShardExtent(factor.size, {axis}));
      work[classes.classOf(factors, i)] += flops * (1 - largest / static_cast<double>(std::max<int64_t>(factor.size, 1)));
    }
  }
  return work;
}

void dist::placeTensorParallel(ModuleOp module, const sharding::Mesh &mesh, ClassAxes &placed) {
  if (!mesh.has("tp"))
    return;
  const FactorClasses &classes = placed.classes;
  AxisRef tp = mesh.axis("tp");
  sharding::CompatibleSetProblem problem;
  problem.weights = savedWork(classes, tp);
  bool pinned = false;
  for (int id = 0; id < classes.numClasses(); ++id) {
    bool free = placed.origins[id].empty() && classes.whyWhole(id).empty();
    if (free && problem.weights[id] > 0) {
      placed.axes[id] = {tp};
      free = placed.whyConflict(id).empty();
      placed.axes[id].clear();
    }
    if (!free)
      problem.weights[id] = 0;
    pinned |= llvm::any_of(placed.axes[id], [&](const AxisRef &axis) { return sharding::overlap(axis, tp); });
  }
  for (const auto &[pair, why] : classes.conflicts())
    problem.conflicts.insert(pair);
  std::vector<int> chosen = sharding::solveCompatibleSet(problem);
  assert(problem.verify(chosen) && "the solver must keep to the conflicts");
  for (int id : chosen) {
    placed.axes[id] = {tp};
    placed.origins[id] = "the rule for tp";
  }
  if (chosen.empty() && !pinned)
    emitWarning(module.getLoc()) << "no dimension can be split over \"tp\" of size " << tp.size
                         << ": its ranks all compute the same";
}
