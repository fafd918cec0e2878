//===- CompatibleSet.cpp - the heaviest set without conflicts -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Branch and bound per connected component of the conflict graph.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/CompatibleSet.h"

#include <algorithm>
#include <numeric>

namespace modelpar::sharding {

bool CompatibleSetProblem::verify(const std::vector<int> &chosen) const {
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] < 0 || chosen[i] >= static_cast<int>(weights.size()))
      return false;
    for (size_t j = i + 1; j < chosen.size(); ++j)
      if (chosen[i] == chosen[j] || conflicts.count(std::minmax(chosen[i], chosen[j])))
        return false;
  }
  return true;
}

namespace {

using Adjacency = std::vector<std::vector<int>>;

/// Exact search over one component; items are decided in ascending order, taking before leaving, so that the first of
/// equal sets is found first.
class BranchAndBound {
public:
  BranchAndBound(const std::vector<double> &weights, const Adjacency &neighbours, const std::vector<int> &items)
      : weights(weights), neighbours(neighbours), items(items), rest(items.size() + 1, 0.0),
        blocked(weights.size(), 0) {
    for (size_t i = items.size(); i-- > 0;)
      rest[i] = rest[i + 1] + weights[items[i]];
  }

  std::vector<int> run() {
    search(0, 0);
    return best;
  }

private:
  void search(size_t index, double weight) {
    if (weight + rest[index] <= bestWeight)
      return;
    if (index == items.size()) {
      best = chosen;
      bestWeight = weight;
      return;
    }
    int item = items[index];
    if (!blocked[item]) {
      chosen.push_back(item);
      for (int other : neighbours[item])
        ++blocked[other];
      search(index + 1, weight + weights[item]);
      for (int other : neighbours[item])
        --blocked[other];
      chosen.pop_back();
    }
    search(index + 1, weight);
  }

  const std::vector<double> &weights;
  const Adjacency &neighbours;
  const std::vector<int> &items;
  std::vector<double> rest; ///< Weight of the items from an index on: a bound.
  std::vector<int> blocked, chosen, best;
  double bestWeight = 0;
};

std::vector<int> fillByWeight(const std::vector<double> &weights, const Adjacency &neighbours, std::vector<int> items) {
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) { return weights[a] > weights[b]; });
  std::set<int> blocked;
  std::vector<int> chosen;
  for (int item : items) {
    if (blocked.count(item))
      continue;
    chosen.push_back(item);
    blocked.insert(neighbours[item].begin(), neighbours[item].end());
  }
  return chosen;
}

} // namespace

std::vector<int> solveCompatibleSet(const CompatibleSetProblem &problem) {
  int count = static_cast<int>(problem.weights.size());
  Adjacency neighbours(count);
  for (auto [a, b] : problem.conflicts)
    if (problem.weights[a] > 0 && problem.weights[b] > 0) {
      neighbours[a].push_back(b);
      neighbours[b].push_back(a);
    }
  std::vector<int> chosen;
  std::vector<char> seen(count, 0);
  for (int first = 0; first < count; ++first) {
    if (seen[first] || problem.weights[first] <= 0)
      continue;
    std::vector<int> component{first};
    seen[first] = 1;
    for (size_t i = 0; i < component.size(); ++i)
      for (int other : neighbours[component[i]])
        if (!seen[other]) {
          seen[other] = 1;
          component.push_back(other);
        }
    std::sort(component.begin(), component.end());
    std::vector<int> part = static_cast<int>(component.size()) <= kExactCompatibleSet
                                ? BranchAndBound(problem.weights, neighbours, component).run()
                                : fillByWeight(problem.weights, neighbours, component);
    chosen.insert(chosen.end(), part.begin(), part.end());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

} // namespace modelpar::sharding
