//===- StageCut.cpp - which pipeline stage each call runs in ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cost of calls, the cut (lib/Sharding's linear partition), and the check of stages that
// were decided or edited.
//
//===----------------------------------------------------------------------===//

#include "StageCut.h"

#include "PlacedOp.h"

#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"
#include "modelpar/Sharding/ContiguousCut.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

int64_t dist::numStages(const sharding::Mesh &mesh) { return mesh.size(sharding::kStageAxis); }

int64_t dist::stageOf(Operation *call) {
  auto stage = call->getAttrOfType<IntegerAttr>(DistDialect::getStageAttrName());
  return stage ? stage.getInt() : 0;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

static std::optional<CallRole> roleOf(StringRef &block) {
  constexpr std::pair<StringLiteral, CallRole> suffixes[] = {{".forward", CallRole::Forward},
                                                             {".backward_input", CallRole::BackwardInput},
                                                             {".backward_weight", CallRole::BackwardWeight},
                                                             {".update", CallRole::Update}};
  for (auto [suffix, role] : suffixes)
    if (block.consume_back(suffix))
      return role;
  // `@b.update.1` updates other operands than `@b.update`.
  auto [name, number] = block.rsplit(".update.");
  unsigned value = 0;
  if (number.getAsInteger(10, value))
    return std::nullopt;
  block = name;
  return CallRole::Update;
}

FailureOr<std::vector<BlockCall>> dist::readCalls(func::FuncOp step) {
  std::vector<BlockCall> calls;
  for (auto op : step.getOps<func::CallOp>()) {
    StringRef block = op.getCallee();
    std::optional<CallRole> role = roleOf(block);
    if (!role)
      return op.emitOpError()
             << "calls @" << op.getCallee()
             << ", expected a function named BLOCK.forward, BLOCK.backward_input, BLOCK.backward_weight or "
                "BLOCK.update";
    auto instance = op->getAttrOfType<IntegerAttr>("nn.instance");
    calls.push_back({op, *role, block, instance ? instance.getInt() : 0});
  }
  return calls;
}

/// For every call the index of its forward call (for an update: of the call that is the first to use its parameters,
/// which gave it its name). Calls of one block and instance have the same roles, and backward calls come in reverse
/// order.
static FailureOr<std::vector<size_t>> matchForward(ArrayRef<BlockCall> calls) {
  std::map<std::pair<StringRef, int64_t>, std::vector<size_t>> forward;
  for (auto [index, call] : llvm::enumerate(calls))
    if (call.role == CallRole::Forward)
      forward[{call.block, call.instance}].push_back(index);
  std::map<std::tuple<StringRef, int64_t, CallRole>, size_t> seen;
  std::vector<size_t> result;
  for (auto [index, call] : llvm::enumerate(calls)) {
    if (call.role == CallRole::Forward) {
      result.push_back(index);
      continue;
    }
    const std::vector<size_t> &candidates = forward[{call.block, call.instance}];
    size_t position = seen[{call.block, call.instance, call.role}]++;
    if (position >= candidates.size())
      return const_cast<BlockCall &>(call).op.emitOpError()
             << "has no forward call of block @" << call.block << ", instance " << call.instance;
    bool isUpdate = call.role == CallRole::Update;
    result.push_back(candidates[isUpdate ? position : candidates.size() - 1 - position]);
  }
  return result;
}

/// The calls, parameters and whatever else has no operands that reach an op through anything but calls: a gathered
/// parameter is still that parameter.
static llvm::SetVector<Operation *> findSources(Operation *op) {
  llvm::SetVector<Operation *> sources;
  llvm::DenseSet<Operation *> seen;
  SmallVector<Operation *> open{op};
  while (!open.empty())
    for (Value operand : open.pop_back_val()->getOperands()) {
      Operation *source = operand.getDefiningOp();
      if (!source || !seen.insert(source).second)
        continue;
      if (isa<func::CallOp>(source) || source->getNumOperands() == 0)
        sources.insert(source);
      else
        open.push_back(source);
    }
  return sources;
}

/// For every op of the step the parameters that reach it through anything but calls. One walk, because what reaches an
/// update includes the norm of all gradients.
static llvm::DenseMap<Operation *, SmallVector<ParameterUseOpInterface>> findParameters(func::FuncOp step) {
  llvm::DenseMap<Operation *, SmallVector<ParameterUseOpInterface>> reaching;
  for (Operation &op : step.getBody().front()) {
    llvm::SetVector<ParameterUseOpInterface> found;
    for (Value operand : op.getOperands()) {
      Operation *source = operand.getDefiningOp();
      if (!source || isa<func::CallOp>(source))
        continue;
      if (auto use = dyn_cast<ParameterUseOpInterface>(source); use && source->getNumOperands() == 0)
        found.insert(use);
      else if (auto known = reaching.find(source); known != reaching.end())
        found.insert(known->second.begin(), known->second.end());
    }
    if (!found.empty())
      reaching[&op] = found.takeVector();
  }
  return reaching;
}

llvm::MapVector<StringRef, std::set<int64_t>> dist::parameterStages(ArrayRef<BlockCall> calls) {
  llvm::MapVector<StringRef, std::set<int64_t>> stages;
  for (const BlockCall &call : calls) {
    if (call.role != CallRole::Forward)
      continue;
    for (Operation *source : findSources(func::CallOp(call.op)))
      if (auto use = dyn_cast<ParameterUseOpInterface>(source))
        stages[use.getParameter()].insert(stageOf(call.op));
  }
  return stages;
}

//===----------------------------------------------------------------------===//
// The cut
//===----------------------------------------------------------------------===//

/// Operations, or bytes at the rate of operations, of one op on the largest shard.
static double opTime(ShardingRuleOpInterface op, const sharding::Mesh &mesh, double flopsPerByte) {
  auto placed = PlacedOp::get(op, mesh);
  if (failed(placed))
    return 0;
  double flops = 0;
  if (auto cost = dyn_cast<CostOpInterface>(op.getOperation())) {
    flops = cost.getFlopsPerPoint();
    for (const sharding::Factor &factor : placed->rule().factors) {
      auto axes = placed->placement().find(factor.name);
      bool isWhole = axes == placed->placement().end() || factor.kind == sharding::FactorKind::Streamed;
      flops *= static_cast<double>(isWhole ? factor.size : sharding::maxShardExtent(factor.size, axes->second));
    }
  }
  double bytes = 0;
  auto add = [&](Value value, const sharding::TensorSharding &sharding) {
    auto type = cast<RankedTensorType>(value.getType());
    double size = type.getElementTypeBitWidth() / 8.0;
    for (int64_t extent : sharding::maxShardShape(type.getShape().vec(), sharding))
      size *= static_cast<double>(extent);
    bytes += size;
  };
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    add(operand, placed->operand(i));
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    add(result, placed->result(i));
  return std::max(flops, flopsPerByte * bytes);
}

/// Times of the forward calls, with those of their backward calls.
static std::vector<double> callTimes(ArrayRef<BlockCall> calls, ArrayRef<size_t> forwardOf, const sharding::Mesh &mesh,
                                     double flopsPerByte) {
  llvm::StringMap<double> functions;
  std::vector<double> times(calls.size(), 0);
  for (auto [index, call] : llvm::enumerate(calls)) {
    if (call.role == CallRole::Update) // Once per step, and elementwise.
      continue;
    func::CallOp op = call.op;
    auto [it, isNew] = functions.try_emplace(op.getCallee(), 0.0);
    if (auto callee =
            isNew ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, op.getCalleeAttr()) : func::FuncOp())
      callee.walk(
          [&, time = &it->second](ShardingRuleOpInterface inner) { *time += opTime(inner, mesh, flopsPerByte); });
    times[forwardOf[index]] += it->second;
  }
  return times;
}

LogicalResult dist::assignStages(func::FuncOp step, const sharding::Mesh &mesh, double flopsPerByte) {
  auto calls = readCalls(step);
  if (failed(calls))
    return failure();
  auto forwardOf = matchForward(*calls);
  if (failed(forwardOf))
    return failure();
  std::vector<double> all = callTimes(*calls, *forwardOf, mesh, flopsPerByte), times;
  std::vector<size_t> forward;
  for (auto [index, call] : llvm::enumerate(*calls))
    if (call.role == CallRole::Forward) {
      forward.push_back(index);
      times.push_back(all[index]);
    }
  const int64_t stages = numStages(mesh);
  if (static_cast<int64_t>(times.size()) < stages)
    return emitError(step.getLoc())
           << "pp=" << stages << " needs " << stages - 1 << " cut points, the model has "
           << std::max<int64_t>(static_cast<int64_t>(times.size()) - 1, 0) << ": it can be cut between its "
           << times.size()
           << " blocks, and every stage needs one of its own (blocks are split where a single tensor crosses)";
  std::vector<int> cut = sharding::cutContiguous(times, static_cast<int>(stages));
  Builder builder(step.getContext());
  auto setStage = [&](func::CallOp op, int64_t stage) {
    op->setAttr(DistDialect::getStageAttrName(), builder.getI64IntegerAttr(stage));
  };
  for (auto [index, stage] : llvm::zip_equal(forward, cut))
    setStage((*calls)[index].op, stage);
  for (auto [index, call] : llvm::enumerate(*calls))
    if (call.role != CallRole::Forward)
      setStage(call.op, stageOf((*calls)[(*forwardOf)[index]].op));
  return success();
}

//===----------------------------------------------------------------------===//
// The check
//===----------------------------------------------------------------------===//

static LogicalResult verifyFlow(const BlockCall &call) {
  func::CallOp op = call.op;
  for (Operation *source : findSources(op))
    if (isa<func::CallOp>(source) && stageOf(source) > stageOf(op)) {
      InFlightDiagnostic error = op.emitOpError()
                                 << "runs in stage " << stageOf(op) << " and uses a result of stage " << stageOf(source)
                                 << ", expected activations to flow to later stages";
      error.attachNote(source->getLoc()) << "the result is made here";
      return error;
    }
  return success();
}

LogicalResult dist::verifyStages(func::FuncOp step, const sharding::Mesh &mesh) {
  const int64_t stages = numStages(mesh);
  if (stages == 1)
    return success();
  auto calls = readCalls(step);
  if (failed(calls))
    return failure();
  auto forwardOf = matchForward(*calls);
  if (failed(forwardOf))
    return failure();
  std::set<int64_t> used;
  for (BlockCall &call : *calls) {
    auto stage = call.op->getAttrOfType<IntegerAttr>(DistDialect::getStageAttrName());
    if (!stage || stage.getInt() < 0 || stage.getInt() >= stages)
      return call.op.emitOpError() << "expected attribute \"" << DistDialect::getStageAttrName() << "\" from 0 to "
                                   << stages - 1 << ", found "
                                   << (stage ? Attribute(stage) : StringAttr::get(step.getContext(), "none"));
    if (call.role == CallRole::Forward)
      used.insert(stage.getInt());
  }
  for (int64_t stage = 0; stage < stages; ++stage)
    if (!used.count(stage))
      return step.emitOpError() << "has no forward call of stage " << stage << ", expected every one of the " << stages
                                << " stages to have one";
  llvm::MapVector<StringRef, std::set<int64_t>> uses = parameterStages(*calls);
  auto parameters = findParameters(step);
  for (auto [index, call] : llvm::enumerate(*calls)) {
    if (call.role == CallRole::Forward) {
      if (failed(verifyFlow(call)))
        return failure();
      continue;
    }
    int64_t expected = stageOf((*calls)[(*forwardOf)[index]].op);
    if (call.role != CallRole::Update) {
      if (stageOf(call.op) != expected)
        return call.op.emitOpError() << "runs in stage " << stageOf(call.op) << ", its forward call in stage "
                                     << expected;
      continue;
    }
    for (ParameterUseOpInterface use : parameters.lookup(call.op)) {
      auto found = uses.find(use.getParameter());
      if (found != uses.end() && stageOf(call.op) != *found->second.begin())
        return call.op.emitOpError() << "runs in stage " << stageOf(call.op)
                                     << ", the first stage that uses parameter @" << use.getParameter() << " is "
                                     << *found->second.begin();
    }
  }
  return success();
}
