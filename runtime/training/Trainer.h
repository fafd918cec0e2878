//===- Trainer.h - a run from plan to trained weights ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_TRAINER_H
#define MODELPAR_RUNTIME_TRAINING_TRAINER_H

#include "runtime/base/Status.h"
#include "runtime/data/DataSource.h"
#include "runtime/training/LearningRate.h"
#include "runtime/training/Metrics.h"

#include <atomic>
#include <functional>

namespace modelpar::runtime {

/// What modelpar-run's options say.
struct TrainerOptions {
  std::string planPath;
  DataOptions data; ///< Its seed is that of the run.
  int64_t steps = 100;
  uint64_t seed = 0;
  std::string initPath; ///< Empty: the initializers of the plan.

  LearningRate learningRate;
  double weightDecay = 0.1;
  double beta1 = 0.9, beta2 = 0.95;
  double epsilon = 1e-8;
  double clip = 1.0; ///< 0: no clipping.

  std::string metricsPath, dumpGradsPath, dumpOutputsPath, saveWeightsPath; ///< Empty: none.
  std::string tracePath;                                                    ///< Empty: none.
  std::optional<int64_t> traceSteps;                                        ///< The first ones; default 10.
  std::string backend = "auto";                                             ///< "auto", "cpu" or "cuda"
  std::string comm = "auto";                                                ///< "auto", "local", "mpi" or "nccl"
  int threadsPerRank = 0;                                                   ///< 0: cores / ranks.
  std::optional<uint64_t> streamFuzz;
  double timeoutSeconds = 60; ///< Of a rank that waits for others, while none of them makes progress.
  bool checkNumerics = false; ///< Stop at the first instruction with an output that is not finite.
  bool verify = true;         ///< Off only to see what a broken plan does.
  bool dryRun = false;
  /// Called after each step by the thread of the rank that reports.
  std::function<void(const StepMetrics &)> onStep;
  /// Called with the error that ended the run when some rank has not followed within the timeout (it is stuck in a
  /// kernel): ends the process.
  std::function<void(const Status &)> onStuck;
  /// When this becomes true, the run ends with an error before the next instruction.
  const std::atomic<bool> *stop = nullptr;
};

/// Reads, checks and runs the plan; reports progress on standard error and the memory at the end on standard output.
Status train(const TrainerOptions &options);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_TRAINER_H
