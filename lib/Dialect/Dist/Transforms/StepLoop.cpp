//===- StepLoop.cpp - what of @step runs once per micro-batch ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StepLoop.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

StepLoop::StepLoop(func::FuncOp step) {
  for (Operation &op : step.getBody().front()) {
    auto use = dyn_cast<ParameterUseOpInterface>(op);
    if (!use || !use.isGradient())
      continue;
    // What several stages add to a gradient leaves the loop on each of them.
    if (auto parts = use.getParameterValue().getDefiningOp<StagePartsOp>())
      gradients_.insert_range(parts.getParts());
    else
      gradients_.insert(use.getParameterValue());
  }
  SmallVector<Value> open(gradients_.begin(), gradients_.end());
  while (!open.empty())
    if (Operation *op = open.pop_back_val().getDefiningOp(); op && ops.insert(op).second)
      llvm::append_range(open, op->getOperands());
}
