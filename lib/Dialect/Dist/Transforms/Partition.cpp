//===- Partition.cpp - sharded types and the reshards between them --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk over each function writes the types that placements ask for. Where a
// value lives otherwise than its reader needs it, a reshard stands after its
// definition. The step has one more thing: what leaves the micro-batch loop.
//
//===----------------------------------------------------------------------===//

#include "PlacedOp.h"
#include "StageCut.h"
#include "StageParts.h"
#include "StepLoop.h"

#include "modelpar/Dialect/Dist/Transforms/Passes.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::TensorSharding;

namespace modelpar::dist {
#define GEN_PASS_DEF_DISTPARTITION
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

/// What functions look up in the module.
struct ModuleContext {
  sharding::Mesh mesh;
  SumPolicy sums;
  llvm::StringMap<func::FuncOp> functions;
  llvm::StringMap<ShardingAttr> storage;
};

class FunctionPartitioner {
public:
  FunctionPartitioner(func::FuncOp function, const ModuleContext &module)
      : function(function), module(module), mesh(module.mesh), builder(function.getContext()) {}

  LogicalResult run();

private:
  LogicalResult partition(Operation &op);
  LogicalResult partitionCompute(ShardingRuleOpInterface op);
  LogicalResult partitionSum(ShardingRuleOpInterface op, const PlacedOp &placed);
  LogicalResult partitionCall(func::CallOp call);
  LogicalResult partitionReturn(func::ReturnOp op);
  LogicalResult partitionParameterUse(ParameterUseOpInterface op);
  LogicalResult partitionStageParts(StagePartsOp op);

  void orderStep();
  LogicalResult leaveLoop();

  /// The operand's value under the sharding, through a reshard where that is another one.
  LogicalResult coerce(OpOperand &operand, const TensorSharding &target);
  TensorSharding shardingOf(Value value) const { return getSharding(mesh, cast<RankedTensorType>(value.getType())); }
  void setSharding(Value value, const TensorSharding &sharding) {
    value.setType(withSharding(cast<RankedTensorType>(value.getType()), mesh, sharding));
  }
  /// Behind the definition, and behind what was put there before.
  void setInsertionPointAfter(Value value);
  /// Results of one op share their place, as do all arguments.
  static void *anchor(Value value) {
    Operation *definition = value.getDefiningOp();
    return definition ? static_cast<void *>(definition) : value.getParentBlock();
  }
  template <typename T> T placedAfter(Value value, T op) {
    lastAfter[anchor(value)] = op;
    return op;
  }

  func::FuncOp function;
  const ModuleContext &module;
  const sharding::Mesh &mesh;
  OpBuilder builder;
  llvm::DenseMap<std::pair<Value, Attribute>, Value> reshards;
  llvm::DenseMap<void *, Operation *> lastAfter;
  // Of @step: the first op after the loop, and the values that leave the loop, in the order of their first reader
  // there.
  Operation *afterLoop = nullptr;
  llvm::SetVector<Value> gradients, outputs;
  StageGroups stageGroups;
};

} // namespace

//===----------------------------------------------------------------------===//
// Reshards
//===----------------------------------------------------------------------===//

void FunctionPartitioner::setInsertionPointAfter(Value value) {
  if (Operation *last = lastAfter.lookup(anchor(value)))
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointAfterValue(value);
}

LogicalResult FunctionPartitioner::coerce(OpOperand &operand, const TensorSharding &target) {
  Value value = operand.get();
  auto type = cast<RankedTensorType>(value.getType());
  ShardingAttr attr = makeSharding(builder.getContext(), mesh, target);
  if (getSharding(type) == attr)
    return success();
  Value &resharded = reshards[{value, attr}];
  if (!resharded) {
    sharding::ReshardPath path = sharding::findReshardPath(mesh, type.getShape().vec(), shardingOf(value), target);
    if (!path.error.empty()) {
      auto isTime = [](const sharding::PartialAxis &axis) { return axis.axis.name == sharding::kMicroBatchAxis; };
      bool isSum = llvm::any_of(shardingOf(value).partial, isTime) && llvm::none_of(target.partial, isTime);
      InFlightDiagnostic diagnostic = operand.getOwner()->emitOpError() << "operand " << operand.getOperandNumber();
      if (isSum)
        diagnostic << " is a sum over the whole batch, and the batch is split over " << mesh.numMicroBatches()
                   << " micro-batches: expected one micro-batch";
      else
        diagnostic << ": " << path.error;
      diagnostic.attachNote(value.getLoc()) << "the value is defined here";
      return diagnostic;
    }
    setInsertionPointAfter(value);
    resharded = placedAfter(value, ReshardOp::create(builder, value.getLoc(), withSharding(type, attr), value));
  }
  operand.set(resharded);
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult FunctionPartitioner::partitionCompute(ShardingRuleOpInterface op) {
  auto placed = PlacedOp::get(op, mesh);
  if (failed(placed))
    return failure();
  std::vector<Partials> partials;
  for (Value operand : op->getOperands())
    partials.push_back(shardingOf(operand).partial);
  Partials passed = placed->passByPolicy(partials, module.sums);
  for (OpOperand &operand : op->getOpOperands()) {
    TensorSharding target = placed->operand(operand.getOperandNumber());
    llvm::copy_if(partials[operand.getOperandNumber()], std::back_inserter(target.partial),
                  [&](const auto &axis) { return llvm::is_contained(passed, axis); });
    if (failed(coerce(operand, target)))
      return failure();
  }
  if (op.isSumOverOperands())
    return partitionSum(op, *placed);
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    setSharding(result, placed->result(i, passed));
  return success();
}

/// A sum over operands counts every element once only when all its operands are sharded over the same axes: one op per
/// set of axes, each reduced, then added.
LogicalResult FunctionPartitioner::partitionSum(ShardingRuleOpInterface op, const PlacedOp &placed) {
  if (op->getNumResults() != 1)
    return op->emitOpError() << "is a sum over operands with " << op->getNumResults() << " results, expected one";
  std::vector<std::pair<sharding::DimSharding, std::vector<unsigned>>> groups;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    sharding::DimSharding axes = shardedAxes(mesh, placed.operand(i));
    auto it = llvm::find_if(groups, [&](const auto &group) { return group.first == axes; });
    if (it == groups.end())
      it = groups.insert(groups.end(), {axes, {}});
    it->second.push_back(i);
  }
  if (groups.size() <= 1) {
    setSharding(op->getResult(0), placed.result(0));
    return success();
  }

  builder.setInsertionPoint(op);
  std::vector<Value> parts;
  for (const auto &[axes, members] : groups) {
    ShardingRuleOpInterface part = placed.buildPartOfSum(builder, members);
    auto placedPart = PlacedOp::get(part, mesh);
    if (failed(placedPart))
      return failure();
    setSharding(part->getResult(0), placedPart->result(0));
    parts.push_back(part->getResult(0));
  }
  Operation *sum = op.buildSumOfResults(builder, parts);
  if (!sum)
    return op->emitOpError() << "is a sum over operands but cannot add its parts";
  sum->setAttr(DistDialect::getPlacementAttrName(), makePlacement(builder.getContext(), mesh, {}));
  op->getResult(0).replaceAllUsesWith(sum->getResult(0));
  op->erase();
  return partitionCompute(cast<ShardingRuleOpInterface>(sum));
}

LogicalResult FunctionPartitioner::partitionCall(func::CallOp call) {
  func::FuncOp callee = module.functions.lookup(call.getCallee());
  if (!callee)
    return call.emitOpError() << "unknown callee @" << call.getCallee();
  for (auto [operand, type] : llvm::zip_equal(call->getOpOperands(), callee.getArgumentTypes()))
    if (failed(coerce(operand, getSharding(mesh, cast<RankedTensorType>(type)))))
      return failure();
  for (auto [result, type] : llvm::zip_equal(call.getResults(), callee.getResultTypes()))
    result.setType(type);
  return success();
}

LogicalResult FunctionPartitioner::partitionReturn(func::ReturnOp op) {
  for (auto [operand, type] : llvm::zip_equal(op->getOpOperands(), function.getResultTypes()))
    if (failed(coerce(operand, getSharding(mesh, cast<RankedTensorType>(type)))))
      return failure();
  return success();
}

LogicalResult FunctionPartitioner::partitionParameterUse(ParameterUseOpInterface op) {
  ShardingAttr storage = module.storage.lookup(op.getParameter());
  if (!storage)
    return op->emitOpError() << "parameter @" << op.getParameter() << " has no " << DistDialect::getStorageAttrName();
  Value value = op.getParameterValue();
  if (value.getDefiningOp() == op.getOperation()) {
    value.setType(withSharding(cast<RankedTensorType>(value.getType()), storage));
    return success();
  }
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == value && failed(coerce(operand, resolve(mesh, storage))))
      return failure();
  return success();
}

/// Each part is made whole within its stage, then the stages' parts are joined right away.
LogicalResult FunctionPartitioner::partitionStageParts(StagePartsOp op) {
  TensorSharding whole = TensorSharding::replicated(cast<RankedTensorType>(op.getResult().getType()).getRank());
  for (Value part : op.getParts())
    whole.dims = shardingOf(part).dims;
  for (OpOperand &operand : op->getOpOperands())
    if (failed(coerce(operand, whole)))
      return failure();
  TensorSharding partial = whole;
  sharding::AxisRef group = stageGroups.lookup(op);
  partial.partial = {{group, sharding::ReduceKind::Sum}};
  setSharding(op.getResult(), partial);
  builder.setInsertionPointAfter(op);
  auto joined = AllReduceOp::create(
      builder, op.getLoc(), TypeRange{withSharding(cast<RankedTensorType>(op.getResult().getType()), mesh, whole)},
      ValueRange{op.getResult()}, makeAxes(builder.getContext(), mesh, {group}), ReduceKind::Sum);
  op.getResult().replaceAllUsesExcept(joined.getOutputs().front(), joined);
  lastAfter[op] = joined;
  return success();
}

LogicalResult FunctionPartitioner::partition(Operation &op) {
  if (auto parts = dyn_cast<StagePartsOp>(op))
    return partitionStageParts(parts);
  if (isa<DistDialect>(op.getDialect())) // Made by us, with its types.
    return success();
  if (auto compute = dyn_cast<ShardingRuleOpInterface>(op))
    return partitionCompute(compute);
  if (auto call = dyn_cast<func::CallOp>(op))
    return partitionCall(call);
  if (auto ret = dyn_cast<func::ReturnOp>(op))
    return partitionReturn(ret);
  if (auto use = dyn_cast<ParameterUseOpInterface>(op))
    return partitionParameterUse(use);
  return op.emitOpError() << "has no sharding rule";
}

//===----------------------------------------------------------------------===//
// The step: what leaves the micro-batch loop
//===----------------------------------------------------------------------===//

/// What depends on a parameter's gradient and makes none happens after the loop; those ops are moved behind the others.
/// Gradients leave the loop, and so do returned values that are computed in it.
void FunctionPartitioner::orderStep() {
  Block &block = function.getBody().front();
  StepLoop loop(function);
  gradients = loop.gradients();
  llvm::DenseSet<Operation *> after;
  std::vector<Operation *> order;
  for (Operation &op : block.without_terminator()) {
    bool depends = llvm::any_of(op.getOperands(), [&](Value operand) {
      return gradients.contains(operand) || after.contains(operand.getDefiningOp());
    });
    if (!depends || loop.contains(&op))
      continue;
    after.insert(&op);
    order.push_back(&op);
  }
  Operation *terminator = block.getTerminator();
  for (Operation *op : order)
    op->moveBefore(terminator);
  afterLoop = order.empty() ? terminator : order.front();
  for (Value value : terminator->getOperands())
    if (!gradients.contains(value) && value.getDefiningOp() && !after.contains(value.getDefiningOp()))
      outputs.insert(value);
}

/// Accumulates over time right after each definition; then one all_reduce per set of axes joins the gradients, and one
/// the outputs.
LogicalResult FunctionPartitioner::leaveLoop() {
  Block &block = function.getBody().front();
  for (bool gradient : {true, false}) {
    // Values by the axes that they are still partial over.
    std::vector<std::pair<sharding::DimSharding, std::vector<Value>>> groups;
    for (Value value : gradient ? gradients : outputs) {
      auto type = cast<RankedTensorType>(value.getType());
      TensorSharding sharding = shardingOf(value);
      llvm::erase_if(sharding.partial, [](const auto &axis) { return axis.axis.name == sharding::kMicroBatchAxis; });
      Type element = type.getElementType().isF64() ? type.getElementType() : builder.getF32Type();
      auto wholeType = withSharding(RankedTensorType::get(type.getShape(), element), mesh, sharding);
      setInsertionPointAfter(value);
      Value sum = placedAfter(value, AccumulateOp::create(builder, value.getLoc(), wholeType, ValueRange{value}));
      // Readers after the loop see the sum.
      value.replaceUsesWithIf(sum, [&](OpOperand &use) {
        Operation *owner = use.getOwner();
        return owner->getBlock() == &block && owner != sum.getDefiningOp() &&
               (owner == afterLoop || afterLoop->isBeforeInBlock(owner));
      });
      sharding::DimSharding axes;
      for (const sharding::PartialAxis &axis : sharding.partial)
        if (axis.kind == sharding::ReduceKind::Sum)
          axes.push_back(axis.axis);
      if (axes.empty())
        continue;
      auto it = llvm::find_if(groups, [&](const auto &group) { return group.first == axes; });
      if (it == groups.end())
        it = groups.insert(groups.end(), {axes, {}});
      it->second.push_back(sum);
    }
    for (auto &[axes, values] : groups) {
      SmallVector<Type> types;
      for (Value value : values) {
        TensorSharding sharding = shardingOf(value);
        llvm::erase_if(sharding.partial, [&](const auto &axis) { return llvm::is_contained(axes, axis.axis); });
        types.push_back(withSharding(cast<RankedTensorType>(value.getType()), mesh, sharding));
      }
      builder.setInsertionPoint(afterLoop);
      auto reduce = AllReduceOp::create(builder, values.front().getLoc(), types, values,
                                        makeAxes(builder.getContext(), mesh, axes), ReduceKind::Sum);
      for (auto [value, reduced] : llvm::zip_equal(values, reduce.getOutputs()))
        value.replaceAllUsesExcept(reduced, reduce);
    }
  }
  return success();
}

LogicalResult FunctionPartitioner::run() {
  bool isStep = function.getName() == kStepFunction;
  if (isStep) {
    if (failed(verifyStages(function, mesh)) || failed(splitOverStages(function, mesh, stageGroups)))
      return failure();
    orderStep();
  }
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    if (&op == afterLoop && failed(leaveLoop()))
      return failure();
    if (failed(partition(op)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The function's type under the shardings of its arguments and results, which then say no more than it.
static LogicalResult setFunctionType(func::FuncOp function, const sharding::Mesh &mesh) {
  StringRef name = DistDialect::getShardingAttrName();
  auto sharded = [&](Type type, ShardingAttr attr, const char *what, unsigned index) -> FailureOr<Type> {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !attr)
      return function.emitOpError() << what << " " << index << " of type " << type << " has no " << name;
    if (auto error = sharding::validate(mesh, tensor.getShape().vec(), resolve(mesh, attr)))
      return function.emitOpError() << what << " " << index << ": " << *error;
    return withSharding(tensor, attr);
  };
  SmallVector<Type> arguments, results;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto result = sharded(type, function.getArgAttrOfType<ShardingAttr>(i, name), "argument", i);
    if (failed(result))
      return failure();
    arguments.push_back(*result);
    function.getArgument(i).setType(*result);
    function.removeArgAttr(i, name);
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto result = sharded(type, function.getResultAttrOfType<ShardingAttr>(i, name), "result", i);
    if (failed(result))
      return failure();
    results.push_back(*result);
    function.removeResultAttr(i, StringAttr::get(function.getContext(), name));
  }
  function.setFunctionType(FunctionType::get(function.getContext(), arguments, results));
  return success();
}

namespace {

struct DistPartition : dist::impl::DistPartitionBase<DistPartition> {
  using DistPartitionBase::DistPartitionBase;

  LogicalResult partition(ModuleOp op) {
    if (gradSync != "all_reduce")
      return emitError(op.getLoc()) << "grad-sync=" << gradSync << " is not supported yet, expected all_reduce";
    MeshAttr mesh = getMesh(op);
    if (!mesh)
      return emitError(op.getLoc()) << "needs attribute " << DistDialect::getMeshAttrName() << " (phase sharded)";
    ModuleContext context{mesh.getValue(), getSumPolicy(op, mesh.getValue()), {}, {}};
    for (Operation &inner : op.getOps()) {
      if (auto function = dyn_cast<func::FuncOp>(inner)) {
        if (!function.getBody().hasOneBlock())
          return function.emitOpError() << "expected a body of one block";
        if (failed(setFunctionType(function, context.mesh)))
          return failure();
        context.functions[function.getName()] = function;
      } else if (isa<ParameterOpInterface>(inner)) {
        context.storage[SymbolTable::getSymbolName(&inner).getValue()] =
            inner.getAttrOfType<ShardingAttr>(DistDialect::getStorageAttrName());
      }
    }
    for (auto function : op.getOps<func::FuncOp>())
      if (failed(FunctionPartitioner(function, context).run()))
        return failure();
    return success();
  }

  void runOnOperation() override {
    if (failed(partition(getOperation())))
      signalPassFailure();
  }
};

} // namespace
