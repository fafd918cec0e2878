//===- AssignPlacements.cpp - mesh axes on factors ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The simple rule: the batch over dp and mb, the sequence over cp (ContextParallel.h), then
// pins, then tp on the compatible factor classes with the most matrix work (TensorParallel.h).
// It decides per class, so a forward op, its gradients and the update of its parameters always
// agree. Last, where that leaves tp idle, the sequence gets it (SequenceParallel.h).
//
//===----------------------------------------------------------------------===//

#include "ContextParallel.h"
#include "FactorClasses.h"
#include "Pins.h"
#include "SequenceParallel.h"
#include "StageCut.h"
#include "TensorParallel.h"
#include "WritePlacements.h"

#include "modelpar/Dialect/Dist/Transforms/Passes.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::DimSharding;
using sharding::TensorSharding;

namespace modelpar::dist {
#define GEN_PASS_DEF_DISTASSIGNPLACEMENTS
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

/// Every axis a mesh may have, in the mesh's order.
constexpr StringLiteral kAxisNames[] = {"mb", "pp", "dp", "cp", "ep", "tp"};

class Assigner {
public:
  Assigner(ModuleOp module, const sharding::Mesh &mesh, const FactorClasses &classes)
      : module(module), mesh(mesh), classes(classes), placed(classes), axes(placed.axes), origins(placed.origins) {}

  LogicalResult placeBatch();
  LogicalResult placeContext();
  LogicalResult placePins(ArrayRef<std::string> pins);
  void placeTensorParallel() { tensorParallel = dist::placeTensorParallel(module, mesh, placed); }
  void placeSequence();
  LogicalResult write() {
    return writePlacements(module, mesh, placed, {summedAxes, tensorParallel.shared}, sequence ? &*sequence : nullptr);
  }
  int64_t globalBatch() const { return batchSize; }
  bool isSequenceParallel() const { return sequence.has_value(); }
  const DimSharding &splitBatchOver() const { return batchAxes; }
  const DimSharding &sumOver() const { return summedAxes; }
  const DimSharding &sharedAxes() const { return tensorParallel.shared; }

private:
  LogicalResult place(const Pin &pin, StringRef name, const FactorClasses::Parameter &parameter);

  ModuleOp module;
  func::FuncOp step;
  const sharding::Mesh &mesh;
  const FactorClasses &classes;
  ClassAxes placed;
  std::vector<DimSharding> &axes; ///< Those of `placed`.
  std::vector<std::string> &origins;
  DimSharding batchAxes;
  DimSharding summedAxes; ///< The batch's, and the sequence's: what is summed over them leaves its function partial.
  std::set<int> sequenceIds;
  int64_t batchSize = 0;
  TensorParallelAxes tensorParallel;
  std::optional<SequenceParallel> sequence;
};

} // namespace

//===----------------------------------------------------------------------===//
// Batch
//===----------------------------------------------------------------------===//

LogicalResult Assigner::placeBatch() {
  step = module.lookupSymbol<func::FuncOp>(kStepFunction);
  if (!step)
    return emitError(module.getLoc()) << "expected a function @" << kStepFunction;
  FailureOr<std::set<int>> found = findSequence(step, classes);
  if (failed(found))
    return failure();
  sequenceIds = std::move(*found);
  if (sequenceIds.empty() && mesh.has(kContextAxis))
    emitWarning(module.getLoc()) << "no input has nn.seq_dim, so there is no sequence for \"" << kContextAxis
                                 << "\" to split: it splits the batch, as \"dp\" does";
  for (StringRef name : {StringRef("dp"), StringRef(kContextAxis), StringRef("mb")})
    if (mesh.has(name) && (name != kContextAxis || sequenceIds.empty()))
      batchAxes.push_back(mesh.axis(name));
  summedAxes = batchAxes;
  for (BlockArgument argument : step.getArguments()) {
    auto dim = step.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "nn.batch_dim");
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!dim || !type)
      continue;
    if (dim.getInt() < 0 || dim.getInt() >= type.getRank())
      return step.emitOpError() << "nn.batch_dim " << dim.getInt() << " on argument " << argument.getArgNumber()
                                << " of type " << type;
    int64_t size = type.getDimSize(dim.getInt());
    if (batchSize && size != batchSize)
      return step.emitOpError() << "argument " << argument.getArgNumber() << " has a batch of " << size
                                << ", other inputs have one of " << batchSize;
    batchSize = size;
    int id = classes.classOf(argument, dim.getInt());
    if (batchAxes.empty()) {
      origins[id] = kBatchOrigin; // Whole, and not for tp to take: that would be data parallelism under another name.
      continue;
    }
    if (!classes.whyWhole(id).empty())
      return step.emitOpError() << "the batch dimension of argument " << argument.getArgNumber()
                                << " cannot be split: " << classes.whyWhole(id);
    axes[id] = batchAxes;
    origins[id] = kBatchOrigin;
    if (std::string why = placed.whyConflict(id); !why.empty())
      return step.emitOpError() << "the batch dimension of argument " << argument.getArgNumber()
                                << " cannot be split: " << why;
  }
  if (!batchSize && !batchAxes.empty())
    return step.emitOpError() << "no input has nn.batch_dim, so there is nothing to split over "
                              << sharding::toString(batchAxes.front(), &mesh);
  if (batchAxes.empty())
    return success();
  for (const auto &[name, parameter] : classes.parameters())
    for (int d = 0; d < parameter.type.getRank(); ++d)
      if (origins[classes.classOf(parameter, d)] == kBatchOrigin)
        return parameter.op->emitOpError() << "dimension " << d << " of parameter \"" << name
                                           << "\" is the batch dimension, which is split over micro-batches";
  return success();
}

//===----------------------------------------------------------------------===//
// Context parallelism
//===----------------------------------------------------------------------===//

LogicalResult Assigner::placeContext() {
  if (!mesh.has(kContextAxis) || sequenceIds.empty())
    return success();
  AxisRef cp = mesh.axis(kContextAxis);
  if (failed(checkSequenceSplits(step, classes, sequenceIds, cp)))
    return failure();
  const std::set<int> balanced = chooseBalanced(step, classes, sequenceIds, cp);
  for (int id : sequenceIds) {
    if (!origins[id].empty())
      return step.emitOpError() << "the batch dimension of an input is the sequence of another, which \"" << cp.name
                                << "\" splits";
    axes[id] = {cp};
    axes[id].front().balanced = balanced.count(id) != 0;
    origins[id] = "the sequence";
    if (std::string why = placed.whyConflict(id); !why.empty())
      return step.emitOpError() << "the sequence cannot be split over \"" << cp.name << "\": " << why;
  }
  summedAxes.push_back(cp);
  return success();
}

//===----------------------------------------------------------------------===//
// Pins
//===----------------------------------------------------------------------===//

LogicalResult Assigner::placePins(ArrayRef<std::string> pins) {
  bool ok = true;
  for (const std::string &text : pins) {
    std::string error;
    std::optional<Pin> pin = parsePin(text, error);
    if (!pin) {
      emitError(module.getLoc()) << error;
      ok = false;
      continue;
    }
    // Axes of size 1 are not in the mesh: nothing is split over them.
    for (auto [d, dim] : llvm::enumerate(pin->dims)) {
      for (const AxisRef &axis : dim) {
        bool known = llvm::is_contained(kAxisNames, StringRef(axis.name)) && axis.name != sharding::kMicroBatchAxis &&
                     axis.name != sharding::kStageAxis;
        if (known && (!mesh.has(axis.name) || mesh.isValid(resolve(mesh, axis))))
          continue;
        emitError(module.getLoc()) << "pin '" << text << "': dimension " << d << ": the mesh has no axis "
                                   << sharding::toString(axis, &mesh) << " for parameters";
        ok = false;
      }
      llvm::erase_if(dim, [&](const AxisRef &axis) { return !mesh.has(axis.name); });
      dim = resolve(mesh, dim);
    }
    if (!ok)
      continue;
    bool matched = false;
    for (const auto &[name, parameter] : classes.parameters()) {
      if (!pin->pattern.match(name))
        continue;
      matched = true;
      if (failed(place(*pin, name, parameter))) {
        ok = false;
        break; // The other layers would say the same.
      }
    }
    if (!matched) {
      emitError(module.getLoc()) << "pin '" << text << "': no parameter has such a name";
      ok = false;
    }
  }
  return success(ok);
}

LogicalResult Assigner::place(const Pin &pin, StringRef name, const FactorClasses::Parameter &parameter) {
  auto fail = [&](int dim) {
    InFlightDiagnostic diagnostic = parameter.op->emitOpError();
    diagnostic << "pin '" << pin.text << "': parameter \"" << name << "\"";
    if (dim >= 0)
      diagnostic << ", dimension " << dim << " of size " << parameter.type.getDimSize(dim);
    diagnostic << ": ";
    return diagnostic;
  };
  if (static_cast<int64_t>(pin.dims.size()) != parameter.type.getRank())
    return fail(-1) << "has " << parameter.type.getRank() << " dimensions, the pin has " << pin.dims.size();
  for (auto [d, wanted] : llvm::enumerate(pin.dims)) {
    int dim = static_cast<int>(d), id = classes.classOf(parameter, dim);
    if (!origins[id].empty() && axes[id] != wanted)
      return fail(dim) << "contradicts " << origins[id] << ", which placed the same factor otherwise";
    bool decided = !origins[id].empty();
    if (decided)
      continue;
    if (!wanted.empty() && !classes.whyWhole(id).empty())
      return fail(dim) << "cannot be split over " << sharding::toString(TensorSharding{{wanted}, {}}, &mesh) << ": "
                       << classes.whyWhole(id);
    axes[id] = wanted;
    origins[id] = "pin '" + pin.text + "'";
    if (std::string why = placed.whyConflict(id); !why.empty())
      return fail(dim) << "cannot be split over " << sharding::toString(TensorSharding{{wanted}, {}}, &mesh) << ": "
                       << why;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Sequence parallelism
//===----------------------------------------------------------------------===//

void Assigner::placeSequence() {
  if (sequenceIds.empty()) {
    emitWarning(module.getLoc())
        << "no input has nn.seq_dim, so there is no sequence for sequence parallelism to split";
    return;
  }
  if (!mesh.has("tp"))
    return; // It shares the ranks of tensor parallelism: there are none.
  sequence.emplace(classes, axes, sequenceIds, mesh, tensorParallel.parts);
  sequence->place(module);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct DistAssignPlacements : dist::impl::DistAssignPlacementsBase<DistAssignPlacements> {
  using DistAssignPlacementsBase::DistAssignPlacementsBase;

  LogicalResult checkOptions(ModuleOp module) {
    if (ep > 1)
      return emitError(module.getLoc()) << "expert parallelism (ep=" << int64_t(ep) << ") is not supported yet";
    for (auto [name, size] : {std::pair<const char *, int64_t>{"pp", pp},
                              {"cp", cp},
                              {"ep", ep},
                              {"dp", dp},
                              {"tp", tp},
                              {"micro-batches", microBatches}})
      if (size < 1)
        return emitError(module.getLoc()) << name << "=" << size << ", expected at least 1";
    return success();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(checkOptions(module)))
      return signalPassFailure();
    std::vector<sharding::MeshAxis> meshAxes;
    const int64_t sizes[] = {microBatches, pp, dp, cp, ep, tp};
    for (auto [name, size] : llvm::zip_equal(kAxisNames, sizes))
      if (size > 1)
        meshAxes.push_back({name.str(), size});
    sharding::Mesh mesh(std::move(meshAxes));
    auto classes = FactorClasses::build(module);
    if (failed(classes))
      return signalPassFailure();
    // Ops are checked against the mesh as their placements are written.
    auto attr = MeshAttr::getChecked([&] { return module.emitError(); }, &getContext(), mesh);
    if (!attr)
      return signalPassFailure();
    module->setAttr(DistDialect::getMeshAttrName(), attr);
    Assigner assigner(module, mesh, *classes);
    if (failed(assigner.placeBatch()) || failed(assigner.placeContext()) ||
        failed(assigner.placePins(std::vector<std::string>(pins.begin(), pins.end()))))
      return signalPassFailure();
    assigner.placeTensorParallel();
    if (sp)
      assigner.placeSequence();
    if (failed(assigner.write()))
      return signalPassFailure();
    // Placements are there, so the time of every call is known.
    if (pp > 1 && failed(assignStages(module.lookupSymbol<func::FuncOp>(kStepFunction), mesh, flopsPerByte)))
      return signalPassFailure();
    module->setAttr(DistDialect::getBatchAxesAttrName(), makeAxes(&getContext(), mesh, assigner.sumOver()));
    if (!assigner.sharedAxes().empty())
      module->setAttr(kSharedAxesAttr, makeAxes(&getContext(), mesh, assigner.sharedAxes()));
    recordOptions(module, assigner);
    if (assigner.isSequenceParallel())
      module->setAttr("dist.sequence_parallel", UnitAttr::get(&getContext()));
  }

  /// What later phases need, so that a resumed file needs no option again.
  void recordOptions(ModuleOp module, const Assigner &assigner) {
    Builder builder(&getContext());
    module->setAttr("dist.global_batch", builder.getI64IntegerAttr(assigner.globalBatch()));
    module->setAttr("dist.micro_batch", builder.getI64IntegerAttr(sharding::maxShardExtent(assigner.globalBatch(),
                                                                                           assigner.splitBatchOver())));
    module->setAttr("dist.num_micro_batches", builder.getI64IntegerAttr(microBatches));
    module->setAttr("dist.schedule", builder.getStringAttr(schedule));
  }
};

} // namespace
