//===- Summary.h - the --summary object -----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PIPELINES_SUMMARY_H
#define MODELPAR_LIB_PIPELINES_SUMMARY_H

#include "modelpar/CostModel/Cluster.h"
#include "modelpar/Json/Json.h"
#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::pipelines {

/// What a plan does not say by itself.
struct SummaryFacts {
  double modelFlops = 0; ///< Of the whole step over all ranks.
  bool sequenceParallel = false;
  std::string schedule = "custom"; ///< Of an order that no name describes.
};

/// The JSON object of --summary (DESIGN: Commands), but for what depends on the clock.
json::Value summarize(const planformat::Plan &plan, const costmodel::Cluster &cluster, const SummaryFacts &facts);
void addCompileSeconds(json::Value &summary, double seconds);
/// With a line break at its end.
std::string summaryText(const json::Value &summary);

} // namespace modelpar::pipelines

#endif // MODELPAR_LIB_PIPELINES_SUMMARY_H
