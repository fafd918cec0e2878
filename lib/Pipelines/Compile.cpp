//===- Compile.cpp - from a model's text to a plan ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/Compile.h"

#include "Summary.h"
#include "modelpar/CostModel/Cluster.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"
#include "modelpar/Pipelines/MeshChoice.h"
#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"
#include "modelpar/Target/ImportModel.h"
#include "modelpar/Target/PlanJSON/PlanJSON.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

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
    if (!checkOptions() || !load(text) || !chooseCluster() || !choosePlacement() || !runPhases())
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
  bool checkOptions();
  bool chooseCluster();
  bool choosePlacement();
  bool checkPlaced();
  bool verifyLoaded();
  bool setNodes(int64_t nodes);
  bool load(const std::string &text);
  bool runPhases();
  bool dump(Phase phase);
  void noteModelFlops();
  double modelFlops() const;
  int64_t globalBatch();
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
    result_.warnings.push_back(text);
}

bool Compilation::checkOptions() {
  if (options_.dtype != "f32" && options_.dtype != "f64")
    return fail("--dtype=" + options_.dtype + " is not supported yet; supported: f32");
  if (options_.optimizer != "adamw" && options_.optimizer != "sgd")
    return fail("--optimizer=" + options_.optimizer + ": expected adamw or sgd");
  if (options_.gradSync != "all_reduce")
    return fail("--grad-sync=" + options_.gradSync + " is not supported yet; supported: all_reduce");
  if (options_.globalBatch < 1)
    return fail("--global-batch=" + std::to_string(options_.globalBatch) + ": expected at least 1");
  return true;
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
    return checkPlaced(); // The module has its mesh.
  MeshPins pins{options_.pp, options_.dp, options_.cp, options_.ep, options_.tp, options_.microBatch};
  MeshChoice choice;
  if (!chooseMesh(cluster_.numDevices(), globalBatch(), pins, choice, result_.errors))
    return false;
  phaseOptions_.dp = choice.dp;
  phaseOptions_.tp = choice.tp;
  phaseOptions_.sequenceParallel = options_.sequenceParallel;
  phaseOptions_.numMicroBatches = choice.numMicroBatches;
  phaseOptions_.pins = options_.pins;
  phaseOptions_.gradSync = options_.gradSync;
  phaseOptions_.verify = options_.verify;
  return true;
}

/// A module whose placements are decided: options that would decide them are refused, not ignored, and the cluster has its ranks.
bool Compilation::checkPlaced() {
  const std::pair<const char *, bool> given[] = {
      {"--tp", options_.tp.has_value()},   {"--dp", options_.dp.has_value()},           {"--pp", options_.pp.has_value()},
      {"--cp", options_.cp.has_value()},   {"--ep", options_.ep.has_value()},           {"--micro-batch", options_.microBatch.has_value()},
      {"--pin", !options_.pins.empty()}};
  for (auto [option, isGiven] : given)
    if (isGiven)
      fail(std::string(option) + ": " + options_.modelFile + " is of phase " + std::string(name(phase_)) +
           ", which has its placements already; expected a module of phase import or differentiated");
  if (dist::MeshAttr mesh = dist::getMesh(*module_); mesh && options_.cluster) {
    const int64_t ranks = mesh.getValue().numRanks();
    if (ranks != cluster_.numDevices())
      fail("--cluster=" + *options_.cluster + " has " + std::to_string(cluster_.numDevices()) + " ranks, the mesh of " +
           options_.modelFile + " has " + std::to_string(ranks));
  }
  return result_.errors.empty();
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
    module_ = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context_), options_.modelFile);
    return static_cast<bool>(module_) || !result_.errors.empty() ? static_cast<bool>(module_)
                                                                 : fail(options_.modelFile + ": not a module");
  }
  target::ModelOptions model;
  model.fileName = options_.modelFile;
  model.globalBatch = options_.globalBatch;
  model.sequence = options_.sequence;
  model.dtype = options_.dtype;
  model.dropout = options_.dropout;
  model.optimizer = options_.optimizer;
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
  if (!verifyLoaded())
    return false;
  noteModelFlops();
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

/// Operations of the matrix products of one block function, over all factors' global sizes.
static double matrixFlops(mlir::func::FuncOp function) {
  double flops = 0;
  function.walk([&](CostOpInterface op) {
    auto ruled = llvm::dyn_cast<ShardingRuleOpInterface>(op.getOperation());
    if (!ruled || !op.isMatrixOp())
      return;
    double points = 1;
    for (const sharding::Factor &factor : ruled.getShardingRule().factors)
      points *= double(factor.size);
    flops += points * op.getFlopsPerPoint();
  });
  return flops;
}

static constexpr llvm::StringLiteral kModelFlops = "nn.model_flops";

/// Model FLOPs of a step, on the imported module: the forward pass and twice that for the backward pass. An attribute,
/// so that later phases and resumed files know them.
void Compilation::noteModelFlops() {
  if (phase_ != Phase::Import)
    return;
  mlir::SymbolTable symbols(*module_);
  auto step = symbols.lookup<mlir::func::FuncOp>("step");
  if (!step)
    return;
  std::map<std::string, double> perFunction;
  double forward = 0;
  step.walk([&](mlir::func::CallOp call) {
    auto [it, isNew] = perFunction.try_emplace(call.getCallee().str(), 0.0);
    if (auto callee = isNew ? symbols.lookup<mlir::func::FuncOp>(call.getCallee()) : mlir::func::FuncOp())
      it->second = matrixFlops(callee);
    forward += it->second;
  });
  (*module_)->setAttr(kModelFlops, mlir::FloatAttr::get(mlir::Float64Type::get(&context_), 3 * forward));
}

/// Of the imported module: a resumed one may have another batch than the options' default.
int64_t Compilation::globalBatch() {
  if (auto step = module_->lookupSymbol<mlir::func::FuncOp>("step"))
    for (unsigned i = 0; i < step.getNumArguments(); ++i)
      if (auto dim = step.getArgAttrOfType<mlir::IntegerAttr>(i, "nn.batch_dim"))
        return llvm::cast<mlir::RankedTensorType>(step.getArgument(i).getType()).getDimSize(unsigned(dim.getInt()));
  return options_.globalBatch;
}

double Compilation::modelFlops() const {
  auto attribute = (*module_)->getAttrOfType<mlir::FloatAttr>(kModelFlops);
  return attribute ? attribute.getValueAsDouble() : 0;
}

std::string Compilation::print() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module_->print(stream);
  return text;
}

bool Compilation::dump(Phase phase) {
  if (options_.dumpPhasesTo.empty())
    return true;
  std::error_code error;
  std::filesystem::create_directories(options_.dumpPhasesTo, error);
  const std::string path =
      options_.dumpPhasesTo + "/" + std::to_string(static_cast<int>(phase)) + "." + std::string(name(phase)) + ".mlir";
  std::ofstream file(path);
  file << print();
  return file.good() || fail("cannot write " + path);
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
  const bool sequenceParallel = (*module_)->hasAttr("dist.sequence_parallel");
  // The plan keeps the part of the summary that does not depend on the clock, so that compiling twice gives the same
  // bytes.
  plan.summary = summarize(plan, cluster_, modelFlops(), sequenceParallel, std::nullopt);
  result_.planText = planformat::writePlan(plan);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  result_.summary = summarize(plan, cluster_, modelFlops(), sequenceParallel, seconds.count());
  return true;
}

} // namespace

CompileResult compile(const std::string &modelText, const CompileOptions &options) {
  CompileResult result;
  Compilation compilation(options, result);
  result.ok = compilation.run(modelText) && result.errors.empty();
  return result;
}

} // namespace modelpar::pipelines
