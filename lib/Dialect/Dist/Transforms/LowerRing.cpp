//===- LowerRing.cpp - streamed factors as rings --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ring attention, for any op with a streamed factor: parts of operands go from rank to
// rank while the op works on the part before, and sums that belong to a part go with it.
//
//===----------------------------------------------------------------------===//

#include "PlacedOp.h"

#include "modelpar/Dialect/Dist/Transforms/Passes.h"
#include "modelpar/Interfaces/StreamedOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::DimFactors;
using sharding::FactorKind;

namespace modelpar::dist {
#define GEN_PASS_DEF_DISTLOWERRING
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

/// One op, unrolled over the axis that its factor `factor` is streamed over.
class Ring {
public:
  Ring(StreamedOpInterface op, const PlacedOp &placed, int factor, const AxisRef &axis, const sharding::Mesh &mesh)
      : op(op), placed(placed), factor(factor), axis(axis), mesh(mesh), builder(op) {
    for (auto [i, operand] : llvm::enumerate(placed.rule().operands))
      if (hasFactor(operand.dims))
        streamed.push_back(static_cast<unsigned>(i));
    for (auto [i, result] : llvm::enumerate(placed.rule().results))
      belongs.push_back(hasFactor(result.dims));
  }

  LogicalResult check();
  void unroll();

private:
  bool hasFactor(const std::vector<DimFactors> &dims) const {
    return llvm::any_of(dims, [&](const DimFactors &dim) { return llvm::is_contained(dim, factor); });
  }
  RankedTensorType shifted(Type type, int64_t by) const {
    auto tensor = cast<RankedTensorType>(type);
    return withSharding(tensor, mesh, *sharding::permuted(getSharding(mesh, tensor), axis, by));
  }
  SmallVector<Value> permute(ValueRange values);
  SmallVector<Value> compute(int64_t step, ArrayRef<Value> parts);

  StreamedOpInterface op;
  const PlacedOp &placed;
  int factor;
  AxisRef axis;
  const sharding::Mesh &mesh;
  OpBuilder builder;
  SmallVector<unsigned> streamed; ///< Operands that go round.
  SmallVector<bool> belongs;      ///< By result: it belongs to a part.
};

} // namespace

/// A sum that travels has one element type all the way: the result's own.
LogicalResult Ring::check() {
  for (auto [result, belongsToPart] : llvm::zip_equal(op->getResults(), belongs)) {
    Type element = cast<RankedTensorType>(result.getType()).getElementType();
    if (belongsToPart && op.getContributionType(element) != element)
      return op->emitOpError() << "the sum of the " << element << " result " << result.getResultNumber()
                               << " over a ring is " << op.getContributionType(element)
                               << ", and its conversion back is not supported yet";
  }
  return success();
}

SmallVector<Value> Ring::permute(ValueRange values) {
  SmallVector<Type> types;
  for (Value value : values)
    types.push_back(shifted(value.getType(), 1));
  auto permuted = CollectivePermuteOp::create(builder, op->getLoc(), types, values, /*shift=*/1,
                                              makeAxes(builder.getContext(), mesh, {sharding::plain(axis)}));
  return SmallVector<Value>(permuted.getOutputs());
}

/// The op on the parts that a rank has at the step; what belongs to the part is where the part is.
SmallVector<Value> Ring::compute(int64_t step, ArrayRef<Value> parts) {
  Operation *part = builder.clone(*op);
  for (auto [operand, value] : llvm::zip_equal(streamed, parts))
    part->setOperand(operand, value);
  for (auto [result, belongsToPart] : llvm::zip_equal(part->getResults(), belongs))
    if (belongsToPart && step > 0)
      result.setType(shifted(result.getType(), step));
  sharding::Placement placement = placed.placement();
  for (AxisRef &other : placement[placed.rule().factors[factor].name])
    other.shift = step;
  part->setAttr(DistDialect::getPlacementAttrName(), makePlacement(builder.getContext(), mesh, std::move(placement)));
  part->setAttr(DistDialect::getRingStepAttrName(), builder.getI64IntegerAttr(step));
  return SmallVector<Value>(part->getResults());
}

void Ring::unroll() {
  SmallVector<Value> parts, soFar, own, travelling;
  for (unsigned operand : streamed)
    parts.push_back(op->getOperand(operand));
  for (int64_t step = 0; step < axis.size; ++step) {
    // Sent before it is used: the next part arrives while this one computes.
    SmallVector<Value> next;
    if (step + 1 < axis.size)
      next = permute(parts);
    // The sums of this part, from the rank that had it before.
    if (!travelling.empty())
      travelling = permute(travelling);
    SmallVector<Value> results = compute(step, parts), joined = results, contributions;
    for (auto [i, belongsToPart] : llvm::enumerate(belongs))
      if (belongsToPart) {
        contributions.push_back(results[i]);
        joined[i] = Value();
      }
    if (step == 0) {
      soFar = joined;
      own = contributions;
    } else {
      soFar = op.joinParts(builder, soFar, joined);
      for (auto [i, contribution] : llvm::enumerate(contributions))
        if (step == 1)
          travelling.push_back(contribution);
        else
          travelling[i] = op.addContributions(builder, travelling[i], contribution);
    }
    parts = std::move(next);
  }
  // Home, to what stayed there.
  if (!travelling.empty())
    travelling = permute(travelling);
  unsigned contribution = 0;
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    Value whole = soFar[i];
    if (belongs[i]) {
      whole = travelling.empty() ? own[contribution]
                                 : op.addContributions(builder, own[contribution], travelling[contribution]);
      ++contribution;
    }
    result.replaceAllUsesWith(whole);
  }
  op->erase();
}

/// The streamed factor of the op that has axes, -1 without one.
static int streamedFactor(const PlacedOp &placed) {
  for (auto [i, factor] : llvm::enumerate(placed.rule().factors))
    if (auto it = placed.placement().find(factor.name);
        factor.kind == FactorKind::Streamed && it != placed.placement().end() && !it->second.empty())
      return static_cast<int>(i);
  return -1;
}

namespace {

struct DistLowerRing : dist::impl::DistLowerRingBase<DistLowerRing> {
  using DistLowerRingBase::DistLowerRingBase;

  LogicalResult lower(ShardingRuleOpInterface op, const sharding::Mesh &mesh, bool &changed) {
    if (op->hasAttr(DistDialect::getRingStepAttrName()))
      return success();
    auto placed = PlacedOp::get(op, mesh);
    if (failed(placed))
      return failure();
    int factor = streamedFactor(*placed);
    if (factor < 0)
      return success();
    const std::string &name = placed->rule().factors[factor].name;
    const sharding::DimSharding &axes = placed->placement().at(name);
    if (axes.size() != 1)
      return op->emitOpError() << "factor \"" << name << "\" is streamed over " << axes.size() << " axes, expected one";
    auto streamed = dyn_cast<StreamedOpInterface>(op.getOperation());
    if (!streamed)
      return op->emitOpError() << "has the streamed factor \"" << name << "\" split over "
                               << sharding::toString(axes.front(), &mesh) << ", but cannot be computed part by part";
    Ring ring(streamed, *placed, factor, axes.front(), mesh);
    if (failed(ring.check()))
      return failure();
    ring.unroll();
    changed = true;
    return success();
  }

  void runOnOperation() override {
    MeshAttr meshAttr = getMesh(getOperation());
    if (!meshAttr)
      return markAllAnalysesPreserved(); // One rank: nothing is split.
    std::vector<ShardingRuleOpInterface> ops;
    getOperation().walk([&](ShardingRuleOpInterface op) {
      if (op->hasAttr(DistDialect::getPlacementAttrName()))
        ops.push_back(op);
    });
    bool changed = false;
    for (ShardingRuleOpInterface op : ops)
      if (failed(lower(op, meshAttr.getValue(), changed)))
        return signalPassFailure();
    if (!changed)
      markAllAnalysesPreserved();
  }
};

} // namespace
