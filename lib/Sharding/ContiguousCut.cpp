//===- ContiguousCut.cpp - a sequence in runs of even cost ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/ContiguousCut.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace {

/// Best cuts of every suffix into every number of runs, by a cost of runs and how it joins over runs.
struct SuffixTable {
  size_t numItems;
  std::vector<double> best; ///< [part][begin]: of items begin... in part + 1 runs.
  std::vector<size_t> ends; ///< Where the first of these runs ends.

  SuffixTable(size_t numItems, size_t parts, const std::function<double(size_t, size_t)> &costOfRun,
              const std::function<double(double, double)> &join)
      : numItems(numItems), best(parts * (numItems + 1), std::numeric_limits<double>::infinity()),
        ends(parts * (numItems + 1), numItems) {
    for (size_t begin = 0; begin < numItems; ++begin)
      best[begin] = costOfRun(begin, numItems);
    for (size_t part = 1; part < parts; ++part)
      for (size_t begin = 0; begin + part < numItems; ++begin)
        for (size_t end = begin + 1; end + part <= numItems; ++end) {
          double cost = join(costOfRun(begin, end), best[(part - 1) * (numItems + 1) + end]);
          if (cost < best[at(part, begin)]) { // Strictly: the earliest cut of equal ones.
            best[at(part, begin)] = cost;
            ends[at(part, begin)] = end;
          }
        }
  }
  size_t at(size_t part, size_t begin) const { return part * (numItems + 1) + begin; }
};

} // namespace

std::vector<int> modelpar::sharding::cutContiguous(const std::vector<double> &costs, int parts) {
  const size_t n = costs.size(), last = static_cast<size_t>(parts) - 1;
  std::vector<double> sums(n + 1, 0);
  for (size_t i = 0; i < n; ++i)
    sums[i + 1] = sums[i] + costs[i];
  auto run = [&](size_t begin, size_t end) { return sums[end] - sums[begin]; };
  SuffixTable largest(n, last + 1, run, [](double a, double b) { return std::max(a, b); });
  // Two orders of additions may differ in the last bits: runs that are equal but for rounding are equal.
  const double limit = largest.best[largest.at(last, 0)] * (1 + 1e-12);
  auto square = [&](size_t begin, size_t end) {
    double cost = run(begin, end);
    return cost <= limit ? cost * cost : std::numeric_limits<double>::infinity();
  };
  SuffixTable squares(n, last + 1, square, std::plus<>());
  std::vector<int> cut(n);
  size_t begin = 0;
  for (size_t part = last + 1; part-- > 0;) {
    const size_t end = squares.ends[squares.at(part, begin)];
    std::fill(cut.begin() + static_cast<std::ptrdiff_t>(begin), cut.begin() + static_cast<std::ptrdiff_t>(end),
              static_cast<int>(last - part));
    begin = end;
  }
  return cut;
}
