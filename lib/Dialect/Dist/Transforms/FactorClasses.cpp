//===- FactorClasses.cpp - dimensions that are placed alike ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Collects nodes and ties them, numbers the classes, then finds what forbids an axis.
//
//===----------------------------------------------------------------------===//

#include "FactorClasses.h"

#include "modelpar/Interfaces/ParameterOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::DimFactors;
using sharding::FactorKind;

FailureOr<FactorClasses> FactorClasses::build(ModuleOp module) {
  FactorClasses classes;
  if (failed(classes.collect(module)))
    return failure();
  classes.number();
  classes.findWhole();
  classes.findConflicts();
  return classes;
}

//===----------------------------------------------------------------------===//
// Union-find
//===----------------------------------------------------------------------===//

int FactorClasses::addNodes(size_t count) {
  int base = static_cast<int>(parents.size());
  for (size_t i = 0; i < count; ++i)
    parents.push_back(base + static_cast<int>(i));
  return base;
}

int FactorClasses::addValue(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  int base = addNodes(type ? type.getRank() : 0);
  values[value] = base;
  return base;
}

int FactorClasses::find(int node) {
  while (parents[node] != node)
    node = parents[node] = parents[parents[node]];
  return node;
}

void FactorClasses::unite(int a, int b) {
  // The earlier node is the root, so classes are in the module's order.
  a = find(a), b = find(b);
  parents[std::max(a, b)] = std::min(a, b);
}

void FactorClasses::unite(int a, int b, size_t count) {
  for (size_t i = 0; i < count; ++i)
    unite(a + static_cast<int>(i), b + static_cast<int>(i));
}

//===----------------------------------------------------------------------===//
// Collecting
//===----------------------------------------------------------------------===//

static size_t rankOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getRank() : 0;
}

LogicalResult FactorClasses::collect(ModuleOp module) {
  for (Operation &op : module.getOps()) {
    if (auto parameter = dyn_cast<ParameterOpInterface>(op)) {
      StringRef name = SymbolTable::getSymbolName(&op).getValue();
      RankedTensorType type = parameter.getParameterType();
      parameterIndex[name] = parameters_.size();
      parameters_.push_back({name, {&op, type, addNodes(type.getRank())}});
    } else if (auto function = dyn_cast<func::FuncOp>(op)) {
      functions[function.getName()] = function;
      for (BlockArgument argument : function.getArguments())
        addValue(argument);
      std::vector<int> &bases = results[function];
      for (Type type : function.getResultTypes())
        bases.push_back(addNodes(rankOf(type)));
      for (auto call : function.getOps<func::CallOp>())
        ++callCounts[call.getCallee()];
    }
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (failed(collect(function)))
      return failure();
  return success();
}

LogicalResult FactorClasses::collect(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError() << "expected a body of one block, found " << function.getBody().getBlocks().size();
  for (Operation &op : function.getBody().front())
    if (failed(collect(function, op)))
      return failure();
  return success();
}

LogicalResult FactorClasses::collect(func::FuncOp function, Operation &op) {
  for (Value result : op.getResults())
    addValue(result);
  if (auto rule = dyn_cast<ShardingRuleOpInterface>(op)) {
    auto calls = callCounts.find(function.getName());
    collectRule(rule, calls == callCounts.end() ? 1 : calls->second);
    return success();
  }
  if (auto use = dyn_cast<ParameterUseOpInterface>(op)) {
    auto it = parameterIndex.find(use.getParameter());
    if (it == parameterIndex.end())
      return op.emitOpError() << "unknown parameter @" << use.getParameter();
    const Parameter &parameter = parameters_[it->second].second;
    Value value = use.getParameterValue();
    if (cast<RankedTensorType>(value.getType()).getShape() == parameter.type.getShape())
      unite(parameter.base, values[value], parameter.type.getRank());
    return success();
  }
  if (auto call = dyn_cast<func::CallOp>(op)) {
    func::FuncOp callee = functions.lookup(call.getCallee());
    if (!callee)
      return op.emitOpError() << "unknown callee @" << call.getCallee();
    for (auto [operand, argument] : llvm::zip_equal(call.getOperands(), callee.getArguments()))
      unite(values[argument], values[operand], rankOf(operand.getType()));
    for (auto [result, base] : llvm::zip_equal(call.getResults(), results[callee]))
      unite(base, values[result], rankOf(result.getType()));
    return success();
  }
  if (isa<func::ReturnOp>(op)) {
    for (auto [operand, base] : llvm::zip_equal(op.getOperands(), results[function]))
      unite(base, values[operand], rankOf(operand.getType()));
    return success();
  }
  return op.emitOpError() << "has no sharding rule";
}

void FactorClasses::collectRule(ShardingRuleOpInterface op, int64_t calls) {
  OpFactors &factors = ops_.emplace_back(OpFactors{op, op.getShardingRule(), 0, calls});
  factors.base = addNodes(factors.rule.factors.size());
  std::string name = op->getName().getStringRef().str();
  auto tie = [&](Value value, const std::vector<DimFactors> &dims) {
    int base = values[value];
    for (auto [d, dim] : llvm::enumerate(dims)) {
      if (dim.empty()) {
        wholeNodes.push_back({base + static_cast<int>(d), name + " reads all of it"});
        continue;
      }
      unite(factors.base + dim.front(), base + static_cast<int>(d));
      for (int minor : llvm::drop_begin(dim))
        wholeNodes.push_back({factors.base + minor, "factor \"" + factors.rule.factors[minor].name + "\" of " + name +
                                                        " is the minor part of a dimension"});
    }
  };
  for (auto [value, operand] : llvm::zip_equal(op->getOperands(), factors.rule.operands))
    tie(value, operand.dims);
  for (auto [value, result] : llvm::zip_equal(op->getResults(), factors.rule.results))
    tie(value, result.dims);
  for (auto [i, factor] : llvm::enumerate(factors.rule.factors)) {
    std::string text = "factor \"" + factor.name + "\" of " + name + " must stay whole";
    if (factor.kind == FactorKind::Whole)
      wholeNodes.push_back(
          {factors.base + static_cast<int>(i), text + (factor.whyWhole.empty() ? "" : ": " + factor.whyWhole)});
    else if (factor.kind == FactorKind::Streamed)
      streamedNodes.push_back({factors.base + static_cast<int>(i),
                               text + " or be streamed along \"" + factors.rule.factors[factor.along].name + "\""});
  }
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

void FactorClasses::number() {
  classes.resize(parents.size());
  for (size_t node = 0; node < parents.size(); ++node) {
    int root = find(static_cast<int>(node));
    if (root == static_cast<int>(node)) {
      classes[node] = static_cast<int>(infos.size());
      infos.emplace_back();
    } else {
      classes[node] = classes[root]; // The root comes first.
    }
  }
}

void FactorClasses::findWhole() {
  auto mark = [](std::string &text, const std::string &why) {
    if (text.empty())
      text = why;
  };
  for (const auto &[node, why] : wholeNodes)
    mark(infos[classes[node]].whole, why);
  for (const auto &[node, why] : streamedNodes)
    mark(infos[classes[node]].streamed, why);
}

void FactorClasses::addConflict(int a, int b, llvm::function_ref<std::string()> why) {
  if (a == b) {
    if (infos[a].whole.empty())
      infos[a].whole = why();
    return;
  }
  auto key = std::minmax(a, b);
  if (auto it = conflicts_.lower_bound(key); it == conflicts_.end() || it->first != std::pair<int, int>(key))
    conflicts_.emplace_hint(it, key, why());
}

void FactorClasses::findConflicts() {
  for (const OpFactors &factors : ops_) {
    auto pair = [&](int a, int b) {
      addConflict(classOf(factors, a), classOf(factors, b), [&] {
        return factors.op->getName().getStringRef().str() + " would have one axis on factors \"" +
               factors.rule.factors[a].name + "\" and \"" + factors.rule.factors[b].name + "\"";
      });
    };
    if (!factors.op.isSumOverOperands()) {
      int count = static_cast<int>(factors.rule.factors.size());
      for (int a = 0; a < count; ++a)
        for (int b = a + 1; b < count; ++b)
          if (factors.rule.factors[a].along != b && factors.rule.factors[b].along != a)
            pair(a, b);
      continue;
    }
    for (const sharding::OperandRule &operand : factors.rule.operands)
      for (size_t a = 0; a < operand.dims.size(); ++a)
        for (size_t b = a + 1; b < operand.dims.size(); ++b)
          pair(operand.dims[a].front(), operand.dims[b].front());
  }
  for (const auto &entry : parameters_) {
    const Parameter &parameter = entry.second;
    for (int a = 0; a < parameter.type.getRank(); ++a)
      for (int b = a + 1; b < parameter.type.getRank(); ++b)
        addConflict(classOf(parameter, a), classOf(parameter, b), [&] {
          return "parameter \"" + entry.first.str() + "\" would have one axis on dimensions " + std::to_string(a) +
                 " and " + std::to_string(b);
        });
  }
}

std::string FactorClasses::whyConflict(int a, int b) const {
  auto it = conflicts_.find(std::minmax(a, b));
  return it == conflicts_.end() ? std::string() : it->second;
}
