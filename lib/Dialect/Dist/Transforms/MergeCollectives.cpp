//===- MergeCollectives.cpp - collectives that follow each other ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Peephole patterns over the communication of one function.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Dist/Transforms/Passes.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

namespace modelpar::dist {
#define GEN_PASS_DEF_DISTMERGECOLLECTIVES
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

/// all_reduce then slice over the same axes: each rank needs its part of the sum only.
static bool mergeIntoReduceScatter(SliceOp slice) {
  auto reduce = slice.getInput().getDefiningOp<AllReduceOp>();
  if (!reduce || reduce.getInputs().size() != 1 || !slice.getInput().hasOneUse() ||
      reduce.getAxes() != slice.getAxes() || reduce.getKind() == ReduceKind::Lse)
    return false;
  OpBuilder builder(reduce);
  Value scattered = ReduceScatterOp::create(builder, reduce.getLoc(), slice.getType(), reduce.getInputs().front(),
                                            slice.getDim(), slice.getAxes(), reduce.getKind());
  slice.replaceAllUsesWith(scattered);
  slice.erase();
  reduce.erase();
  return true;
}

/// all_gather of a slice over the same axes: the value before the slice.
static bool cancelGather(AllGatherOp gather) {
  auto slice = gather.getInput().getDefiningOp<SliceOp>();
  if (!slice || slice.getAxes() != gather.getAxes() || slice.getDim() != gather.getDim() ||
      slice.getInput().getType() != gather.getType())
    return false;
  gather.replaceAllUsesWith(slice.getInput());
  gather.erase();
  if (slice->use_empty())
    slice.erase();
  return true;
}

/// Two equal communications of one function: the first one serves both.
static void removeDuplicates(Block &block) {
  llvm::DenseMap<unsigned, std::vector<Operation *>> seen;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (!isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, SliceOp>(op))
      continue;
    auto flags = OperationEquivalence::IgnoreLocations;
    auto hash = static_cast<unsigned>(OperationEquivalence::computeHash(&op, OperationEquivalence::directHashValue,
                                                                        OperationEquivalence::ignoreHashValue, flags));
    std::vector<Operation *> &bucket = seen[hash];
    auto it = llvm::find_if(bucket,
                            [&](Operation *other) { return OperationEquivalence::isEquivalentTo(&op, other, flags); });
    if (it == bucket.end()) {
      bucket.push_back(&op);
      continue;
    }
    op.replaceAllUsesWith(*it);
    op.erase();
  }
}

namespace {

struct DistMergeCollectives : dist::impl::DistMergeCollectivesBase<DistMergeCollectives> {
  using DistMergeCollectivesBase::DistMergeCollectivesBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (Block &block : function.getBody()) {
        removeDuplicates(block);
        for (Operation &op : llvm::make_early_inc_range(block)) {
          if (auto slice = dyn_cast<SliceOp>(op))
            mergeIntoReduceScatter(slice);
          else if (auto gather = dyn_cast<AllGatherOp>(op))
            cancelGather(gather);
        }
      }
  }
};

} // namespace
