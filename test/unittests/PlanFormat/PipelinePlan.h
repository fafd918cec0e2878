//===- PipelinePlan.h - a good plan with pipeline stages -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_PLANFORMAT_PIPELINEPLAN_H
#define MODELPAR_TEST_UNITTESTS_PLANFORMAT_PIPELINEPLAN_H

#include "SmallPlan.h"

#include "modelpar/Schedule/Schedule.h"

namespace modelpar::planformat {

struct PipelinePlanOptions {
  schedule::Kind kind = schedule::Kind::OneFOneB;
  int64_t pp = 2, dp = 1, microBatches = 4;
  int64_t batch = 8, width = 6;
};

/// y = x·T·W1·W2·W3·T with a squared error and SGD: five matrices, the first and the last one the same parameter
/// ("tied"), cut into up to four stages of one matrix each (the last stage has the rest). With more than one stage the
/// last has a replica of T, whose gradients are joined over pp{0,-1}. It runs with the CPU kernels, and every choice of
/// options trains alike.
Plan pipelinePlan(const PipelinePlanOptions &options);

inline constexpr int kPipelineForward = 0, kPipelineBackward = 1, kPipelineUpdate = 2; ///< Programs of each stage.

} // namespace modelpar::planformat

#endif // MODELPAR_TEST_UNITTESTS_PLANFORMAT_PIPELINEPLAN_H
