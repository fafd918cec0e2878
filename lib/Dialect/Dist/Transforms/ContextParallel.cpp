//===- ContextParallel.cpp - the sequence over cp ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which classes are the sequence, what stands against splitting them, and which of
// them are dealt out.
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

/// The classes of the sequence along which work grows, with their sizes.
static std::map<int, int64_t> growingClasses(const FactorClasses &classes, const std::set<int> &sequence) {
  std::map<int, int64_t> sizes;
  for (const FactorClasses::OpFactors &op : classes.ops()) {
    auto streamed = dyn_cast<StreamedOpInterface>(op.op.getOperation());
    if (!streamed || !streamed.hasGrowingWork())
      continue;
    for (auto [i, factor] : llvm::enumerate(op.rule.factors))
      if (int id = classes.classOf(op, i); sequence.count(id))
        sizes[id] = factor.size;
  }
  return sizes;
}

/// The parameter that has the class as a dimension: it is initialised, saved and loaded in its own order. Empty: none.
static std::string parameterAlong(const FactorClasses &classes, int id) {
  for (const auto &[name, parameter] : classes.parameters())
    for (int d = 0; d < parameter.type.getRank(); ++d)
      if (classes.classOf(parameter, d) == id)
        return "parameter \"" + name.str() + "\" has it as dimension " + std::to_string(d);
  return "";
}

std::set<int> dist::chooseBalanced(func::FuncOp step, const FactorClasses &classes, const std::set<int> &sequence,
                                   const AxisRef &axis) {
  std::set<int> balanced;
  std::set<std::string> reasons; // Classes of one size have one.
  for (auto [id, size] : growingClasses(classes, sequence)) {
    std::string why = parameterAlong(classes, id);
    if (!sharding::SequenceOrder::divides(size, axis.size))
      why = "its size " + std::to_string(size) + " is no multiple of 2*" + axis.name + " = " +
            std::to_string(2 * axis.size);
    if (why.empty())
      balanced.insert(id);
    else if (reasons.insert(why).second)
      emitRemark(step.getLoc()) << "the sequence is split into contiguous parts over \"" << axis.name
                                << "\", whose work under the causal mask is not equal: " << why;
  }
  return balanced;
}
