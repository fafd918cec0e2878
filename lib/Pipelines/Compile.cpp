//===- Compile.cpp - from a model's text to a plan ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/Compile.h"

#include "CheckModule.h"
#include "CheckOptions.h"
#include "KeptOptions.h"
#include "ModuleFacts.h"
#include "ModuleText.h"
#include "OptionFacts.h"
#include "modelpar/CostModel/Cluster.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Files/OutputFiles.h"
#include "modelpar/Pipelines/DeviceMemory.h"
#include "modelpar/Pipelines/MeshChoice.h"
#include "modelpar/Pipelines/PredictedTrace.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"
#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/PlanJSON/PlanJSON.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <chrono>
#include <filesystem>

namespace modelpar::pipelines {

namespace {

/// One compilation: the module, the phase it is in, and what has been said about it.
class Compilation {
public:
  Compilation(const CompileOptions &options, CompileResult &result) : options_(options), result_(result) {
    mlir::DialectRegistry registry;
    registerModelparDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.printOpOnDiagnostic(false);
    context_.disableMultithreading(); // Deterministic, and faster than threads for modules of this size.
    context_.loadAllAvailableDialects();
    context_.getDiagEngine().registerHandler([this](mlir::Diagnostic &diagnostic) { record(diagnostic); });
  }

  bool run(const std::string &text) {
    const auto start = std::chrono::steady_clock::now();
    if (!checkValues(options_, result_.errors) || !load(text) || !verifyLoaded() || !takeOptions() ||
        !chooseCluster() || !choosePlacement() || !runPhases())
      return false;
    if (options_.compileTo != Phase::Plan) {
      result_.ir = printModule(*module_);
      return true;
    }
    return emit(text, start);
  }

private:
  void record(mlir::Diagnostic &diagnostic);
  bool fail(std::string message) {
    result_.errors.push_back(std::move(message));
    return false;
  }
  bool load(const std::string &text);
  bool verifyLoaded();
  bool takeOptions();
  bool chooseCluster();
  bool choosePlacement();
  bool checkRanks();
  bool runPhases();
  bool dump(Phase phase);
  bool emit(const std::string &text, std::chrono::steady_clock::time_point start);

  CompileOptions options_; ///< As given, then with what a resumed module keeps.
  CompileResult &result_;
  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  Phase phase_ = Phase::Import;
  bool loaded_ = false; ///< The input is a module, not a model.
  costmodel::Cluster cluster_;
  std::string clusterText_;
  PhaseOptions phaseOptions_;
  std::string kept_; ///< The options that a resumed module asks for.
};

void Compilation::record(mlir::Diagnostic &diagnostic) {
  std::string text = describe(diagnostic.getLocation()) + diagnostic.str();
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    text += "\n  note: " + describe(note.getLocation()) + note.str();
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
    result_.errors.push_back(text);
  else
    (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark ? result_.remarks : result_.warnings).push_back(text);
}

/// A resumed module asks for what its compilation was asked for.
bool Compilation::takeOptions() {
  if (loaded_ && !takeKeptOptions(*module_, phase_, options_, kept_, result_.errors))
    return false;
  keepOptions(*module_, phase_, options_);
  return true;
}

bool Compilation::chooseCluster() {
  std::string error;
  mlir::Attribute attribute = (*module_)->getAttr(kCluster);
  auto kept = llvm::dyn_cast_or_null<mlir::StringAttr>(attribute);
  if (options_.cluster || !attribute) {
    // A module that has placements, and no cluster, is for one with its ranks.
    dist::MeshAttr mesh = dist::getMesh(*module_);
    const std::string local = "local:" + std::to_string(mesh ? mesh.getValue().numRanks() : 1);
    if (!costmodel::clusterFromOption(options_.cluster.value_or(local), cluster_, clusterText_, error))
      return fail(error);
  } else {
    const std::string head = options_.modelFile + ": attribute " + kCluster.str();
    if (!kept)
      return fail(head + ": expected a string, local:N or the text of a cluster file");
    clusterText_ = kept.getValue().str();
    const bool local = kept.getValue().starts_with("local:");
    if (local ? !costmodel::clusterFromOption(clusterText_, cluster_, clusterText_, error)
              : !costmodel::readCluster(clusterText_, cluster_, error))
      return fail(head + ": " + (local ? "expected local:N, found " + clusterText_ : error));
  }
  if (options_.nodes && !costmodel::overrideNodes(*options_.nodes, cluster_, clusterText_, error))
    return fail(error);
  (*module_)->setAttr(kCluster, mlir::StringAttr::get(&context_, clusterText_));
  return true;
}

bool Compilation::choosePlacement() {
  phaseOptions_.gradSync = options_.gradSync.value_or("all_reduce");
  phaseOptions_.verify = options_.verify;
  if (phase_ >= Phase::Sharded)
    return checkRanks(); // The module has its mesh.
  MeshPins pins{options_.pp, options_.dp, options_.cp, options_.ep, options_.tp, options_.microBatch};
  MeshChoice choice;
  const size_t before = result_.errors.size();
  if (!chooseMesh(cluster_.numDevices(), stepInputs(*module_).batch.value_or(kDefaultGlobalBatch),
                  hasSequence(*module_), pins, choice, result_.errors)) {
    // Not all that a message names was given with this command.
    for (size_t i = before; i < result_.errors.size() && !kept_.empty(); ++i)
      result_.errors[i] += "; " + options_.modelFile + " asks for " + kept_;
    return false;
  }
  phaseOptions_.pp = choice.pp;
  phaseOptions_.dp = choice.dp;
  phaseOptions_.cp = choice.cp;
  phaseOptions_.tp = choice.tp;
  phaseOptions_.sequenceParallel = options_.sequenceParallel.value_or(false);
  phaseOptions_.schedule = options_.schedule.value_or("1f1b");
  auto dtype = llvm::dyn_cast_or_null<mlir::StringAttr>(dtypeFact(*module_, {}).value);
  phaseOptions_.flopsPerByte = cluster_.flopsPerByte(dtype ? dtype.getValue().str() : "f32");
  phaseOptions_.numMicroBatches = choice.numMicroBatches;
  phaseOptions_.pins = options_.pins;
  return true;
}

/// A module whose placements are decided: the cluster has its ranks.
bool Compilation::checkRanks() {
  dist::MeshAttr mesh = dist::getMesh(*module_);
  const int64_t ranks = mesh ? mesh.getValue().numRanks() : 1;
  if (ranks == cluster_.numDevices())
    return true;
  std::string source = options_.modelFile + ": attribute " + kCluster.str();
  if (options_.nodes)
    source = "--nodes=" + std::to_string(*options_.nodes);
  else if (options_.cluster)
    source = "--cluster=" + *options_.cluster;
  return fail(source + " has " + std::to_string(cluster_.numDevices()) + " ranks, the mesh of " + options_.modelFile +
              " (" + dist::DistDialect::getMeshAttrName().str() + ") has " + std::to_string(ranks));
}

/// What a pass of ours would guarantee must hold for a module that someone hands in.
bool Compilation::verifyLoaded() {
  if (!loaded_ || !options_.verify)
    return true;
  auto verify = [&](Phase phase) {
    mlir::PassManager manager(&context_);
    addPhaseVerifier(manager, phase);
    return mlir::succeeded(manager.run(*module_)) ||
           (result_.errors.empty() &&
            fail(options_.modelFile + ": not a module of phase " + std::string(name(phase_))));
  };
  // What holds from import on, that extents can be multiplied, is what the checks of attributes go by.
  return mlir::succeeded(checkModuleAttributes(*module_, phase_)) && verify(Phase::Import) &&
         mlir::succeeded(checkModuleFacts(*module_, phase_)) && verify(phase_);
}

bool Compilation::load(const std::string &text) {
  if (llvm::StringRef(options_.modelFile).ends_with(".mlir") || options_.compileFrom) {
    phase_ = options_.compileFrom.value_or(Phase::Import);
    loaded_ = true;
    if (phase_ == Phase::Plan)
      return fail("--compile-from=plan: a plan is the last phase, expected an earlier one");
    module_ = readModule(context_, text, options_.modelFile);
    return static_cast<bool>(module_) || !result_.errors.empty() ? static_cast<bool>(module_)
                                                                 : fail(options_.modelFile + ": not a module");
  }
  target::ModelOptions model;
  model.fileName = options_.modelFile;
  model.globalBatch = options_.globalBatch.value_or(kDefaultGlobalBatch);
  model.sequence = options_.sequence;
  model.dtype = options_.dtype.value_or("f32");
  model.dropout = options_.dropout.value_or(true);
  model.optimizer = options_.optimizer.value_or("adamw");
  target::ImportDiagnostics diagnostics;
  module_ = target::importModel(context_, text, model, diagnostics);
  result_.errors.insert(result_.errors.end(), diagnostics.errors.begin(), diagnostics.errors.end());
  result_.warnings.insert(result_.warnings.end(), diagnostics.warnings.begin(), diagnostics.warnings.end());
  if (!module_)
    return false;
  (*module_)->setAttr(kSource, mlir::StringAttr::get(&context_, text));
  return true;
}

bool Compilation::runPhases() {
  if (options_.compileTo < phase_)
    return fail("--compile-to=" + std::string(name(options_.compileTo)) +
                " comes before --compile-from=" + std::string(name(phase_)));
  if (!dump(phase_))
    return false;
  for (Phase phase : kPhases) {
    if (phase <= phase_ || phase > options_.compileTo || phase == Phase::Plan)
      continue;
    if (phase_ == Phase::Import)
      noteModelFlops(*module_);
    mlir::PassManager manager(&context_);
    manager.enableVerifier(options_.verify);
    addPhasePasses(manager, phase, phaseOptions_);
    if (phase == Phase::Partitioned && !options_.passesAfterPartition.empty() &&
        mlir::failed(mlir::parsePassPipeline(options_.passesAfterPartition, manager)))
      return fail("bad pass pipeline: " + options_.passesAfterPartition);
    if (mlir::failed(manager.run(*module_)))
      return result_.errors.empty() ? fail("phase " + std::string(name(phase)) + " failed") : false;
    phase_ = phase;
    keepOptions(*module_, phase, options_);
    if (!dump(phase))
      return false;
  }
  return true;
}

static std::string dumpPath(const CompileOptions &options, Phase phase) {
  return options.dumpPhasesTo + "/" + std::to_string(static_cast<int>(phase)) + "." + std::string(name(phase)) +
         ".mlir";
}

bool Compilation::dump(Phase phase) {
  if (options_.dumpPhasesTo.empty())
    return true;
  std::error_code ignored; // The file cannot be written then.
  std::filesystem::create_directories(options_.dumpPhasesTo, ignored);
  files::OutputFiles files;
  std::string error;
  return (files.add(dumpPath(options_, phase), printModule(*module_), error) && files.commit(error)) || fail(error);
}

bool Compilation::emit(const std::string &text, std::chrono::steady_clock::time_point start) {
  planformat::Plan &plan = result_.plan;
  if (mlir::failed(exportPlan(*module_, plan)))
    return result_.errors.empty() ? fail("the module has no plan") : false;
  plan.tool = "modelpar-opt 0.1.0";
  plan.command = options_.command;
  // A resumed module says what text it came from; without that it is the text itself.
  auto source = (*module_)->getAttrOfType<mlir::StringAttr>(kSource);
  plan.modelText = source ? source.getValue().str() : text;
  plan.clusterText = clusterText_;
  plan.deviceKind = cluster_.kind;
  if (options_.verifyPlan)
    for (const auto &violation : planformat::verifyPlan(plan))
      result_.errors.push_back("plan: " + violation.toString());
  if (!result_.errors.empty())
    return false;
  if (std::string memory = checkDeviceMemory(plan, cluster_); !memory.empty())
    result_.warnings.push_back(std::move(memory));
  // The plan keeps the part of the summary that does not depend on the clock, so that compiling twice gives the same
  // bytes.
  json::Value summary = summarize(plan, cluster_, summaryFacts(*module_));
  plan.summary = summaryText(summary);
  result_.planText = planformat::writePlan(plan);
  if (options_.trace)
    result_.trace = predictedTrace(plan, cluster_);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  addCompileSeconds(summary, seconds.count());
  result_.summary = summaryText(summary);
  return true;
}

} // namespace

std::vector<std::string> dumpedFiles(const CompileOptions &options) {
  std::vector<std::string> paths;
  const Phase first = options.compileFrom.value_or(Phase::Import);
  for (Phase phase : kPhases)
    if (!options.dumpPhasesTo.empty() && (phase == first || (phase > first && phase < Phase::Plan)) &&
        phase <= options.compileTo)
      paths.push_back(dumpPath(options, phase));
  return paths;
}

CompileResult compile(const std::string &modelText, const CompileOptions &options) {
  CompileResult result;
  Compilation compilation(options, result);
  result.ok = compilation.run(modelText) && result.errors.empty();
  return result;
}

} // namespace modelpar::pipelines
