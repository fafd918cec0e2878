//===- ContextParallel.cpp - the sequence over cp ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which classes are the sequence, what stands against splitting them, and in which
// order the sequence is dealt out.
//
//===----------------------------------------------------------------------===//

#include "ContextParallel.h"

#include "modelpar/Interfaces/StreamedOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::FactorKind;

static constexpr StringLiteral kSequenceDim = "nn.seq_dim";

FailureOr<std::set<int>> dist::findSequence(func::FuncOp step, const FactorClasses &classes) {
  std::set<int> ids;
  for (BlockArgument argument : step.getArguments()) {
    auto dim = step.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), kSequenceDim);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!dim || !type)
      continue;
    if (dim.getInt() < 0 || dim.getInt() >= type.getRank())
      return step.emitOpError() << kSequenceDim << " " << dim.getInt() << " on argument " << argument.getArgNumber()
                                << " of type " << type;
    ids.insert(classes.classOf(argument, dim.getInt()));
  }
  return ids;
}

/// Begins the error of an op that has the sequence as `factor`; the reason follows.
static InFlightDiagnostic needsWhole(const FactorClasses::OpFactors &op, const sharding::Factor &factor,
                                     const AxisRef &axis) {
  return op.op->emitOpError() << "needs the whole sequence (factor \"" << factor.name << "\"), which is split over \""
                              << axis.name << "\": ";
}

LogicalResult dist::checkSequenceSplits(func::FuncOp step, const FactorClasses &classes, const std::set<int> &sequence,
                                        const AxisRef &axis) {
  // An op that another of its kind would not stand against is named itself.
  for (const FactorClasses::OpFactors &op : classes.ops())
    for (auto [i, factor] : llvm::enumerate(op.rule.factors))
      if (!factor.whyWhole.empty() && sequence.count(classes.classOf(op, i)))
        return needsWhole(op, factor, axis) << factor.whyWhole;
  for (int id : sequence)
    if (const std::string &why = classes.whyNotStreamed(id); !why.empty())
      return step.emitOpError() << "the sequence cannot be split over \"" << axis.name << "\": " << why;
  for (const FactorClasses::OpFactors &op : classes.ops())
    for (auto [i, factor] : llvm::enumerate(op.rule.factors))
      if (factor.kind == FactorKind::Streamed && sequence.count(classes.classOf(op, i)) &&
          !sequence.count(classes.classOf(op, factor.along)))
        return needsWhole(op, factor, axis) << "it can only be streamed along factor \""
                                            << op.rule.factors[factor.along].name << "\", which is not of the sequence";
  return success();
}

/// The sizes of the sequence where work grows along it; empty when it grows nowhere.
static std::set<int64_t> growingSizes(const FactorClasses &classes, const std::set<int> &sequence) {
  std::set<int64_t> sizes;
  for (const FactorClasses::OpFactors &op : classes.ops()) {
    auto streamed = dyn_cast<StreamedOpInterface>(op.op.getOperation());
    if (!streamed || !streamed.hasGrowingWork())
      continue;
    for (auto [i, factor] : llvm::enumerate(op.rule.factors))
      if (sequence.count(classes.classOf(op, i)))
        sizes.insert(factor.size);
  }
  return sizes;
}

/// What has the sequence in its own order and is not given out by it: its elements would be taken for others. Empty:
/// nothing.
static std::string keepsOrder(func::FuncOp step, const FactorClasses &classes, const std::set<int> &sequence) {
  for (const auto &[name, parameter] : classes.parameters())
    for (int d = 0; d < parameter.type.getRank(); ++d)
      if (sequence.count(classes.classOf(parameter, d)))
        return "parameter \"" + name.str() + "\" has it as dimension " + std::to_string(d);
  for (BlockArgument argument : step.getArguments()) {
    auto dim = step.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), kSequenceDim);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    for (int d = 0; type && d < type.getRank(); ++d)
      if (sequence.count(classes.classOf(argument, d)) && (!dim || dim.getInt() != d))
        return "argument " + std::to_string(argument.getArgNumber()) + " has it as dimension " + std::to_string(d);
  }
  return "";
}

int64_t dist::chooseSequenceParts(func::FuncOp step, const FactorClasses &classes, const std::set<int> &sequence,
                                  const AxisRef &axis) {
  std::set<int64_t> sizes = growingSizes(classes, sequence);
  if (sizes.empty())
    return 1;
  auto contiguous = [&](const std::string &why) {
    emitRemark(step.getLoc()) << "the sequence is split into contiguous parts over \"" << axis.name
                              << "\", whose work under the causal mask is not equal: " << why;
    return 1;
  };
  for (int64_t size : sizes)
    if (size % (2 * axis.size) != 0)
      return contiguous("its size " + std::to_string(size) + " is no multiple of 2*" + axis.name + " = " +
                        std::to_string(2 * axis.size));
  if (std::string why = keepsOrder(step, classes, sequence); !why.empty())
    return contiguous(why);
  return axis.size;
}

void dist::markPositions(const FactorClasses &classes, const std::set<int> &sequence) {
  for (const FactorClasses::OpFactors &op : classes.ops()) {
    if (op.rule.operands.empty())
      continue;
    for (auto [d, dim] : llvm::enumerate(op.rule.operands.front().dims)) {
      if (dim.empty() || !op.rule.factors[dim.front()].positional || !sequence.count(classes.classOf(op, dim.front())))
        continue;
      op.op->setAttr(DistDialect::getSequenceDimAttrName(),
                     IntegerAttr::get(IntegerType::get(op.op->getContext(), 64), static_cast<int64_t>(d)));
      break;
    }
  }
}
