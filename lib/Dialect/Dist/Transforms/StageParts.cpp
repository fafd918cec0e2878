//===- StageParts.cpp - sums over pipeline stages in @step ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits sums by the stage of their operands: first the gradients of shared parameters, then
// the sum of squares, in which such a gradient counts on the stage that owns the parameter.
//
//===----------------------------------------------------------------------===//

#include "StageParts.h"

#include "PlacedOp.h"
#include "StageCut.h"
#include "StepLoop.h"

#include "modelpar/Interfaces/ParameterOpInterface.h"

#include <map>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

namespace {

class Splitter {
public:
  Splitter(func::FuncOp step, const sharding::Mesh &mesh, StageGroups &groups)
      : step(step), mesh(mesh), groups(groups), loop(step), builder(step.getContext()) {}

  LogicalResult run() {
    auto calls = readCalls(step);
    if (failed(calls))
      return failure();
    llvm::MapVector<StringRef, std::set<int64_t>> stages = parameterStages(*calls);
    SmallVector<ParameterUseOpInterface> gradients;
    SmallVector<ShardingRuleOpInterface> sums;
    for (Operation &op : step.getBody().front()) {
      if (auto use = dyn_cast<ParameterUseOpInterface>(op); use && use.isGradient())
        gradients.push_back(use);
      if (auto sum = dyn_cast<ShardingRuleOpInterface>(op); sum && sum.isSumOverOperands())
        sums.push_back(sum);
    }
    for (ParameterUseOpInterface use : gradients)
      if (failed(splitGradient(use, stages[use.getParameter()])))
        return failure();
    for (ShardingRuleOpInterface sum : sums)
      if (failed(splitSumOverOperands(sum)))
        return failure();
    for (auto op : llvm::make_early_inc_range(step.getBody().front().getOps<ShardingRuleOpInterface>()))
      if (loop.contains(op) && failed(chainSum(op)))
        return failure();
    return success();
  }

private:
  using ByStage = std::map<int64_t, SmallVector<unsigned>>;

  /// The stage where a value is made: of its call; of what is made of several values, the earliest stage (gradients
  /// flow to earlier ones).
  int64_t stageOfValue(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return 0;
    if (auto group = groups.find(op); group != groups.end())
      return group->second.subset.empty() ? 0 : group->second.subset.front();
    if (isa<func::CallOp>(op))
      return stageOf(op);
    auto [it, isNew] = stagesOf.try_emplace(op, 0);
    if (!isNew)
      return it->second;
    std::optional<int64_t> stage;
    for (Value operand : op->getOperands())
      stage = std::min(stage.value_or(stageOfValue(operand)), stageOfValue(operand));
    return stagesOf[op] = stage.value_or(0);
  }

  ByStage byStage(OperandRange values) {
    ByStage members;
    for (auto [i, value] : llvm::enumerate(values))
      members[stageOfValue(value)].push_back(static_cast<unsigned>(i));
    return members;
  }

  Value buildParts(Operation *before, Type type, const std::map<int64_t, Value> &parts,
                   const std::set<int64_t> &stages) {
    SmallVector<Value> values;
    SmallVector<int64_t> indices;
    for (auto [stage, value] : parts) {
      indices.push_back(stage);
      values.push_back(value);
    }
    builder.setInsertionPoint(before);
    auto op = StagePartsOp::create(builder, before->getLoc(), type, values, indices);
    sharding::AxisRef group = mesh.axis(sharding::kStageAxis);
    if (static_cast<int64_t>(stages.size()) < group.size)
      group.subset.assign(stages.begin(), stages.end());
    groups[op] = group;
    loop.insert(op);
    return op.getResult();
  }

  Value buildPart(const PlacedOp &sum, Operation *before, ArrayRef<unsigned> members) {
    builder.setInsertionPoint(before);
    ShardingRuleOpInterface part = sum.buildPartOfSum(builder, members);
    loop.insert(part);
    return part->getResult(0);
  }

  /// The gradient of a parameter that several stages use, or that another stage than its only user adds to.
  LogicalResult splitGradient(ParameterUseOpInterface use, const std::set<int64_t> &users) {
    Value gradient = use.getParameterValue();
    auto sum = dyn_cast_or_null<ShardingRuleOpInterface>(gradient.getDefiningOp());
    auto readInLoop = [&](Operation *user) { return loop.contains(user); };
    std::map<int64_t, Value> parts;
    // What other gradients are made of is one value in the loop anyway.
    if (sum && llvm::none_of(gradient.getUsers(), readInLoop)) {
      auto placed = PlacedOp::get(sum, mesh);
      if (failed(placed))
        return failure();
      if (!placed->isJointlyLinear())
        return sum->emitOpError() << "makes the gradient of parameter @" << use.getParameter()
                                  << ", expected a call or a sum";
      for (const auto &[stage, members] : byStage(sum->getOperands())) {
        bool isOne = members.size() == 1;
        parts[stage] = isOne ? sum->getOperand(members.front()) : buildPart(*placed, sum, members);
      }
    } else {
      parts[stageOfValue(gradient)] = gradient;
    }
    std::set<int64_t> stages = users;
    for (const auto &[stage, part] : parts)
      stages.insert(stage);
    if (stages.size() == 1)
      return success();
    // From its first reader after the loop on.
    Operation *first = use;
    for (Operation *user : gradient.getUsers())
      if (!readInLoop(user) && user->isBeforeInBlock(first))
        first = user;
    Value joined = buildParts(first, gradient.getType(), parts, stages);
    gradient.replaceUsesWithIf(joined, [&](OpOperand &operand) {
      return operand.getOwner() != joined.getDefiningOp() && !readInLoop(operand.getOwner());
    });
    if (sum && sum->use_empty()) {
      stagesOf.erase(sum); // Its address may be that of the next op.
      loop.erase(sum);
      sum->erase();
    }
    return success();
  }

  /// What several stages add to a gradient in the loop: each adds its own to what it is sent, so that one value goes
  /// from stage to stage, not one for every use.
  LogicalResult chainSum(ShardingRuleOpInterface sum) {
    ByStage members = byStage(sum->getOperands());
    if (members.size() < 2)
      return success();
    auto placed = PlacedOp::get(sum, mesh);
    if (failed(placed))
      return failure();
    if (!placed->isJointlyLinear())
      return success();
    Value total;
    for (const auto &[stage, indices] : llvm::reverse(members)) {
      if (!total && indices.size() == 1) {
        total = sum->getOperand(indices.front());
        continue;
      }
      Value part = buildPart(*placed, sum, indices);
      if (total)
        part.getDefiningOp()->insertOperands(static_cast<unsigned>(indices.size()), total);
      total = part;
    }
    sum->getResult(0).replaceAllUsesWith(total);
    stagesOf.clear(); // Addresses of erased ops come back.
    loop.erase(sum);
    sum->erase();
    return success();
  }

  LogicalResult splitSumOverOperands(ShardingRuleOpInterface sum) {
    ByStage members = byStage(sum->getOperands());
    auto placed = PlacedOp::get(sum, mesh);
    if (failed(placed))
      return failure();
    std::map<int64_t, Value> parts;
    std::set<int64_t> all;
    for (const auto &[stage, indices] : members) {
      builder.setInsertionPoint(sum);
      parts[stage] = placed->buildPartOfSum(builder, indices)->getResult(0);
    }
    for (int64_t stage = 0; stage < numStages(mesh); ++stage)
      all.insert(stage);
    sum->getResult(0).replaceAllUsesWith(buildParts(sum, sum->getResult(0).getType(), parts, all));
    sum->erase();
    return success();
  }

  func::FuncOp step;
  const sharding::Mesh &mesh;
  StageGroups &groups;
  StepLoop loop;
  OpBuilder builder;
  llvm::DenseMap<Operation *, int64_t> stagesOf;
};

} // namespace

LogicalResult dist::splitOverStages(func::FuncOp step, const sharding::Mesh &mesh, StageGroups &groups) {
  return numStages(mesh) == 1 ? success() : Splitter(step, mesh, groups).run();
}

/// The stage where a gradient is made in the loop: of its call, or the earliest of what it is joined of. Nothing where
/// no call makes it.
static std::optional<int64_t> stageInLoop(Value value) {
  std::optional<int64_t> stage;
  SmallVector<Value> open{value};
  llvm::DenseSet<Operation *> seen;
  while (!open.empty()) {
    Operation *source = open.pop_back_val().getDefiningOp();
    if (!source || !seen.insert(source).second)
      continue;
    if (isa<func::CallOp>(source))
      stage = std::min(stage.value_or(stageOf(source)), stageOf(source));
    else
      llvm::append_range(open, source->getOperands());
  }
  return stage;
}

/// Follows each part back to the calls and sums over stages that it is made of.
LogicalResult dist::verifyStageParts(StagePartsOp op) {
  for (auto [part, stage] : llvm::zip_equal(op.getParts(), op.getStages())) {
    SmallVector<Value> open{part};
    llvm::DenseSet<Value> seen;
    while (!open.empty()) {
      Value value = open.pop_back_val();
      Operation *source = value.getDefiningOp();
      if (!source || !seen.insert(value).second)
        continue;
      if (isa<func::CallOp, AccumulateOp>(source)) {
        for (Value made : isa<func::CallOp>(source) ? ValueRange(value) : ValueRange(source->getOperands()))
          if (int64_t found = stageInLoop(made).value_or(stage); found != stage)
            return op.emitOpError() << "has a part of stage " << stage << " that is made in stage " << found;
      } else if (isa<AllReduceOp>(source)) {
        open.push_back(source->getOperand(cast<OpResult>(value).getResultNumber()));
      } else if (!isa<StagePartsOp>(source)) { // What was summed over stages before is on every stage of its group.
        llvm::append_range(open, source->getOperands());
      }
    }
  }
  return success();
}
