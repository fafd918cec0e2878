//===- VerifyTensors.cpp - the pass verify-tensors ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The conditions T1 and T2 of Passes.td.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/Transforms/Passes.h"

#include "mlir/IR/AttrTypeSubElements.h"

namespace modelpar::nn {
#define GEN_PASS_DEF_VERIFYTENSORS
#include "modelpar/Dialect/NN/Transforms/Passes.h.inc"
} // namespace modelpar::nn

using namespace mlir;
using namespace modelpar;

/// What is wrong with the type; empty when nothing is.
static std::string errorOf(RankedTensorType type) {
  constexpr int64_t kMaxRank = 8, kMaxElements = int64_t{1} << 56;
  if (type.getRank() > kMaxRank)
    return "has " + std::to_string(type.getRank()) + " dimensions, expected at most " + std::to_string(kMaxRank);
  int64_t elements = 1;
  for (int64_t extent : type.getShape()) {
    if (extent < 1) // Dynamic extents are negative.
      return "has an extent that is not known or zero, expected at least 1";
    if (extent > kMaxElements / elements)
      return "has more than 2^56 elements";
    elements *= extent;
  }
  return {};
}

namespace {

struct VerifyTensors : nn::impl::VerifyTensorsBase<VerifyTensors> {
  void runOnOperation() override {
    RankedTensorType wrong;
    // Types and attributes are shared: the walker visits each once in all.
    AttrTypeWalker walker;
    walker.addWalk([&](RankedTensorType type) {
      if (errorOf(type).empty())
        return WalkResult::advance();
      wrong = type;
      return WalkResult::interrupt();
    });
    WalkResult result = getOperation().walk([&](Operation *op) {
      bool bad = walker.walk(op->getDiscardableAttrDictionary()).wasInterrupted();
      // One by one: a dictionary of them would be made for every op.
      NamedAttrList inherent;
      op->getName().populateInherentAttrs(op, inherent);
      for (NamedAttribute attribute : inherent)
        bad |= walker.walk(attribute.getValue()).wasInterrupted();
      for (Type type : op->getResultTypes())
        bad |= walker.walk(type).wasInterrupted();
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Type type : block.getArgumentTypes())
            bad |= walker.walk(type).wasInterrupted();
      if (!bad)
        return WalkResult::advance();
      op->emitError() << "tensor type " << wrong << " " << errorOf(wrong);
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
