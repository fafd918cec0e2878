//===- MemoryReport.h - planned against measured memory -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_MEMORYREPORT_H
#define MODELPAR_RUNTIME_TRAINING_MEMORYREPORT_H

#include "modelpar/PlanFormat/Plan.h"

#include <span>
#include <string>

namespace modelpar::runtime {

/// The stage of a rank: its coordinate along "pp".
size_t stageOf(const planformat::Plan &plan, int64_t rank);

/// A line per stage: the planned peak of its ranks, and of what they measured (by rank) the least and the most.
std::string memoryReport(const planformat::Plan &plan, std::span<const int64_t> measured);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_MEMORYREPORT_H
