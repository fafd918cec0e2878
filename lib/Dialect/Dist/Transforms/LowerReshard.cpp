//===- LowerReshard.cpp - reshards as collectives and slices --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces each dist.reshard by the path that lib/Sharding finds.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Dist/Transforms/Passes.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

namespace modelpar::dist {
#define GEN_PASS_DEF_DISTLOWERRESHARD
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

struct DistLowerReshard : dist::impl::DistLowerReshardBase<DistLowerReshard> {
  using DistLowerReshardBase::DistLowerReshardBase;

  void runOnOperation() override {
    MeshAttr meshAttr = getMesh(getOperation());
    std::vector<ReshardOp> reshards;
    getOperation().walk([&](ReshardOp op) { reshards.push_back(op); });
    if (reshards.empty())
      return markAllAnalysesPreserved();
    if (!meshAttr) {
      emitError(getOperation().getLoc()) << "needs attribute " << DistDialect::getMeshAttrName();
      return signalPassFailure();
    }
    const sharding::Mesh &mesh = meshAttr.getValue();
    llvm::DenseMap<std::pair<Type, Type>, sharding::ReshardPath> paths;
    for (ReshardOp op : reshards) {
      auto from = cast<RankedTensorType>(op.getInput().getType()), to = cast<RankedTensorType>(op.getType());
      auto [it, isNew] = paths.try_emplace({from, to});
      if (isNew)
        it->second =
            sharding::findReshardPath(mesh, from.getShape().vec(), getSharding(mesh, from), getSharding(mesh, to));
      if (!it->second.error.empty()) {
        op.emitOpError() << it->second.error;
        return signalPassFailure();
      }
      OpBuilder builder(op);
      Value value = op.getInput();
      for (const sharding::ReshardStep &step : it->second.steps)
        value = createStep(builder, op.getLoc(), mesh, value, step);
      if (value.getType() != to) {
        op.emitOpError() << "would have to cut or join parts of axes, which is not supported yet";
        return signalPassFailure();
      }
      op.replaceAllUsesWith(value);
      op.erase();
    }
  }
};

} // namespace
