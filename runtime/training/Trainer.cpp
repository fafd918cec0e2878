//===- Trainer.cpp - a run from plan to trained weights -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that can be refused is refused before the ranks start. Then each rank initialises its shards and runs the
// same loop; between the first and the last step nothing allocates. One rank that has the loss reports for all.
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Trainer.h"

#include "runtime/base/Log.h"
#include "runtime/executor/RunRanks.h"
#include "runtime/training/Export.h"
#include "runtime/training/HostMemory.h"
#include "runtime/training/Initialize.h"
#include "runtime/training/MemoryReport.h"
#include "runtime/training/Metrics.h"
#include "runtime/training/OutputFile.h"
#include "runtime/training/Startup.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <unistd.h>

using namespace modelpar;
using namespace modelpar::runtime;

/// The first rank of the last stage has the loss.
static int64_t findReporter(const sharding::Mesh &mesh) {
  sharding::Coordinates coordinates = sharding::coordinatesOf(mesh, 0);
  for (size_t i = 0; i < mesh.axes().size(); ++i)
    if (mesh.axes()[i].name == "pp")
      coordinates.values[i] = mesh.axes()[i].size - 1;
  return sharding::rankOf(mesh, coordinates);
}

/// Elements of the first input of tokens; 0 for a model without one.
static int64_t tokensPerStep(const planformat::Plan &plan) {
  for (const planformat::Input &input : plan.inputs) {
    if (input.role != "tokens")
      continue;
    int64_t count = 1;
    for (int64_t extent : plan.types[static_cast<size_t>(input.type)].shape)
      count *= extent;
    return count;
  }
  return 0;
}

namespace {

/// What the ranks of this process share.
class Run {
public:
  explicit Run(const TrainerOptions &options) : options_(options) {}
  Status prepare();
  Status execute();

private:
  Status openOutputs();
  void abandonOutputs() const;
  Status openTrace();
  Status closeOutputs();
  Status trainRank(Executor &executor);
  Status step(Executor &executor, int64_t step);
  /// Runs it, and after the clock has stopped writes what was traced.
  Status timedStep(Executor &executor, const StepScalars &scalars, double &seconds);
  /// `skipped`: the steps without an update so far.
  Status report(StepMetrics metrics, int64_t skipped);
  int64_t measuredPeak() const;
  void describe() const;
  void printMemory() const;

  const TrainerOptions &options_;
  planformat::Plan plan_;
  std::unique_ptr<DataSource> data_;
  std::optional<Checkpoint> init_;
  std::optional<ParameterFile> gradients_, weights_;
  std::unique_ptr<OutputFile> outputs_;
  std::unique_ptr<Trace> trace_;
  MetricsFile metrics_;
  std::optional<Progress> progress_;
  RunRanksOptions ranks_;
  int64_t reporter_ = 0;     ///< The rank that reports.
  int64_t skipped_ = 0;      ///< Steps without an update so far; the reporter's.
  int64_t unitsPerStep_ = 0; ///< Tokens of the global batch, or its samples where there are no tokens.
  std::vector<std::atomic<int64_t>> measured_; ///< By rank.
};

Status Run::prepare() {
  MODELPAR_RETURN_IF_ERROR(checkOptions(options_));
  MODELPAR_RETURN_IF_ERROR(checkLauncher());
  MODELPAR_RETURN_IF_ERROR(loadPlan(options_, plan_));
  HostMemory memory;
  MODELPAR_RETURN_IF_ERROR(readHostMemory(memory));
  MODELPAR_RETURN_IF_ERROR(checkHostMemory(plan_, memory));
  DataOptions data = options_.data;
  data.seed = options_.seed;
  MODELPAR_RETURN_IF_ERROR(createDataSource(plan_, data, data_));
  if (!options_.initPath.empty()) {
    init_.emplace();
    MODELPAR_RETURN_IF_ERROR(Checkpoint::open(options_.initPath, *init_));
    MODELPAR_RETURN_IF_ERROR(init_->check(plan_.parameters));
  }
  const int64_t numRanks = plan_.mesh.numRanks();
  const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
  ranks_.executor.numThreads =
      options_.threadsPerRank > 0 ? options_.threadsPerRank : static_cast<int>(std::max<int64_t>(1, cores / numRanks));
  ranks_.streamFuzz = options_.streamFuzz;
  ranks_.timeout = std::chrono::duration<double>(options_.timeoutSeconds);
  ranks_.executor.checkNumerics = options_.checkNumerics;
  ranks_.executor.stop = options_.stop;
  if (options_.onStuck)
    ranks_.onStuck = [this](const Status &status) {
      abandonOutputs();
      options_.onStuck(status);
    };
  reporter_ = findReporter(plan_.mesh);
  unitsPerStep_ = tokensPerStep(plan_) ? tokensPerStep(plan_) : plan_.globalBatch;
  measured_ = std::vector<std::atomic<int64_t>>(static_cast<size_t>(numRanks));
  return {};
}

static Status createDirectories(const std::string &path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? Status::invalid("cannot create '" + path + "': " + error.message()) : Status();
}

/// After all checks, so that a refused run leaves existing files alone.
Status Run::openOutputs() {
  if (!options_.dumpGradsPath.empty()) {
    MODELPAR_RETURN_IF_ERROR(createDirectories(options_.dumpGradsPath));
    MODELPAR_RETURN_IF_ERROR(
        ParameterFile::create(plan_, ParameterFile::Content::Gradients, gradientsFile(options_), gradients_.emplace()));
  }
  if (!options_.dumpOutputsPath.empty()) {
    MODELPAR_RETURN_IF_ERROR(createDirectories(options_.dumpOutputsPath));
    MODELPAR_RETURN_IF_ERROR(OutputFile::create(plan_, outputsFile(options_), outputs_));
    ranks_.executor.observer = outputs_.get();
  }
  if (!options_.saveWeightsPath.empty())
    MODELPAR_RETURN_IF_ERROR(
        ParameterFile::create(plan_, ParameterFile::Content::Weights, options_.saveWeightsPath, weights_.emplace()));
  // The files that are not renamed into place come last: an output that cannot be written leaves them alone.
  if (!options_.tracePath.empty())
    MODELPAR_RETURN_IF_ERROR(openTrace());
  if (!options_.metricsPath.empty())
    MODELPAR_RETURN_IF_ERROR(metrics_.open(options_.metricsPath));
  progress_.emplace(stderr, isatty(STDERR_FILENO) != 0, options_.steps,
                    tokensPerStep(plan_) ? "tokens/s" : "samples/s");
  return {};
}

Status Run::openTrace() {
  constexpr int64_t kDefaultSteps = 10;
  const int64_t steps = options_.traceSteps.value_or(kDefaultSteps);
  trace_ = std::make_unique<Trace>(plan_.mesh, steps);
  ranks_.executor.trace = trace_.get();
  if (steps < options_.steps)
    logInfo("--trace has " + (steps == 1 ? "step 1" : "steps 1 to " + std::to_string(steps)) + " of " +
            std::to_string(options_.steps) + " (--trace-steps)");
  return trace_->open(options_.tracePath);
}

Status Run::closeOutputs() {
  Status status = trace_ ? trace_->close() : Status();
  Status metrics = metrics_.close();
  return status.ok() ? metrics : status;
}

void Run::abandonOutputs() const {
  for (const std::optional<ParameterFile> *file : {&gradients_, &weights_})
    if (file->has_value())
      (*file)->abandon();
  if (outputs_)
    outputs_->abandon();
  if (trace_)
    trace_->abandon();
}

int64_t Run::measuredPeak() const {
  int64_t peak = 0;
  for (const std::atomic<int64_t> &bytes : measured_)
    peak = std::max(peak, bytes.load(std::memory_order_relaxed));
  return peak;
}

void Run::describe() const {
  std::string axes;
  for (const sharding::MeshAxis &axis : plan_.mesh.axes())
    axes += (axes.empty() ? "" : " ") + axis.name + "=" + std::to_string(axis.size);
  if (!axes.empty())
    axes = " (" + axes + ")";
  int64_t parts = 1;
  for (const planformat::Input &input : plan_.inputs)
    for (const sharding::DimSharding &dim : plan_.types[static_cast<size_t>(input.type)].sharding.dims)
      parts = std::max(parts, sharding::orderOf(0, dim).parts);
  const std::string order =
      parts > 1 ? "; sequences in the balanced causal order of " + std::to_string(parts) + " parts" : "";
  logInfo(plan_.modelName + " on " + std::to_string(plan_.mesh.numRanks()) + " " + plan_.deviceKind + " ranks" + axes +
          ", " + std::to_string(ranks_.executor.numThreads) + " threads each, " + formatBytes(plannedHostBytes(plan_)) +
          " in all; " + data_->describe() + order);
}

Status Run::report(StepMetrics metrics, int64_t skipped) {
  metrics.tokensPerSecond = static_cast<double>(unitsPerStep_) / std::max(metrics.stepSeconds, 1e-9);
  metrics.peakMemoryBytes = measuredPeak();
  if (metrics_.isOpen())
    MODELPAR_RETURN_IF_ERROR(metrics_.write(metrics));
  progress_->report(metrics);
  if (skipped > skipped_) {
    progress_->finish();
    logWarning("step " + std::to_string(metrics.step) + ": the gradient norm is " +
               (std::isfinite(metrics.gradNorm) ? "too large for --clip" : "not finite") +
               ", so the update was skipped (" + std::to_string(skipped) + " so far)");
  }
  skipped_ = skipped;
  if (options_.onStep)
    options_.onStep(metrics);
  return {};
}

Status Run::timedStep(Executor &executor, const StepScalars &scalars, double &seconds) {
  const auto begin = std::chrono::steady_clock::now();
  Status status = executor.runStep(scalars, *data_);
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!trace_ || !trace_->traces(scalars.step))
    return status;
  // Also of a step that failed: what ran before the error is there.
  const Status written = trace_->write(executor.rank());
  MODELPAR_RETURN_IF_ERROR(status);
  MODELPAR_RETURN_IF_ERROR(written);
  // Nobody begins the next step before all have written, which would be waiting inside it.
  return executor.communicator().barrier("the trace");
}

Status Run::step(Executor &executor, int64_t step) {
  StepScalars scalars;
  scalars.step = step;
  scalars.learningRate = options_.learningRate.at(step);
  scalars.labelCount = static_cast<double>(std::max<int64_t>(1, data_->labelCount(step)));
  scalars.seed = options_.seed;
  scalars.clip = options_.clip;
  scalars.beta1 = options_.beta1;
  scalars.beta2 = options_.beta2;
  scalars.epsilon = options_.epsilon;
  scalars.weightDecay = options_.weightDecay;

  double seconds = 0;
  MODELPAR_RETURN_IF_ERROR(timedStep(executor, scalars, seconds));
  // Every step touches the same bytes: what the first leaves and the end confirm is enough.
  if (step == 1 || step == options_.steps) {
    measured_[static_cast<size_t>(executor.rank())].store(executor.measuredBytes(), std::memory_order_relaxed);
    // The report is of all ranks, and pipeline stages end their steps at different times.
    MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("the memory report"));
  }

  if (executor.hasOutput("loss")) {
    StepMetrics metrics;
    metrics.step = step;
    metrics.learningRate = scalars.learningRate;
    metrics.stepSeconds = seconds;
    MODELPAR_RETURN_IF_ERROR(executor.readOutput("loss", metrics.loss));
    MODELPAR_RETURN_IF_ERROR(executor.readOutput("grad_norm", metrics.gradNorm));
    if (executor.rank() == reporter_)
      MODELPAR_RETURN_IF_ERROR(report(metrics, step - executor.appliedUpdates()));
  }
  return {};
}

Status Run::trainRank(Executor &executor) {
  MODELPAR_RETURN_IF_ERROR(initializeParameters(executor, options_.seed, init_ ? &*init_ : nullptr));
  for (int64_t i = 1; i <= options_.steps; ++i) {
    MODELPAR_RETURN_IF_ERROR(step(executor, i));
    if (i == 1 && gradients_)
      MODELPAR_RETURN_IF_ERROR(gradients_->write(executor));
    if (i == 1 && outputs_)
      MODELPAR_RETURN_IF_ERROR(outputs_->finish(executor));
  }
  if (weights_)
    MODELPAR_RETURN_IF_ERROR(weights_->write(executor));
  return {};
}

void Run::printMemory() const {
  // Standard output carries one thing.
  std::FILE *out = takesStandardOutput(options_) ? stderr : stdout;
  std::vector<int64_t> measured(measured_.begin(), measured_.end());
  std::fputs(memoryReport(plan_, measured).c_str(), out);
}

Status Run::execute() {
  describe();
  if (options_.dryRun) {
    if (!plan_.summary.empty())
      std::printf("%s\n", plan_.summary.c_str());
    for (size_t stage = 0; stage < plan_.stages.size(); ++stage) {
      std::printf("stage %zu: arena %lld bytes (%s)\n", stage, static_cast<long long>(plan_.stages[stage].arenaBytes),
                  formatBytes(plan_.stages[stage].arenaBytes).c_str());
      for (const planformat::MemoryItem &item : plan_.stages[stage].memory)
        std::printf("  %-18s %lld bytes (%s)\n", item.name.c_str(), static_cast<long long>(item.bytes),
                    formatBytes(item.bytes).c_str());
    }
    return {};
  }
  MODELPAR_RETURN_IF_ERROR(openOutputs());
  Status status = runRanks(plan_, ranks_, [this](Executor &executor) { return trainRank(executor); });
  progress_->finish();
  const Status closed = closeOutputs(); // A trace ends whole after an error too.
  MODELPAR_RETURN_IF_ERROR(status);
  MODELPAR_RETURN_IF_ERROR(closed);
  if (skipped_ > 0)
    logWarning(std::to_string(skipped_) + " of " + std::to_string(options_.steps) + " updates were skipped");
  printMemory();
  return {};
}

} // namespace

Status runtime::train(const TrainerOptions &options) {
  return withoutExceptions([&]() -> Status {
    Run run(options);
    MODELPAR_RETURN_IF_ERROR(run.prepare());
    return run.execute();
  });
}
