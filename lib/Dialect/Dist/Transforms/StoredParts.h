//===- StoredParts.h - parameters that are worth splitting for their size -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An embedding that is not tied to a head takes part in no matrix work, and can be the
// largest parameter of all. Splitting its rows costs one all_reduce of what is looked up.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_STOREDPARTS_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_STOREDPARTS_H

#include "ClassAxes.h"

namespace modelpar::dist {

/// For each class, what a rank would not store if the class were split over the axes, less what it would send: four
/// numbers for each element of a parameter (value, gradient, two optimizer states), two for each element of a result
/// that becomes partial (an all_reduce). 0 where that is not more than nothing.
///
/// Results count for one sample and for what is placed already: the batch and its micro-batches can be chosen freely,
/// and a decision that went by them would flip with them. A result that does not depend on the batch (rows of a table
/// of positions) would be sent again in every micro-batch, the same each time: what would make it partial stays whole.
std::vector<double> savedStorage(const ClassAxes &placed, const sharding::DimSharding &axes);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_STOREDPARTS_H
