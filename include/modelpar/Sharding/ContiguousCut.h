//===- ContiguousCut.h - a sequence in runs of even cost ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which pipeline stage gets which layers: the linear partition problem, solved
// exactly by dynamic programming over prefixes.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_SHARDING_CONTIGUOUSCUT_H
#define MODELPAR_SHARDING_CONTIGUOUSCUT_H

#include <cstddef>
#include <vector>

namespace modelpar::sharding {

/// For each item the run it is in, when the sequence is cut into `parts` contiguous, non-empty runs whose largest sum
/// of costs is the least possible; among those cuts, the one with the least sum of squares; among those, the one with
/// the earliest cuts. 1 <= parts <= costs.size(), and no cost is negative.
std::vector<int> cutContiguous(const std::vector<double> &costs, int parts);

} // namespace modelpar::sharding

#endif // MODELPAR_SHARDING_CONTIGUOUSCUT_H
