//===- Harness.h - compile, run on threads, compare with one rank ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a plan from weights and batches that are functions of names and global indices alone (and are not those of
// modelpar-run), and keeps what the comparison of two plans needs.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_EXECUTION_HARNESS_H
#define MODELPAR_TEST_EXECUTION_HARNESS_H

#include "modelpar/Pipelines/Compile.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace modelpar::test {

using TensorMap = std::map<std::string, std::vector<double>>; ///< By parameter name, in global row-major order.

struct RunOptions {
  int steps = 5;
  double learningRate = 1e-3, weightDecay = 0.1, clip = 1.0;
  /// Larger than modelpar-run's 1e-8: attention does not depend on a bias of the keys, so that bias's gradient is zero
  /// but for rounding (1e-9), and AdamW would turn rounding over 1e-8 into steps of a tenth of the learning rate.
  double epsilon = 1e-6;
  int numThreads = 1;
  std::optional<uint64_t> streamFuzz;
  /// Ignore labels unevenly; the first data-parallel quarter of the batch then has none in some steps.
  bool ignoreLabels = true;
  bool keepTensors = true; ///< Gradients and weights; large models only want the figures.
  std::function<void(int64_t rank, int64_t step)> afterStep; ///< Called by every rank's thread.
  /// Added to one element of a parameter before the first step: (name, global index, value).
  std::optional<std::tuple<std::string, int64_t, double>> perturbation;
};

struct RunResult {
  std::string error; ///< Empty when the run succeeded.
  std::string
      replicaMismatch; ///< A replica of a tied weight that differs from its owner; no run agrees with one that has it.
  std::vector<double> losses, gradNorms;
  TensorMap gradients;                         ///< After step 1, before clipping.
  TensorMap weights;                           ///< After the last step.
  int64_t plannedBytes = 0, measuredBytes = 0; ///< Maximum over ranks.
  std::map<std::string, int64_t> sentBytes;    ///< Of rank 0, by axes, in all steps.
  std::vector<std::map<std::string, int64_t>> sentBytesByRank;
};

/// Reads models/<name> of the source tree and compiles it for `ranks` ranks; fails the current test on an error.
pipelines::CompileOptions compileOptions(const std::string &model, int64_t ranks);
pipelines::CompileResult compileModel(const pipelines::CompileOptions &options);
/// The same for a model given as text.
pipelines::CompileResult compileText(const std::string &text, pipelines::CompileOptions options);

RunResult run(const planformat::Plan &plan, const RunOptions &options);
/// compileText and run; the result has an error where there is no plan.
RunResult compileAndRun(const std::string &text, const pipelines::CompileOptions &options,
                        const RunOptions &runOptions = {});

/// The worst ratio of difference and bound for each of DESIGN's comparisons; all at most 1 when the plans agree.
struct Agreement {
  double gradients = 0, gradNorms = 0, losses = 0, weights = 0;
  std::string worstGradient;
  double worst() const;
  std::string toString() const;
};
Agreement compare(const RunResult &one, const RunResult &parallel);

} // namespace modelpar::test

#endif // MODELPAR_TEST_EXECUTION_HARNESS_H
