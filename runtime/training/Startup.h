//===- Startup.h - what is checked before the ranks start -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_STARTUP_H
#define MODELPAR_RUNTIME_TRAINING_STARTUP_H

#include "runtime/training/Trainer.h"

namespace modelpar::runtime {

/// Options that contradict each other, ask for what this build does not have or would overwrite an input or each other.
Status checkOptions(const TrainerOptions &options);
/// The files in the folders of --dump-grads and --dump-outputs.
std::string gradientsFile(const TrainerOptions &options);
std::string outputsFile(const TrainerOptions &options);
/// An output of its own goes to standard output, so the memory report does not.
bool takesStandardOutput(const TrainerOptions &options);
/// All ranks run in this process: refuses to be one of several processes that mpirun, srun or torchrun started.
Status checkLauncher();
/// Reads the plan, verifies it (unless told not to) and checks that it is for a device that the options allow.
Status loadPlan(const TrainerOptions &options, planformat::Plan &plan);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_STARTUP_H
