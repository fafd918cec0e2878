//===- SequenceParallel.cpp - the sequence between tensor-parallel regions ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// First the ops, each by its own rule. Then what crosses functions: a value that any
// function needs whole crosses whole, so it is gathered once, where it is computed,
// and no more bytes are sent than tensor parallelism alone sends.
//
//===----------------------------------------------------------------------===//

#include "SequenceParallel.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;

bool SequenceParallel::hasAxis(int id) const {
  return llvm::any_of(axes[id], [&](const AxisRef &other) {
    return llvm::any_of(over, [&](const AxisRef &part) { return sharding::overlap(part, other); });
  });
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

void SequenceParallel::notePartials(const FactorClasses::OpFactors &op) {
  for (auto [result, rule] : llvm::zip_equal(op.op->getResults(), op.rule.results)) {
    auto isReduced = [&, &rule = rule](int factor) {
      return op.rule.factors[factor].kind == sharding::FactorKind::Reduction && hasAxis(classes.classOf(op, factor)) &&
             llvm::none_of(rule.dims, [&](const auto &dim) { return llvm::is_contained(dim, factor); });
    };
    if (rule.reduce == sharding::ReduceKind::Sum &&
        (addsPartials(op) || llvm::any_of(llvm::seq<int>(0, op.rule.factors.size()), isReduced)))
      partials.insert(result);
  }
}

/// Two matrices that read one value give its gradient as two sums: they are added first and joined once.
bool SequenceParallel::addsPartials(const FactorClasses::OpFactors &op) const {
  return PlacedOp(op.op, op.rule, {}, mesh).isJointlyLinear() && llvm::all_of(op.op->getOperands(), [&](Value operand) {
           return operand.hasOneUse() && partials.contains(operand);
         });
}

int SequenceParallel::chooseFactor(const FactorClasses::OpFactors &op) const {
  if (op.op.isSumOverOperands() || addsPartials(op))
    return -1;
  int chosen = -1;
  for (unsigned i = 0; i < op.rule.factors.size(); ++i) {
    int id = classes.classOf(op, i);
    if (hasAxis(id))
      return -1; // It shares its work already.
    if (!sequence.count(id))
      continue;
    if (chosen >= 0)
      return -1; // Queries and keys: one axis cannot split both.
    chosen = static_cast<int>(i);
  }
  if (chosen < 0)
    return -1;
  const sharding::Factor &factor = op.rule.factors[chosen];
  if (sharding::validate(op.rule, {{factor.name, over}}))
    return -1;
  // What is reduced over the sequence must join by a sum.
  if (factor.kind == sharding::FactorKind::Reduction &&
      llvm::any_of(op.rule.results, [](const auto &result) { return result.reduce != sharding::ReduceKind::Sum; }))
    return -1;
  return chosen;
}

//===----------------------------------------------------------------------===//
// Values between functions
//===----------------------------------------------------------------------===//

int SequenceParallel::sequenceDim(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  int found = -1;
  for (int d = 0; type && d < type.getRank(); ++d) {
    int id = classes.classOf(value, d);
    if (hasAxis(id))
      return -1;
    if (!sequence.count(id))
      continue;
    if (found >= 0)
      return -1;
    found = d;
  }
  return found;
}

int SequenceParallel::find(int node) const {
  while (parents[node] != node)
    node = parents[node];
  return node;
}

int SequenceParallel::node(Value value) {
  auto [it, isNew] = nodes.try_emplace(value, static_cast<int>(parents.size()));
  if (isNew)
    parents.push_back(it->second);
  return it->second;
}

void SequenceParallel::collect(func::FuncOp function) {
  // Values between the ops of a block stay in it: their readers are the partitioner's business.
  auto crosses = [&](Value value) {
    return function.getName() == kStepFunction || isa<BlockArgument>(value) || value.getDefiningOp<func::CallOp>();
  };
  for (Operation &op : function.getBody().front()) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      func::FuncOp callee = functions.lookup(call.getCallee());
      for (auto [operand, argument] : llvm::zip_equal(call.getOperands(), callee.getArguments()))
        unite(node(operand), node(argument));
      for (auto [i, result] : llvm::enumerate(call.getResults()))
        unite(node(result), results[callee] + static_cast<int>(i));
    } else if (isa<func::ReturnOp>(op)) {
      for (auto [i, operand] : llvm::enumerate(op.getOperands()))
        if (crosses(operand))
          unite(node(operand), results[function] + static_cast<int>(i));
    } else if (isa<ShardingRuleOpInterface>(op) && factorOf(&op) < 0) {
      for (Value operand : op.getOperands())
        if (crosses(operand))
          readWhole.push_back(node(operand));
    }
  }
}

void SequenceParallel::place(ModuleOp module) {
  for (const FactorClasses::OpFactors &op : classes.ops())
    notePartials(op);
  for (const FactorClasses::OpFactors &op : classes.ops())
    if (int factor = chooseFactor(op); factor >= 0)
      factors[op.op.getOperation()] = factor;
  for (auto function : module.getOps<func::FuncOp>()) {
    functions[function.getName()] = function;
    results[function] = static_cast<int>(parents.size());
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      parents.push_back(static_cast<int>(parents.size()));
  }
  for (auto function : module.getOps<func::FuncOp>())
    collect(function);
  for (int reader : readWhole)
    whole.insert(find(reader));
}

int SequenceParallel::dimOfArgument(BlockArgument argument) const {
  auto it = nodes.find(argument);
  return it != nodes.end() && isWhole(it->second) ? -1 : sequenceDim(argument);
}

int SequenceParallel::dimOfResult(func::FuncOp function, unsigned index, Value returned) const {
  return isWhole(results.lookup(function) + static_cast<int>(index)) ? -1 : sequenceDim(returned);
}
