//===- Startup.cpp - what is checked before the ranks start ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Startup.h"

#include "modelpar/Files/FileUse.h"
#include "modelpar/Files/StandardStreams.h"
#include "modelpar/PlanFormat/Reader.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "runtime/checkpoint/Checkpoint.h"
#include "runtime/kernels/Kernel.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <tuple>

using namespace modelpar;
using namespace modelpar::runtime;
using files::FileUse;

/// The files of --init. Weights may be trained in place where the checkpoint is one file: the new ones are renamed over
/// it when they are whole.
static Status addCheckpoint(const std::string &path, std::vector<FileUse> &uses) {
  std::vector<std::string> files;
  if (!path.empty())
    MODELPAR_RETURN_IF_ERROR(Checkpoint::listFiles(path, files));
  for (const std::string &file : files)
    uses.push_back({"--init", file, FileUse::Kind::Input});
  if (!files.empty() && !files.front().ends_with(".json"))
    (uses.end() - static_cast<ptrdiff_t>(files.size()))->replacedBy = "--save-weights";
  return {};
}

static Status checkOutputs(const TrainerOptions &options) {
  using Kind = FileUse::Kind;
  std::vector<FileUse> uses;
  const auto add = [&](const char *option, const std::string &path, Kind kind) {
    if (!path.empty())
      uses.push_back({option, path, kind});
  };
  add("--metrics", options.metricsPath, Kind::Stream);
  add("--trace", options.tracePath, Kind::Stream);
  add("--save-weights", options.saveWeightsPath, Kind::File);
  for (const auto &[option, path, file] :
       {std::tuple("--dump-grads", &options.dumpGradsPath, gradientsFile(options)),
        std::tuple("--dump-outputs", &options.dumpOutputsPath, outputsFile(options))}) {
    add(option, *path, Kind::Directory);
    if (!path->empty())
      add(option, file, Kind::File);
  }
  if (!takesStandardOutput(options))
    uses.push_back({"standard output", "", Kind::StandardOutput});
  uses.push_back({"standard error", "", Kind::StandardError});
  add("the plan", options.planPath, Kind::Input);
  add("--data", options.data.path, Kind::Input);
  MODELPAR_RETURN_IF_ERROR(addCheckpoint(options.initPath, uses));
  std::string error;
  return files::checkFiles(uses, error) ? Status() : Status::invalid(error);
}

bool runtime::takesStandardOutput(const TrainerOptions &options) {
  return files::isStandardOutput(options.metricsPath) || files::isStandardOutput(options.tracePath);
}

std::string runtime::gradientsFile(const TrainerOptions &options) {
  return options.dumpGradsPath + "/gradients.safetensors";
}

std::string runtime::outputsFile(const TrainerOptions &options) {
  return options.dumpOutputsPath + "/outputs.safetensors";
}

Status runtime::checkOptions(const TrainerOptions &options) {
  if (options.backend == "cuda")
    return Status::unavailable("--backend=cuda is not supported yet by the training loop; supported: auto, cpu");
  if (options.comm == "mpi" || options.comm == "nccl")
    return Status::unavailable("--comm=" + options.comm + " is not supported yet; supported: auto, local");
  const LearningRate &rate = options.learningRate;
  if (rate.decaySteps > 0 && rate.decaySteps <= rate.warmup)
    return Status::invalid("--decay-steps=" + std::to_string(rate.decaySteps) +
                           " counts from the start of the run and must exceed --warmup=" + std::to_string(rate.warmup));
  MODELPAR_RETURN_IF_ERROR(checkKernelEnvironment());
  if (options.data.path.empty() && options.data.format != DataFormat::Auto)
    return Status::invalid("--data-format says how to read --data, which is missing");
  if (options.tracePath.empty() && options.traceSteps)
    return Status::invalid("--trace-steps says how many steps --trace has, which is missing");
  return checkOutputs(options);
}

Status runtime::checkLauncher() {
  struct Launcher {
    const char *name, *rank, *size;
  };
  // Slurm's variables are also set in a batch script outside srun, where one process is right: its rank variable alone
  // tells nothing.
  constexpr Launcher kLaunchers[] = {{"torchrun", "RANK", "WORLD_SIZE"},
                                     {"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                     {"mpirun", "PMI_RANK", "PMI_SIZE"}};
  for (const Launcher &launcher : kLaunchers) {
    const char *rank = std::getenv(launcher.rank), *size = std::getenv(launcher.size);
    int64_t processes = 0;
    if (rank && size && std::from_chars(size, size + std::strlen(size), processes).ec == std::errc() && processes > 1)
      return Status::unavailable(
          std::string("this is process ") + rank + " of " + size + " (" + launcher.rank + ", " + launcher.size +
          " are set), but all ranks run in one process: start modelpar-run alone, without " + launcher.name);
  }
  return {};
}

/// What the loop reports of every step.
static Status checkPlanOutputs(const std::string &path, const planformat::Plan &plan) {
  for (const std::string name : {"loss", "grad_norm"}) {
    const auto found = std::find_if(plan.outputs.begin(), plan.outputs.end(),
                                    [&](const auto &output) { return output.first == name; });
    if (found == plan.outputs.end())
      return Status::invalid(path + ": the plan has no output \"" + name + "\"");
    const planformat::Buffer &buffer = plan.stages.back().buffers[static_cast<size_t>(found->second)];
    const planformat::TensorType &type = plan.types[static_cast<size_t>(buffer.type)];
    if (!type.shape.empty() || (type.dtype != planformat::DType::F32 && type.dtype != planformat::DType::F64))
      return Status::invalid(path + ": output \"" + name + "\" is not one number in f32 or f64");
  }
  return {};
}

Status runtime::loadPlan(const TrainerOptions &options, planformat::Plan &plan) {
  std::string error;
  if (!planformat::readPlanFile(options.planPath, plan, error))
    return Status::invalid(error);
  if (options.verify) {
    std::vector<planformat::Finding> findings = planformat::verifyPlan(plan);
    if (!findings.empty()) {
      constexpr size_t kShown = 10;
      std::string message = options.planPath + ": the plan is wrong:";
      for (size_t i = 0; i < std::min(findings.size(), kShown); ++i)
        message += "\n  " + findings[i].toString();
      if (findings.size() > kShown)
        message += "\n  and " + std::to_string(findings.size() - kShown) + " more";
      return Status::invalid(message);
    }
  }
  if (plan.deviceKind != "cpu")
    return Status::unavailable(options.planPath + ": the plan is for '" + plan.deviceKind +
                               "' devices, which the training loop does not support yet; supported: cpu");
  // Ids are those of a structure that is right: without the verifier the executor checks that.
  return options.verify ? checkPlanOutputs(options.planPath, plan) : Status();
}
