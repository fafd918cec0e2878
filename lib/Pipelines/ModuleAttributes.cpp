//===- ModuleAttributes.cpp - the attributes of each phase --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckModule.h"

#include "KeptOptions.h"
#include "ModuleFacts.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace modelpar::pipelines {

namespace {

struct ModuleAttribute {
  StringRef name;
  Phase first, last; ///< The phases that know it.
  bool (*is)(Attribute);
  StringRef expected;
};

} // namespace

static bool isString(Attribute value) { return isa<StringAttr>(value); }
static bool isDictionary(Attribute value) { return isa<DictionaryAttr>(value); }
static bool isUnit(Attribute value) { return isa<UnitAttr>(value); }
static bool isMesh(Attribute value) { return isa<dist::MeshAttr>(value); }
static bool areAxes(Attribute value) { return isa<dist::AxesAttr>(value); }
static bool isPositive(Attribute value) {
  auto integer = dyn_cast<IntegerAttr>(value);
  return integer && integer.getType().isInteger(64) && integer.getInt() >= 1;
}
static bool isSize(Attribute value) {
  auto integer = dyn_cast<IntegerAttr>(value);
  return integer && integer.getType().isInteger(64) && integer.getInt() >= 0;
}
static bool isAmount(Attribute value) {
  auto real = dyn_cast<FloatAttr>(value);
  return real && real.getType().isF64() && real.getValue().isFinite() && !real.getValue().isNegative();
}
static bool isOptimizer(Attribute value) {
  auto string = dyn_cast<StringAttr>(value);
  return string && (string == "adamw" || string == "sgd");
}
static bool isSchedule(Attribute value) {
  auto string = dyn_cast<StringAttr>(value);
  return string && schedule::parseKind(string.getValue());
}

static constexpr StringRef kPositive = "a 64-bit integer of at least 1", kSchedules = "\"gpipe\" or \"1f1b\"",
                           kOptimizers = "\"adamw\" or \"sgd\"";
static const ModuleAttribute kModuleAttributes[] = {
    {nn::kModelAttr, Phase::Import, Phase::Staged, isString, "a string"},
    {nn::kOptimizerAttr, Phase::Import, Phase::Staged, isOptimizer, kOptimizers},
    {kSequence, Phase::Import, Phase::Scheduled, isPositive, kPositive},
    {kOptionsAttr, Phase::Import, Phase::Sharded, isDictionary, "a dictionary of options"},
    {kCluster, Phase::Import, Phase::Scheduled, isString, "a string, local:N or the text of a cluster file"},
    {kSource, Phase::Import, Phase::Scheduled, isString, "a string"},
    {kModelFlops, Phase::Differentiated, Phase::Scheduled, isAmount, "a 64-bit float of at least 0"},
    {dist::DistDialect::getMeshAttrName(), Phase::Sharded, Phase::Scheduled, isMesh, "a #dist.mesh"},
    {dist::DistDialect::getBatchAxesAttrName(), Phase::Sharded, Phase::Scheduled, areAxes, "#dist.axes"},
    {"dist.shared_axes", Phase::Sharded, Phase::Scheduled, areAxes, "#dist.axes"},
    {kSequenceParallel, Phase::Sharded, Phase::Scheduled, isUnit, "no value"},
    {kGlobalBatch, Phase::Sharded, Phase::Staged, isSize, "a 64-bit integer of at least 0"},
    {kMicroBatch, Phase::Sharded, Phase::Scheduled, isSize, "a 64-bit integer of at least 0"},
    {kNumMicroBatches, Phase::Sharded, Phase::Scheduled, isPositive, kPositive},
    {kSchedule, Phase::Sharded, Phase::Staged, isSchedule, kSchedules},
    {plan::kModelAttr, Phase::Scheduled, Phase::Scheduled, isString, "a string"},
    {plan::kOptimizerAttr, Phase::Scheduled, Phase::Scheduled, isOptimizer, kOptimizers},
    {plan::kGlobalBatchAttr, Phase::Scheduled, Phase::Scheduled, isSize, "a 64-bit integer of at least 0"},
    {plan::kSequenceAttr, Phase::Scheduled, Phase::Scheduled, isPositive, kPositive},
    {plan::kScheduleAttr, Phase::Scheduled, Phase::Scheduled, isSchedule, kSchedules},
    {plan::kNumMicroBatchesAttr, Phase::Scheduled, Phase::Scheduled, isPositive, kPositive},
};

/// The last phase that has what the module has.
static Phase phaseOf(ModuleOp module) {
  if (!module.getOps<plan::ProgramOp>().empty())
    return Phase::Scheduled;
  Phase phase = dist::getMesh(module) ? Phase::Sharded : Phase::Import;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function->hasAttr("dist.program"))
      return Phase::Staged;
    if (phase == Phase::Import && function->hasAttr(nn::kRoleAttr))
      phase = Phase::Differentiated;
    if (phase == Phase::Sharded &&
        llvm::any_of(function.getArgumentTypes(), [](Type type) { return dist::getSharding(type); }))
      phase = Phase::Partitioned;
  }
  return phase;
}

LogicalResult checkModuleAttributes(ModuleOp module, Phase phase) {
  const Phase found = phaseOf(module);
  if (phase == Phase::Import && found != Phase::Import)
    return module.emitError() << "is a module of phase " << std::string(name(found))
                              << ", expected one of phase import (--compile-from names another)";
  bool ok = true;
  for (NamedAttribute attribute : module->getAttrs()) {
    StringRef attributeName = attribute.getName();
    const auto *known = llvm::find_if(kModuleAttributes, [&](const auto &each) { return each.name == attributeName; });
    if (known == std::end(kModuleAttributes)) {
      StringRef dialect = attributeName.split('.').first;
      if (dialect != attributeName && (dialect == "nn" || dialect == "dist" || dialect == "plan")) {
        module.emitError() << "unknown attribute " << attributeName;
        ok = false;
      }
      continue;
    }
    if (phase < known->first || phase > known->last) {
      if (found != phase)
        continue; // Of another phase altogether: its verifier says what is missing.
      module.emitError() << "attribute " << attributeName << " is read by no phase after " << std::string(name(phase))
                         << ", expected it in phases " << std::string(name(known->first)) << " to "
                         << std::string(name(known->last));
      ok = false;
    } else if (!known->is(attribute.getValue())) {
      module.emitError() << "attribute " << attributeName << " is " << attribute.getValue() << ", expected "
                         << known->expected;
      ok = false;
    }
  }
  return success(ok);
}

} // namespace modelpar::pipelines
