//===- MeshChoice.h - mesh and micro-batch from pins and a simple rule ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_MESHCHOICE_H
#define MODELPAR_PIPELINES_MESHCHOICE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace modelpar::pipelines {

/// What the user pinned; an empty optional is free.
struct MeshPins {
  std::optional<int64_t> pp, dp, cp, ep, tp, microBatch;
};

struct MeshChoice {
  int64_t pp = 1, dp = 1, cp = 1, tp = 1;
  int64_t microBatch = 1; ///< Sequences per micro-batch and data-parallel rank; the last may be short.
  int64_t numMicroBatches = 1;
};

/// How many micro-batches per pipeline stage are chosen where the batch allows: the bubble is then a fifth of the step.
inline constexpr int64_t kMicroBatchesPerStage = 4;

/// How many micro-batches a step may have: what the plan file can say.
inline constexpr int64_t kMaxMicroBatches = int64_t{1} << 16;

/// Fills what is not pinned: no pipeline and no context parallelism, data parallelism as far as the global batch goes,
/// tensor parallelism with the rest; one micro-batch, with a pipeline kMicroBatchesPerStage for each stage.
/// `hasSequence`: without one, cp splits the batch like dp. Errors, all at once: pins whose product cannot be the world
/// size (with the nearest legal values), a micro-batch larger than a rank's share, axes that are not supported yet.
bool chooseMesh(int64_t worldSize, int64_t globalBatch, bool hasSequence, const MeshPins &pins, MeshChoice &choice,
                std::vector<std::string> &errors);

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_MESHCHOICE_H
