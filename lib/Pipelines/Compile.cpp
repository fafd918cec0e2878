//===- Compile.cpp - from a model's text to a plan ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/Compile.h"

#include "CheckOptions.h"
#include "ModuleFacts.h"
#include "modelpar/CostModel/Cluster.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Files/OutputFiles.h"
#include "modelpar/Pipelines/DeviceMemory.h"
#include "modelpar/Pipelines/MeshChoice.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"
#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/PlanJSON/PlanJSON.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <chrono>
#include <filesystem>

namespace modelpar::pipelines {

namespace {

/// A module keeps the cluster it is compiled for and the model file's text, so that a resumed file needs no option
/// again and its plan says where it came from.
static constexpr llvm::StringLiteral kCluster = "nn.cluster", kSource = "nn.source";

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
    if (!checkValues(options_, result_.errors) || !load(text) || !verifyLoaded() || !chooseCluster() ||
        !choosePlacement() || !runPhases())
      return false;
    if (options_.compileTo != Phase::Plan) {
      result_.ir = print();
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
  bool chooseCluster();
  bool choosePlacement();
  bool checkRanks();
  bool verifyLoaded();
  bool setNodes(int64_t nodes);
  bool load(const std::string &text);
  bool runPhases();
  bool dump(Phase phase);
  bool emit(const std::string &text, std::chrono::steady_clock::time_point start);
  std::string print();

  const CompileOptions &options_;
  CompileResult &result_;
  mlir::MLIRContext context_;
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  Phase phase_ = Phase::Import;
  costmodel::Cluster cluster_;
  std::string clusterText_;
  PhaseOptions phaseOptions_;
};

void Compilation::record(mlir::Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (!llvm::isa<mlir::UnknownLoc>(diagnostic.getLocation())) {
    if (auto location = llvm::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation()))
      stream << location.getFilename().getValue() << ":" << location.getLine() << ":" << location.getColumn() << ": ";
    else if (auto name = llvm::dyn_cast<mlir::NameLoc>(diagnostic.getLocation()))
      stream << name.getName().getValue() << ": ";
  }
  stream << diagnostic.str();
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    stream << "\n  note: " << note.str();
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
    result_.errors.push_back(text);
  else
    (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark ? result_.remarks : result_.warnings).push_back(text);
}

bool Compilation::chooseCluster() {
  std::string error;
  auto kept = (*module_)->getAttrOfType<mlir::StringAttr>(kCluster);
  if (!options_.cluster && kept && !kept.getValue().starts_with("local:")) {
    clusterText_ = kept.getValue().str();
    if (!costmodel::readCluster(clusterText_, cluster_, error))
      return fail("attribute nn.cluster: " + error);
  } else if (!costmodel::clusterFromOption(options_.cluster.value_or(kept ? kept.getValue().str() : "local:1"),
                                           cluster_, clusterText_, error)) {
    return fail(error);
  }
  (*module_)->setAttr(kCluster, mlir::StringAttr::get(&context_, clusterText_));
  return !options_.nodes || setNodes(*options_.nodes);
}

bool Compilation::choosePlacement() {
  if (phase_ >= Phase::Sharded)
    return checkRanks(); // The module has its mesh.
  const StepInputs inputs = stepInputs(*module_);
  MeshPins pins{options_.pp, options_.dp, options_.cp, options_.ep, options_.tp, options_.microBatch};
  MeshChoice choice;
  if (!chooseMesh(cluster_.numDevices(), inputs.batch.value_or(kDefaultGlobalBatch), inputs.hasSequence, pins, choice,
                  result_.errors))
    return false;
  phaseOptions_.pp = choice.pp;
  phaseOptions_.dp = choice.dp;
  phaseOptions_.cp = choice.cp;
  phaseOptions_.tp = choice.tp;
  phaseOptions_.sequenceParallel = options_.sequenceParallel.value_or(false);
  phaseOptions_.schedule = options_.schedule.value_or("1f1b");
  phaseOptions_.flopsPerByte = cluster_.flopsPerByte(options_.dtype.value_or("f32"));
  phaseOptions_.numMicroBatches = choice.numMicroBatches;
  phaseOptions_.pins = options_.pins;
  phaseOptions_.gradSync = options_.gradSync;
  phaseOptions_.verify = options_.verify;
  return true;
}

/// A module whose placements are decided: the cluster has its ranks.
bool Compilation::checkRanks() {
  dist::MeshAttr mesh = dist::getMesh(*module_);
  if (!mesh || !options_.cluster)
    return true;
  const int64_t ranks = mesh.getValue().numRanks();
  return ranks == cluster_.numDevices() ||
         fail("--cluster=" + *options_.cluster + " has " + std::to_string(cluster_.numDevices()) +
              " ranks, the mesh of " + options_.modelFile + " has " + std::to_string(ranks));
}

/// What a pass of ours would guarantee must hold for a module that someone hands in.
bool Compilation::verifyLoaded() {
  if (!options_.compileFrom || !options_.verify)
    return true;
  mlir::PassManager manager(&context_);
  addPhaseVerifier(manager, phase_);
  return mlir::succeeded(manager.run(*module_)) ||
         (result_.errors.empty() && fail(options_.modelFile + ": not a module of phase " + std::string(name(phase_))));
}

bool Compilation::setNodes(int64_t nodes) {
  if (cluster_.nodes == nodes)
    return true;
  if (cluster_.nodes == 1)
    return fail("--nodes=" + std::to_string(nodes) + ": cluster " + cluster_.name +
                " describes one node without a network");
  cluster_.nodes = nodes;
  cluster_.links.back().ranks = cluster_.numDevices();
  return true;
}

bool Compilation::load(const std::string &text) {
  if (llvm::StringRef(options_.modelFile).ends_with(".mlir") || options_.compileFrom) {
    phase_ = options_.compileFrom.value_or(Phase::Import);
    if (!checkAgainstModule(options_, phase_, result_.errors))
      return false;
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context_), options_.modelFile);
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
  if (phase_ == Phase::Import)
    noteModelFlops(*module_);
  if (!dump(phase_))
    return false;
  for (Phase phase : kPhases) {
    if (phase <= phase_ || phase > options_.compileTo || phase == Phase::Plan)
      continue;
    mlir::PassManager manager(&context_);
    manager.enableVerifier(options_.verify);
    addPhasePasses(manager, phase, phaseOptions_);
    if (phase == Phase::Partitioned && !options_.passesAfterPartition.empty() &&
        mlir::failed(mlir::parsePassPipeline(options_.passesAfterPartition, manager)))
      return fail("bad pass pipeline: " + options_.passesAfterPartition);
    if (mlir::failed(manager.run(*module_)))
      return result_.errors.empty() ? fail("phase " + std::string(name(phase)) + " failed") : false;
    phase_ = phase;
    if (!dump(phase))
      return false;
  }
  return true;
}

std::string Compilation::print() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module_->print(stream);
  return text;
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
  return (files.add(dumpPath(options_, phase), print(), error) && files.commit(error)) || fail(error);
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
  const SummaryFacts facts = summaryFacts(*module_);
  // The plan keeps the part of the summary that does not depend on the clock, so that compiling twice gives the same
  // bytes.
  plan.summary = summarize(plan, cluster_, facts, std::nullopt);
  result_.planText = planformat::writePlan(plan);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  result_.summary = summarize(plan, cluster_, facts, seconds.count());
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
