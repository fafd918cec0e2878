//===- ParameterUses.cpp - reads, writes, gradients that match ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Interfaces/ParameterUses.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace modelpar;

namespace {

constexpr llvm::StringLiteral kValue = "value";

/// The uses of one tensor that is kept between steps.
struct Uses {
  SmallVector<Operation *> reads, writes;
};

} // namespace

static InFlightDiagnostic error(Operation *op, const char *does, const std::pair<StringRef, StringRef> &tensor) {
  return op->emitOpError() << does << " " << tensor.second << " of @" << tensor.first;
}

LogicalResult modelpar::verifyParameterUses(ArrayRef<Block *> bodies) {
  llvm::MapVector<std::pair<StringRef, StringRef>, Uses> tensors; // By parameter and tensor name.
  SmallVector<ParameterUseOpInterface> gradients;
  for (Block *body : bodies)
    for (Operation &op : *body)
      if (auto use = dyn_cast<ParameterUseOpInterface>(op)) {
        const bool isRead = use.getParameterValue().getDefiningOp() == &op;
        Uses *uses = use.isGradient() ? nullptr : &tensors[{use.getParameter(), use.getTensorName()}];
        uses ? (isRead ? uses->reads : uses->writes).push_back(&op) : gradients.push_back(use);
      }
  for (auto &[tensor, uses] : tensors) {
    if (uses.writes.size() > 1)
      return error(uses.writes[1], "writes", tensor) << " a second time";
    if (uses.reads.empty())
      return error(uses.writes[0], "writes", tensor) << ", which is never read here";
    if (uses.writes.empty())
      return error(uses.reads[0], "reads", tensor) << ", which is never written here";
    if (tensor.second != kValue && uses.reads.size() > 1)
      return error(uses.reads[1], "reads", tensor) << " a second time";
  }
  llvm::DenseSet<StringRef> seen;
  for (ParameterUseOpInterface gradient : gradients) {
    if (!tensors.contains({gradient.getParameter(), kValue}))
      return gradient.emitOpError() << "names the gradient of @" << gradient.getParameter()
                                    << ", which is never read here";
    if (!seen.insert(gradient.getParameter()).second)
      return gradient.emitOpError() << "names the gradient of @" << gradient.getParameter() << " a second time";
  }
  return success();
}
