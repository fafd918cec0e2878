//===- CheckModule.cpp - attributes that repeat something -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckModule.h"

#include "ModuleFacts.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"
#include "modelpar/Pipelines/MeshChoice.h"
#include "modelpar/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <set>

using namespace mlir;

namespace modelpar::pipelines {

namespace {

class FactChecker {
public:
  explicit FactChecker(ModuleOp module) : module(module) {
    if (dist::MeshAttr attribute = dist::getMesh(module))
      mesh = attribute.getValue();
    StepInputs inputs = stepInputs(module);
    if (inputs.batch)
      batches.insert(*inputs.batch);
    sequences.insert(inputs.sequences.begin(), inputs.sequences.end());
    readPlanInputs();
  }

  LogicalResult run(Phase phase) {
    if (phase == Phase::Scheduled && module.getOps<plan::ProgramOp>().empty())
      return success(); // Of another phase altogether: its verifier says what is missing.
    checkSequence();
    if (phase >= Phase::Differentiated)
      checkOptimizer(phase == Phase::Scheduled ? plan::kOptimizerAttr : nn::kOptimizerAttr);
    if (phase < Phase::Sharded)
      return success(ok);
    // Without a mesh it is a module of another phase, or one whose mesh was taken away.
    if (!dist::getMesh(module)) {
      if (module->hasAttr(kNumMicroBatches))
        fail() << "needs attribute " << dist::DistDialect::getMeshAttrName();
      return success(ok);
    }
    checkMesh();
    if (!ok)
      return failure(); // The others would say what follows from it.
    checkBatch(phase);
    checkBatchAxes();
    if (phase == Phase::Scheduled)
      checkSchedule();
    else
      checkStorage();
    return success(ok);
  }

private:
  InFlightDiagnostic fail(Operation *op = nullptr) {
    ok = false;
    return (op ? op : module.getOperation())->emitError();
  }

  /// `attribute` is an integer when the module has it.
  bool expect(StringRef attribute, int64_t expected, const std::string &why) {
    auto found = module->getAttrOfType<IntegerAttr>(attribute);
    if (found && found.getInt() == expected)
      return true;
    if (!found)
      fail() << "needs attribute " << attribute << " = " << expected << " : i64, " << why;
    else
      fail() << "attribute " << attribute << " is " << found.getInt() << ", expected " << expected << ", " << why;
    return false;
  }

  void checkMesh();
  void checkBatch(Phase phase);
  void checkBatchAxes();
  void checkSequence();
  void checkOptimizer(StringRef attribute);
  void checkStorage();
  void checkSchedule();

  void readPlanInputs();

  ModuleOp module;
  std::set<int64_t> batches, sequences; ///< What they may be, by the inputs.
  sharding::Mesh mesh;
  bool ok = true;
};

} // namespace

/// In phase scheduled no attribute names the batch of an input: it is the dimension that dp or mb split, and where
/// nothing splits it any of them.
void FactChecker::readPlanInputs() {
  auto isOverBatch = [](const sharding::AxisRef &axis) { return axis.name == "dp" || axis.name == "mb"; };
  const bool isSplit = mesh.has("dp") || mesh.has("mb");
  for (auto input : module.getOps<plan::InputOp>()) {
    auto type = dyn_cast<RankedTensorType>(input.getType());
    if (!type || input.getRole() == "scalars")
      continue;
    sharding::TensorSharding sharding = dist::getSharding(mesh, type);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      const bool isBatch = llvm::any_of(sharding.dims[dim], isOverBatch);
      if (isBatch || !isSplit)
        batches.insert(type.getDimSize(dim));
      if (!isBatch)
        sequences.insert(type.getDimSize(dim));
    }
  }
}

void FactChecker::checkMesh() {
  for (const sharding::MeshAxis &axis : mesh.axes())
    if (!llvm::is_contained({"mb", "pp", "dp", "cp", "ep", "tp"}, axis.name))
      fail() << "attribute " << dist::DistDialect::getMeshAttrName() << " has an axis \"" << axis.name
             << "\", expected mb, pp, dp, cp, ep or tp";
  if (module->hasAttr(kSequenceParallel) && !mesh.has("tp"))
    fail() << "attribute " << kSequenceParallel << " needs an axis \"tp\", which "
           << dist::DistDialect::getMeshAttrName() << " has not";
}

void FactChecker::checkBatch(Phase phase) {
  const std::string microBatches = "the size of axis \"mb\" of dist.mesh";
  const bool scheduled = phase == Phase::Scheduled;
  if (!expect(kNumMicroBatches, mesh.numMicroBatches(), microBatches) ||
      (scheduled && !expect(plan::kNumMicroBatchesAttr, mesh.numMicroBatches(), microBatches)))
    return;
  const StringRef name = scheduled ? plan::kGlobalBatchAttr : llvm::StringLiteral(kGlobalBatch);
  if (batches.empty())
    batches.insert(0);
  if (auto found = module->getAttrOfType<IntegerAttr>(name);
      (!found || !batches.count(found.getInt())) && !expect(name, *batches.begin(), "the batch of the inputs"))
    return;
  const int64_t batch = module->getAttrOfType<IntegerAttr>(name).getInt();
  const int64_t share = rankShare(batch, mesh.size("dp"), mesh.size("cp"), hasSequence(module));
  expect(kMicroBatch, llvm::divideCeil(share, mesh.numMicroBatches()),
         "a rank's share of " + name.str() + " over the micro-batches");
}

/// What is summed over the batch, or the sequence, is summed over all of these.
void FactChecker::checkBatchAxes() {
  StringRef name = dist::DistDialect::getBatchAxesAttrName();
  std::set<std::string> expected, found;
  for (const char *axis : {"dp", "cp", "mb"})
    if (mesh.has(axis))
      expected.insert(axis);
  auto attribute = module->getAttrOfType<dist::AxesAttr>(name);
  if (attribute)
    for (const sharding::AxisRef &axis : attribute.getValue())
      found.insert(sharding::toString(axis, nullptr));
  std::set<std::string> wanted;
  for (const std::string &axis : expected)
    wanted.insert(sharding::toString(sharding::AxisRef{axis}, nullptr));
  if (found == wanted && (attribute || wanted.empty()))
    return;
  InFlightDiagnostic diagnostic = fail();
  diagnostic << "attribute " << name << " is ";
  if (attribute)
    diagnostic << attribute;
  else
    diagnostic << "missing";
  diagnostic << ", expected the axes of dist.mesh that split the batch or the sequence: ";
  llvm::interleaveComma(wanted, diagnostic, [&](const std::string &axis) { diagnostic << axis; });
}

void FactChecker::checkSequence() {
  for (StringRef name : {StringRef(kSequence), StringRef(plan::kSequenceAttr)})
    if (auto found = module->getAttrOfType<IntegerAttr>(name); found && !sequences.count(found.getInt())) {
      InFlightDiagnostic diagnostic = fail();
      diagnostic << "attribute " << name << " is " << found.getInt() << ", expected a sequence of the inputs: ";
      llvm::interleaveComma(sequences, diagnostic, [&](int64_t size) { diagnostic << size; });
    }
}

void FactChecker::checkOptimizer(StringRef attribute) {
  std::set<StringRef> used;
  module.walk([&](Operation *op) {
    StringRef name = op->getName().stripDialect();
    if (auto launch = dyn_cast<plan::LaunchOp>(op))
      name = launch.getKernel();
    if (name == "adamw" || name == "sgd")
      used.insert(name);
  });
  auto found = module->getAttrOfType<StringAttr>(attribute);
  for (StringRef name : used)
    if (!found || found.getValue() != name) {
      InFlightDiagnostic diagnostic = fail();
      diagnostic << "attribute " << attribute << " is ";
      if (found)
        diagnostic << found;
      else
        diagnostic << "missing";
      diagnostic << ", expected \"" << name << "\", which updates the parameters";
    }
}

/// How the step uses each parameter: by the types of its values, or in phase sharded by what the called functions take
/// and give.
static dist::ShardingAttr usedSharding(ParameterUseOpInterface use, SymbolTable &symbols) {
  StringRef name = dist::DistDialect::getShardingAttrName();
  Value value = use.getParameterValue();
  if (dist::ShardingAttr sharding = dist::getSharding(value.getType()))
    return sharding;
  if (use.isGradient())
    return {}; // It is joined to whatever the storage is.
  auto functionOf = [&](Operation *op) {
    auto call = dyn_cast_or_null<func::CallOp>(op);
    return call ? symbols.lookup<func::FuncOp>(call.getCallee()) : func::FuncOp();
  };
  if (func::FuncOp maker = functionOf(value.getDefiningOp()))
    return maker.getResultAttrOfType<dist::ShardingAttr>(cast<OpResult>(value).getResultNumber(), name);
  for (OpOperand &operand : value.getUses())
    if (func::FuncOp reader = functionOf(operand.getOwner()))
      return reader.getArgAttrOfType<dist::ShardingAttr>(operand.getOperandNumber(), name);
  return {};
}

/// Parameters are stored as they are used.
void FactChecker::checkStorage() {
  StringRef name = dist::DistDialect::getStorageAttrName();
  SymbolTable symbols(module);
  std::set<Operation *> told;
  module.walk([&](ParameterUseOpInterface use) {
    auto parameter = symbols.lookup<nn::ParameterOp>(use.getParameter());
    dist::ShardingAttr expected = usedSharding(use, symbols);
    if (!parameter || !expected || told.count(parameter))
      return;
    auto storage = parameter->getAttrOfType<dist::ShardingAttr>(name);
    if (storage == expected)
      return;
    told.insert(parameter);
    InFlightDiagnostic diagnostic = fail(parameter);
    diagnostic << "attribute " << name << " of parameter @" << parameter.getSymName() << " is ";
    if (storage)
      diagnostic << storage;
    else
      diagnostic << "missing";
    diagnostic << ", expected " << expected << ", as the parameter is used";
    diagnostic.attachNote(use->getLoc()) << "it is used here";
  });
}

/// The name of an order is of use while it is the order.
void FactChecker::checkSchedule() {
  auto attribute = module->getAttrOfType<StringAttr>(plan::kScheduleAttr);
  if (!attribute)
    return;
  std::map<StringRef, std::pair<schedule::Phase, uint32_t>> programs;
  std::set<uint32_t> stages;
  for (auto program : module.getOps<plan::ProgramOp>()) {
    const plan::ProgramKind kind = program.getKind();
    programs[program.getSymName()] = {kind == plan::ProgramKind::forward    ? schedule::Phase::Forward
                                      : kind == plan::ProgramKind::backward ? schedule::Phase::Backward
                                                                            : schedule::Phase::Update,
                                      program.getStage()};
    stages.insert(program.getStage());
  }
  for (auto op : module.getOps<plan::ScheduleOp>()) {
    std::vector<schedule::Entry> found, expected;
    for (const plan::ScheduleOp::Entry &entry : op.getSchedule())
      if (entry.program)
        found.push_back({programs[entry.program.getValue()].first, entry.microBatches.front()});
    if (op.getStage() < stages.size())
      expected = schedule::generate(*schedule::parseKind(attribute.getValue()), op.getStage(),
                                    static_cast<int64_t>(stages.size()), mesh.numMicroBatches());
    if (found != expected) {
      fail(op) << "attribute " << plan::kScheduleAttr << " is " << attribute << ", whose order in stage "
               << op.getStage() << " is " << schedule::toString(expected) << ", found " << schedule::toString(found)
               << "; leave the attribute out for an order of another kind";
      return;
    }
  }
}

LogicalResult checkModuleFacts(ModuleOp module, Phase phase) { return FactChecker(module).run(phase); }

} // namespace modelpar::pipelines
