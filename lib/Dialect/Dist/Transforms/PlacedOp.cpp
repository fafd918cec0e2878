//===- PlacedOp.cpp - what a placement makes of an op's types ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operand and result shardings of compute ops, partial values included.
//
//===----------------------------------------------------------------------===//

#include "PlacedOp.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::TensorSharding;

FailureOr<PlacedOp> PlacedOp::get(ShardingRuleOpInterface op, const sharding::Mesh &mesh) {
  auto attr = op->getAttrOfType<PlacementAttr>(DistDialect::getPlacementAttrName());
  if (!attr)
    return op->emitOpError() << "has no " << DistDialect::getPlacementAttrName();
  sharding::OpShardingRule rule = op.getShardingRule();
  sharding::Placement placement = resolve(mesh, attr);
  for (const auto &[factor, axes] : placement)
    for (const AxisRef &axis : axes)
      if (!mesh.isValid(axis))
        return op->emitOpError() << "placement of factor \"" << factor << "\": the mesh has no axis "
                                 << sharding::toString(axis, &mesh);
  if (auto error = validate(op, rule, placement))
    return op->emitOpError() << "placement does not fit: " << *error;
  return PlacedOp(op, std::move(rule), std::move(placement), mesh);
}

std::optional<std::string> PlacedOp::validate(ShardingRuleOpInterface op, const sharding::OpShardingRule &rule,
                                              const sharding::Placement &placement) {
  if (!op.isSumOverOperands())
    return sharding::validate(rule, placement);
  // Each operand is a rule of its own. There may be hundreds: no copies, no searches by name.
  size_t known = 0;
  for (const sharding::Factor &factor : rule.factors)
    known += placement.count(factor.name);
  if (known != placement.size())
    return "a factor is not in the rule";
  for (auto [index, operand] : llvm::enumerate(rule.operands)) {
    sharding::DimSharding seen;
    for (const sharding::DimFactors &dim : operand.dims)
      for (auto [position, id] : llvm::enumerate(dim)) {
        const sharding::Factor &factor = rule.factors[id];
        auto it = placement.find(factor.name);
        if (it == placement.end() || it->second.empty())
          continue;
        if (factor.kind == sharding::FactorKind::Whole || position > 0)
          return "factor \"" + factor.name + "\" must stay whole";
        for (const AxisRef &axis : it->second) {
          if (llvm::any_of(seen, [&](const AxisRef &other) { return sharding::overlap(axis, other); }))
            return "axis " + sharding::toString(axis, nullptr) + " is on two factors of operand " +
                   std::to_string(index);
          seen.push_back(axis);
        }
      }
  }
  return std::nullopt;
}

TensorSharding PlacedOp::result(unsigned index, const Partials &passed) const {
  TensorSharding sharding = sharding::resultSharding(rule_, placement_, index, mesh);
  // Operands of a sum that are sharded over one axis give one partial value.
  sharding.partial.erase(std::unique(sharding.partial.begin(), sharding.partial.end()), sharding.partial.end());
  llvm::append_range(sharding.partial, passed);
  sharding::sortPartials(mesh, sharding.partial);
  return sharding;
}

PlacedOp::Passed PlacedOp::passThrough(ArrayRef<Partials> operands) const {
  int first = -1;
  for (auto [index, partial] : llvm::enumerate(operands))
    if (first < 0 && !partial.empty())
      first = static_cast<int>(index);
  if (first < 0)
    return {};
  const Partials &partial = operands[first];
  int group = rule_.operands[first].linearGroup;
  auto refuse = [&](size_t index, const std::string &why) {
    TensorSharding shown{{}, operands[index].empty() ? partial : operands[index]};
    return Passed{
        {}, "operand " + std::to_string(index) + " is " + sharding::toString(shown, &mesh).substr(4) + ", " + why};
  };
  if (group < 0)
    return refuse(first, "but the op is not linear in it");
  for (auto [index, other] : llvm::enumerate(operands)) {
    bool sameGroup = rule_.operands[index].linearGroup == group;
    if (!sameGroup && !other.empty())
      return refuse(index, "as is operand " + std::to_string(first) + ", and the op is not linear in both together");
    if (sameGroup && other != partial)
      return Passed{{},
                    "operands " + std::to_string(first) + " and " + std::to_string(index) +
                        " are added but not partial over the same axes"};
  }
  for (const sharding::PartialAxis &axis : partial) {
    if (axis.kind != sharding::ReduceKind::Sum)
      return refuse(first, "but only sums pass through an op");
    for (const auto &[factor, axes] : placement_)
      for (const AxisRef &placed : axes)
        if (sharding::overlap(placed, axis.axis))
          return refuse(first, "but that axis is on factor \"" + factor + "\"");
  }
  for (const sharding::ResultRule &result : rule_.results)
    if (result.reduce != sharding::ReduceKind::Sum)
      return refuse(first, "but a result does not join by sums");
  return {partial, ""};
}

bool PlacedOp::isJointlyLinear() const {
  if (rule_.operands.size() < 2 || rule_.operands.front().linearGroup < 0)
    return false;
  return llvm::all_of(rule_.operands,
                      [&](const auto &operand) { return operand.linearGroup == rule_.operands.front().linearGroup; }) &&
         llvm::none_of(rule_.factors,
                       [](const sharding::Factor &factor) { return factor.kind == sharding::FactorKind::Reduction; });
}

bool SumPolicy::isOverBatch(const Partials &partials) const {
  return llvm::any_of(partials, [&](const auto &axis) { return llvm::is_contained(batchAxes, axis.axis); });
}

bool SumPolicy::isShared(const Partials &partials) const {
  return !partials.empty() && llvm::all_of(partials, [&](const sharding::PartialAxis &axis) {
    return axis.kind == sharding::ReduceKind::Sum && llvm::is_contained(sharedAxes, axis.axis);
  });
}

Partials PlacedOp::passByPolicy(ArrayRef<Partials> operands, const SumPolicy &policy) const {
  bool overBatch = llvm::any_of(operands, [&](const Partials &partials) { return policy.isOverBatch(partials); });
  bool shared =
      llvm::any_of(operands, [](const Partials &partials) { return !partials.empty(); }) &&
      llvm::all_of(operands, [&](const Partials &partials) { return partials.empty() || policy.isShared(partials); });
  if (overBatch || shared)
    if (Passed passed = passThrough(operands); passed.error.empty())
      return passed.partial;
  if (overBatch) { // Other axes are reduced before the op, those of the batch after the loop.
    std::vector<Partials> ofBatch(operands.begin(), operands.end());
    for (Partials &partials : ofBatch)
      llvm::erase_if(partials, [&](const auto &axis) { return !llvm::is_contained(policy.batchAxes, axis.axis); });
    if (Passed passed = passThrough(ofBatch); passed.error.empty())
      return passed.partial;
  }
  // A value that something else reads too is reduced there anyway: it is cheaper to reduce it once.
  auto isShared = [](Value operand) { return !operand.hasOneUse(); };
  if (!isJointlyLinear() || (!overBatch && llvm::any_of(op->getOperands(), isShared)))
    return {};
  Partials common;
  auto isPlaced = [&](const AxisRef &axis) {
    return llvm::any_of(placement_, [&](const auto &factor) {
      return llvm::any_of(factor.second, [&](const AxisRef &placed) { return sharding::overlap(placed, axis); });
    });
  };
  for (const sharding::PartialAxis &axis : operands.front())
    if (axis.kind == sharding::ReduceKind::Sum && !isPlaced(axis.axis) &&
        llvm::all_of(operands, [&](const Partials &other) { return llvm::is_contained(other, axis); }))
      common.push_back(axis);
  return common;
}

SumPolicy dist::getSumPolicy(Operation *module, const sharding::Mesh &mesh) {
  auto axes = [&](StringRef name) {
    auto attr = module->getAttrOfType<AxesAttr>(name);
    return attr ? resolve(mesh, attr.getValue()) : sharding::DimSharding();
  };
  return {axes(DistDialect::getBatchAxesAttrName()), axes(kSharedAxesAttr)};
}

sharding::DimSharding dist::shardedAxes(const sharding::Mesh &mesh, const TensorSharding &sharding) {
  sharding::DimSharding axes;
  for (const sharding::DimSharding &dim : sharding.dims)
    llvm::append_range(axes, llvm::map_range(dim, sharding::plain));
  llvm::sort(axes, [&](const AxisRef &a, const AxisRef &b) { return sharding::before(mesh, a, b); });
  return axes;
}

ShardingRuleOpInterface PlacedOp::buildPartOfSum(OpBuilder &builder, ArrayRef<unsigned> members) const {
  OperationState state(op->getLoc(), op->getName().getStringRef());
  for (unsigned member : members)
    state.operands.push_back(op->getOperand(member));
  state.addTypes(op->getResultTypes());
  state.addAttributes(op->getAttrs());
  auto part = cast<ShardingRuleOpInterface>(builder.create(state));
  // Factors are named by operand: the part's names follow from its own rule.
  sharding::OpShardingRule rule = part.getShardingRule();
  sharding::Placement placement;
  for (auto [i, member] : llvm::enumerate(members)) {
    TensorSharding sharding = operand(member);
    for (auto [d, dim] : llvm::enumerate(rule.operands[i].dims))
      if (!dim.empty() && !sharding.dims[d].empty())
        placement[rule.factors[dim.front()].name] = sharding.dims[d];
  }
  part->setAttr(DistDialect::getPlacementAttrName(), makePlacement(builder.getContext(), mesh, placement));
  return part;
}

std::optional<std::string> PlacedOp::checkSumOverOperands() const {
  if (!op.isSumOverOperands() || rule_.operands.empty())
    return std::nullopt;
  sharding::DimSharding first = shardedAxes(mesh, operand(0));
  for (unsigned i = 1; i < rule_.operands.size(); ++i)
    if (shardedAxes(mesh, operand(i)) != first)
      return "operands 0 and " + std::to_string(i) + " of a sum over operands are sharded over different axes";
  return std::nullopt;
}
