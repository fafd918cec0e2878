//===- Cost.h - time of operations, collectives and whole plans ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Closed formulas: a roofline for kernels, rings for collectives, and a walk along
// a plan's streams and events.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_COSTMODEL_COST_H
#define MODELPAR_COSTMODEL_COST_H

#include "modelpar/CostModel/Cluster.h"
#include "modelpar/PlanFormat/Plan.h"

#include <functional>

namespace modelpar::costmodel {

/// The key of Instruction::attributes with a kernel's floating-point operations on the largest shard (a double).
inline constexpr std::string_view kFlopsAttribute = "flops";

/// Roofline: the longer of computing and moving bytes, after the launch.
double opSeconds(const Cluster &cluster, planformat::DType dtype, double flops, double bytes);

struct CollectiveCost {
  double seconds = 0;
  double bytesSent = 0; ///< Per rank.
};
/// A ring over `ranks` ranks. `bytes` is N, the larger side of one rank: the tensor of all_reduce, the result of
/// all_gather, the operand of reduce_scatter and all_to_all. Sent per rank: 2(n-1)/n·N for all_reduce, N for
/// collective_permute (its own N, to one rank), (n-1)/n·N for the others. `link` may be null (one rank).
CollectiveCost collectiveCost(const Cluster &cluster, const Link *link, std::string_view op, int64_t ranks,
                              double bytes);

struct Prediction {
  double stepSeconds = 0;          ///< First instruction to the end of the last update.
  double computeSeconds = 0;       ///< Kernels alone, of the slowest stage.
  double communicationSeconds = 0; ///< Collectives alone, overlapped or not, of the slowest stage.
  double flops = 0;                ///< Per rank and step, of the busiest stage, as executed.
  std::map<std::string, int64_t>
      communicationBytesByAxis;           ///< Sent per rank and step; several axes are joined: "dp+ep".
  std::vector<int64_t> peakMemoryByStage; ///< Arena and reserved.
};

/// Walks the schedules of a verified plan: programs take their time, exchanges wait for both ends (lib/Schedule's
/// replay), so a step of several stages has its bubble in it.
Prediction predict(const planformat::Plan &plan, const Cluster &cluster);

/// One execution of an instruction, or an exchange, as predict() sees it.
struct PredictedEvent {
  size_t stage = 0, entry = 0;            ///< Of the stage's schedule.
  const planformat::Body *body = nullptr; ///< Null: the entry is an exchange.
  size_t instruction = 0;                 ///< In the body; no Call, no Wait.
  int64_t instance = 0;                   ///< Of the body's call.
  double start = 0, seconds = 0;          ///< From the start of the step; an exchange's time has its waiting in it.
  double bytes = 0; ///< Largest shards: of all operands, of a collective's larger side, what an exchange transfers.
};

/// Calls `visit` for all that the step executes, stage by stage in the order of issue. These are the steps of the walk
/// that predict() takes: the last event ends at Prediction::stepSeconds.
void visitTimeline(const planformat::Plan &plan, const Cluster &cluster,
                   const std::function<void(const PredictedEvent &)> &visit);

} // namespace modelpar::costmodel

#endif // MODELPAR_COSTMODEL_COST_H
