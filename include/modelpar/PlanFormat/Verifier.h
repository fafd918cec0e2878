//===- Verifier.h - what a plan must be before it may run ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs are shared by all ranks of a stage and everything that differs by rank
// is an extent bounded by the types, so one walk over a stage's programs proves the
// plan for all its ranks, however many there are.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_VERIFIER_H
#define MODELPAR_PLANFORMAT_VERIFIER_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// One thing that is wrong.
struct Finding {
  std::string where;   ///< "stage 0, program forward, instruction 12 (matmul, stream 0)"
  std::string message; ///< What, expected, found; names the other instruction where there are two.
  std::string toString() const { return where + ": " + message; }
};

/// Ids, sizes and offsets alone: what a reader needs to index safely. Linear in the plan's size. At most
/// `kMaxFindings`.
std::vector<Finding> checkStructure(const Plan &plan);

/// The whole proof (docs/PlanFormat.md lists it); empty when the plan is good:
///  - structure, as above, and types that fit: calls, buffers, accumulations, collectives;
///  - every collective is entered by exactly its group, in one order;
///  - on the happens-before order of streams and events: every read was written before, by the value that is read, and
///  no write
///    races with another access of the same bytes, inside programs (calls expanded) and along the schedule;
///  - every wait's event was recorded before it, and bodies end with joined streams;
///  - parameters, what the update consumes, and the outputs are whole (not partial), gradients over all micro-batches.
std::vector<Finding> verifyPlan(const Plan &plan);

inline constexpr size_t kMaxFindings = 50;

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_VERIFIER_H
