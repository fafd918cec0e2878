//===- PredictedTrace.h - the timeline that the cost model sees -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_PREDICTEDTRACE_H
#define MODELPAR_PIPELINES_PREDICTEDTRACE_H

#include "modelpar/CostModel/Cluster.h"
#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::pipelines {

/// One step of a verified plan as a trace (modelpar/Trace/Trace.h): a process per stage, whose ranks are all alike to
/// the cost model.
std::string predictedTrace(const planformat::Plan &plan, const costmodel::Cluster &cluster);

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_PREDICTEDTRACE_H
