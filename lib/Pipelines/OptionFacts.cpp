//===- OptionFacts.cpp - what a module says about decided options ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OptionFacts.h"

#include "ModuleFacts.h"
#include "lib/Dialect/Dist/Transforms/Pins.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/PlanDialect.h"
#include "modelpar/Pipelines/MeshChoice.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace modelpar::pipelines {

/// The first of the attributes that the module has: one name in the phases before scheduled, one there.
static OptionFact attributeFact(ModuleOp module, std::initializer_list<StringRef> names) {
  for (StringRef name : names)
    if (Attribute value = module->getAttr(name))
      return {value, name.str()};
  return {nullptr, names.begin()->str()};
}

static IntegerAttr integer(ModuleOp module, int64_t value) {
  return Builder(module.getContext()).getI64IntegerAttr(value);
}

OptionFact globalBatchFact(ModuleOp module, Attribute) {
  OptionFact fact = attributeFact(module, {kGlobalBatch, plan::kGlobalBatchAttr});
  if (fact.value)
    return fact;
  std::optional<int64_t> batch = stepInputs(module).batch;
  return {batch ? integer(module, *batch) : IntegerAttr(), "the batch of its inputs (nn.batch_dim)"};
}

OptionFact sequenceFact(ModuleOp module, Attribute) { return attributeFact(module, {kSequence, plan::kSequenceAttr}); }

OptionFact dtypeFact(ModuleOp module, Attribute) {
  auto name = [&](Type type) {
    std::string text;
    llvm::raw_string_ostream(text) << getElementTypeOrSelf(type);
    return StringAttr::get(module.getContext(), text);
  };
  const std::string where = "the element type of its parameters";
  for (auto parameter : module.getOps<nn::ParameterOp>())
    return {name(parameter.getType()), where};
  for (auto parameter : module.getOps<plan::ParameterOp>())
    return {name(parameter.getType()), where};
  return {nullptr, "parameter"};
}

OptionFact optimizerFact(ModuleOp module, Attribute) {
  return attributeFact(module, {nn::kOptimizerAttr, plan::kOptimizerAttr});
}

/// Of an op, or of the kernel that became of it.
static double dropoutRate(Operation *op) {
  auto rate = op->getAttrOfType<FloatAttr>("rate");
  if (auto launch = dyn_cast<plan::LaunchOp>(op))
    rate = launch.getConfig().getAs<FloatAttr>("rate");
  return rate ? rate.getValueAsDouble() : 0.0;
}

OptionFact dropoutFact(ModuleOp module, Attribute given) {
  OptionFact fact{given, ""};
  if (!cast<BoolAttr>(given).getValue())
    module.walk([&](Operation *op) {
      if (dropoutRate(op) == 0.0)
        return WalkResult::advance();
      fact = {BoolAttr::get(module.getContext(), true),
              "dropout of rate " + std::to_string(dropoutRate(op)) + " is in its ops, so it"};
      return WalkResult::interrupt();
    });
  return fact;
}

OptionFact meshAxisFact(ModuleOp module, StringRef axis) {
  dist::MeshAttr mesh = dist::getMesh(module);
  return {mesh ? integer(module, mesh.getValue().size(axis)) : IntegerAttr(),
          ("axis \"" + axis + "\" of " + dist::DistDialect::getMeshAttrName()).str()};
}

OptionFact sequenceParallelFact(ModuleOp module, Attribute given) {
  dist::MeshAttr mesh = dist::getMesh(module);
  if (mesh && !mesh.getValue().has("tp"))
    return {given, ""};
  return {BoolAttr::get(module.getContext(), module->hasAttr(kSequenceParallel)), kSequenceParallel.str()};
}

OptionFact microBatchFact(ModuleOp module, Attribute given) {
  auto batch = dyn_cast_or_null<IntegerAttr>(globalBatchFact(module, given).value);
  dist::MeshAttr mesh = dist::getMesh(module);
  OptionFact fact = attributeFact(module, {kMicroBatch});
  if (!batch || !mesh || !isa_and_nonnull<IntegerAttr>(fact.value))
    return fact;
  const int64_t share =
      rankShare(batch.getInt(), mesh.getValue().size("dp"), mesh.getValue().size("cp"), hasSequence(module));
  const int64_t asked = llvm::divideCeil(share, cast<IntegerAttr>(given).getInt());
  if (cast<IntegerAttr>(given).getInt() <= share && asked == mesh.getValue().numMicroBatches())
    fact.value = given;
  return fact;
}

OptionFact scheduleFact(ModuleOp module, Attribute) { return attributeFact(module, {kSchedule, plan::kScheduleAttr}); }

/// By parameter name.
static std::vector<std::pair<StringRef, dist::ShardingAttr>> storages(ModuleOp module) {
  std::vector<std::pair<StringRef, dist::ShardingAttr>> storages;
  for (auto parameter : module.getOps<nn::ParameterOp>())
    storages.emplace_back(parameter.getSymName(),
                          parameter->getAttrOfType<dist::ShardingAttr>(dist::DistDialect::getStorageAttrName()));
  for (auto parameter : module.getOps<plan::ParameterOp>())
    storages.emplace_back(parameter.getName(), dist::getSharding(parameter.getType()));
  return storages;
}

OptionFact pinsFact(ModuleOp module, Attribute given) {
  dist::MeshAttr meshAttr = dist::getMesh(module);
  if (!meshAttr)
    return {nullptr, dist::DistDialect::getMeshAttrName().str()};
  const sharding::Mesh &mesh = meshAttr.getValue();
  for (auto text : cast<ArrayAttr>(given).getAsRange<StringAttr>()) {
    std::string error;
    std::optional<dist::Pin> pin = dist::parsePin(text.getValue(), error);
    if (!pin)
      return {StringAttr::get(module.getContext(), error), text.str()};
    bool matched = false;
    for (auto [name, storage] : storages(module)) {
      if (!storage || !pin->pattern.match(name))
        continue;
      matched = true;
      sharding::TensorSharding wanted{pin->dims, {}};
      for (sharding::DimSharding &dim : wanted.dims) {
        llvm::erase_if(dim, [&](const sharding::AxisRef &axis) { return !mesh.has(axis.name); });
        dim = dist::resolve(mesh, dim);
      }
      if (dist::makeSharding(module.getContext(), mesh, wanted) != storage)
        return {StringAttr::get(module.getContext(),
                                sharding::toString(sharding::TensorSharding{storage.getValue().dims, {}}, &mesh)),
                (dist::DistDialect::getStorageAttrName() + " of parameter " + name).str()};
    }
    if (!matched)
      return {nullptr, "parameter with a storage and such a name"};
  }
  return {given, ""};
}

OptionFact gradSyncFact(ModuleOp module, Attribute) {
  return {StringAttr::get(module.getContext(), "all_reduce"), "how gradients are joined"};
}

} // namespace modelpar::pipelines
