//===- Stage.cpp - cut @step into programs --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pass dist-stage: gives every op of @step to the programs that it belongs to (StepParts),
// names the values that cross from one program to another (StageCrossings), and builds
// the programs of all stages (StagePrograms).
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StagePrograms.h"
#include "lib/Conversion/DistToPlan/StageReplicas.h"

#include "modelpar/Conversion/DistToPlan/Passes.h"
#include "modelpar/Dialect/NN/IR/NN.h"

namespace modelpar {

#define GEN_PASS_DEF_DISTSTAGE
#include "modelpar/Conversion/DistToPlan/Passes.h.inc"

using namespace mlir;

/// The contributions to the gradient of a shared parameter are added to its sum one by one, as each is made, not first
/// to each other in a temporary of the gradient's size.
static void splitSums(func::FuncOp step) {
  SmallVector<dist::AccumulateOp> all(step.getOps<dist::AccumulateOp>());
  for (dist::AccumulateOp op : all) {
    SmallVector<Value> contributions;
    SmallVector<nn::SumOp> split;
    for (Value input : op.getInputs()) {
      auto sum = input.getDefiningOp<nn::SumOp>();
      bool same = sum && llvm::all_of(sum->getOperandTypes(), [&](Type type) { return type == input.getType(); });
      if (!same || !input.hasOneUse()) {
        contributions.push_back(input);
        continue;
      }
      llvm::append_range(contributions, sum->getOperands());
      split.push_back(sum);
    }
    if (split.empty())
      continue;
    op->setOperands(contributions);
    for (nn::SumOp sum : split)
      sum->erase();
  }
}

static LogicalResult stage(func::FuncOp step) {
  splitSums(step);
  StepParts parts(step);
  if (parts.numStages() > 1 && failed(addReplicaUpdates(step)))
    return failure();
  if (failed(parts.assign()))
    return failure();
  StageCrossings crossings(step, parts);
  if (failed(crossings.find()))
    return failure();
  ProgramBuilder(step, parts, crossings).build();
  step.erase();
  return success();
}

namespace {
struct DistStagePass : impl::DistStageBase<DistStagePass> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>(nn::kStepFunction);
    if (!step) {
      getOperation().emitError() << "expected a function @" << nn::kStepFunction;
      return signalPassFailure();
    }
    if (failed(stage(step)))
      signalPassFailure();
  }
};
} // namespace

} // namespace modelpar
