//===- TensorParallel.cpp - the rule for tp ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorParallel.h"

#include "StoredParts.h"

#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Sharding/AxisParts.h"
#include "modelpar/Sharding/CompatibleSet.h"

#include <numeric>
#include <set>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::DimSharding;

/// The matrix operations that each class takes off a rank when it is split over the axes.
static std::vector<double> savedWork(const FactorClasses &classes, const DimSharding &axes) {
  std::vector<double> work(classes.numClasses(), 0.0);
  for (const FactorClasses::OpFactors &factors : classes.ops()) {
    auto cost = dyn_cast<CostOpInterface>(factors.op.getOperation());
    if (!cost || !cost.isMatrixOp())
      continue;
    double flops = cost.getFlopsPerPoint() * static_cast<double>(factors.calls);
    for (const sharding::Factor &factor : factors.rule.factors)
      flops *= static_cast<double>(factor.size);
    for (auto [i, factor] : llvm::enumerate(factors.rule.factors)) {
      double largest = static_cast<double>(sharding::maxShardExtent(factor.size, axes));
      work[classes.classOf(factors, i)] +=
          flops * (1 - largest / static_cast<double>(std::max<int64_t>(factor.size, 1)));
    }
  }
  return work;
}

namespace {

class TensorParallel {
public:
  TensorParallel(ModuleOp module, AxisRef tp, ClassAxes &placed)
      : module(module), tp(std::move(tp)), placed(placed), classes(placed.classes) {}

  TensorParallelAxes place();

private:
  bool isUsed() const;
  std::set<int64_t> pinnedBoundaries() const;
  void cutPins(const std::vector<int64_t> &boundaries);
  std::vector<int> choose(const DimSharding &axes, std::vector<double> weights) const;
  void put(const std::vector<int> &ids, const DimSharding &axes);
  void findSmall();
  int64_t majorSize() const;
  bool cut(int64_t size);
  DimSharding sharedParts() const;
  void remark();

  ModuleOp module;
  AxisRef tp;
  ClassAxes &placed;
  const FactorClasses &classes;
  DimSharding parts;                ///< How tp is written: whole, or in the parts of pins.
  std::vector<int> chosen;          ///< The classes that get tp.
  std::map<int, int64_t> smallSize; ///< Of those that are smaller than tp.
};

} // namespace

/// Whether something is split over tp.
bool TensorParallel::isUsed() const {
  return llvm::any_of(placed.axes, [&](const DimSharding &axes) {
    return llvm::any_of(axes, [&](const AxisRef &axis) { return sharding::overlap(axis, tp); });
  });
}

/// Where pins cut tp.
std::set<int64_t> TensorParallel::pinnedBoundaries() const {
  std::set<int64_t> boundaries;
  for (const DimSharding &axes : placed.axes)
    for (const AxisRef &axis : axes)
      if (axis.name == tp.name && axis != tp)
        boundaries.insert({axis.preSize, axis.preSize * axis.size});
  return boundaries;
}

void TensorParallel::cutPins(const std::vector<int64_t> &boundaries) {
  for (DimSharding &axes : placed.axes) {
    DimSharding pieces;
    for (const AxisRef &axis : axes)
      if (axis.name == tp.name)
        llvm::append_range(pieces, sharding::cutAxis(axis, boundaries));
      else
        pieces.push_back(axis);
    axes = std::move(pieces);
  }
}

/// The heaviest set of free classes that can have the axes beside what is placed.
std::vector<int> TensorParallel::choose(const DimSharding &axes, std::vector<double> weights) const {
  sharding::CompatibleSetProblem problem;
  problem.weights = std::move(weights);
  for (int id = 0; id < classes.numClasses(); ++id) {
    bool free = placed.origins[id].empty() && classes.whyWhole(id).empty();
    if (free && problem.weights[id] > 0) {
      placed.axes[id] = axes;
      free = placed.whyConflict(id).empty();
      placed.axes[id].clear();
    }
    if (!free)
      problem.weights[id] = 0;
  }
  for (const auto &[pair, why] : classes.conflicts())
    problem.conflicts.insert(pair);
  std::vector<int> set = sharding::solveCompatibleSet(problem);
  assert(problem.verify(set) && "the solver must keep to the conflicts");
  return set;
}

void TensorParallel::put(const std::vector<int> &ids, const DimSharding &axes) {
  for (int id : ids) {
    placed.axes[id] = axes;
    placed.origins[id] = "the rule for tp";
  }
}

void TensorParallel::findSmall() {
  for (const FactorClasses::OpFactors &factors : classes.ops())
    for (auto [i, factor] : llvm::enumerate(factors.rule.factors))
      if (int id = classes.classOf(factors, i); factor.size < tp.size && llvm::is_contained(chosen, id))
        smallSize[id] = factor.size;
}

/// The largest divisor of tp that divides a class smaller than tp; 1 when there is none.
int64_t TensorParallel::majorSize() const {
  int64_t largest = 1;
  for (const auto &[id, size] : smallSize)
    largest = std::max(largest, std::gcd(tp.size, size));
  return largest;
}

/// Small classes that the major part divides get it alone, and what conflicts with them the minor part. False, and
/// nothing is placed, when nothing can have the minor part.
bool TensorParallel::cut(int64_t size) {
  const DimSharding partsBefore = parts;
  const std::vector<DimSharding> axesBefore = placed.axes;
  const std::vector<std::string> originsBefore = placed.origins;
  DimSharding major, minor;
  parts.clear();
  for (const AxisRef &part : partsBefore)
    llvm::append_range(parts, sharding::cutAxis(part, {size}));
  for (const AxisRef &part : parts)
    (part.preSize < size ? major : minor).push_back(part);
  cutPins({size});
  for (int id : chosen) {
    auto small = smallSize.find(id);
    put({id}, small != smallSize.end() && small->second % size == 0 ? major : parts);
  }
  const std::vector<int> beside = choose(minor, savedWork(classes, minor));
  if (beside.empty()) {
    parts = partsBefore;
    placed.axes = axesBefore;
    placed.origins = originsBefore;
    return false;
  }
  put(beside, minor);
  return true;
}

/// The parts of tp that a parameter lacks beside those that it has: ranks along them share it.
DimSharding TensorParallel::sharedParts() const {
  DimSharding shared;
  for (const auto &[name, parameter] : classes.parameters()) {
    DimSharding used;
    for (int d = 0; d < parameter.type.getRank(); ++d)
      llvm::append_range(used, placed.axes[classes.classOf(parameter, d)]);
    auto isUsed = [&](const AxisRef &part) { return llvm::is_contained(used, part); };
    if (llvm::any_of(parts, isUsed))
      llvm::copy_if(parts, std::back_inserter(shared),
                    [&](const AxisRef &part) { return !isUsed(part) && !llvm::is_contained(shared, part); });
  }
  return shared;
}

void TensorParallel::remark() {
  llvm::DenseSet<int> seen;
  for (const auto &[name, parameter] : classes.parameters())
    for (int d = 0; d < parameter.type.getRank(); ++d)
      if (int id = classes.classOf(parameter, d); smallSize.count(id) && seen.insert(id).second)
        emitRemark(module.getLoc()) << "dimension " << d << " of parameter \"" << name << "\" has size "
                                    << smallSize.at(id) << ", split over \"tp\" of size " << tp.size
                                    << ": some ranks have nothing of it";
}

TensorParallelAxes TensorParallel::place() {
  // A whole axis among pins of its parts is written in these parts: a reshard between the two could not.
  const std::set<int64_t> boundaries = pinnedBoundaries();
  parts = sharding::cutAxis(tp, {boundaries.begin(), boundaries.end()});
  cutPins({boundaries.begin(), boundaries.end()});
  chosen = choose(parts, savedWork(classes, parts));
  findSmall();
  const int64_t size = majorSize();
  const bool isCut = size > 1 && cut(size);
  if (!isCut)
    put(chosen, parts);
  // An embedding table that is no matrix too: what is left of parameters goes where it is worth what is sent.
  put(choose(parts, savedStorage(placed, parts)), parts);
  if (!isUsed())
    emitWarning(module.getLoc()) << "no dimension can be split over \"tp\" of size " << tp.size
                                 << ": its ranks all compute the same";
  if (!isCut)
    remark();
  return {parts, isCut ? sharedParts() : DimSharding()};
}

TensorParallelAxes dist::placeTensorParallel(ModuleOp module, const sharding::Mesh &mesh, ClassAxes &placed) {
  return mesh.has("tp") ? TensorParallel(module, mesh.axis("tp"), placed).place() : TensorParallelAxes();
}
