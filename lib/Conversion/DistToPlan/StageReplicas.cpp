//===- StageReplicas.cpp - updates of tied parameters' copies -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/StageReplicas.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <map>
#include <set>

using namespace mlir;
using namespace modelpar;

namespace {

class ReplicaUpdates {
public:
  explicit ReplicaUpdates(func::FuncOp step) : step_(step), symbols_(step->getParentOfType<ModuleOp>()) {}

  LogicalResult run() {
    collect();
    for (auto &[parameter, stages] : users_)
      for (int64_t stage : stages)
        if (failed(addUpdate(parameter, stage)))
          return failure();
    return success();
  }

private:
  static int64_t stageOf(Operation *call) {
    auto stage = call->getAttrOfType<IntegerAttr>(dist::DistDialect::getStageAttrName());
    return stage ? stage.getInt() : 0;
  }

  /// Who uses each parameter's value in the loop, and what writes it.
  void collect() {
    for (Operation &op : step_.getBody().front()) {
      if (auto write = dyn_cast<nn::WriteParameterOp>(op))
        writes_[write.getParameterAttr().getAttr()].push_back(write);
      auto call = dyn_cast<func::CallOp>(op);
      auto role = call ? call->getAttrOfType<nn::RoleAttr>(nn::kRoleAttr) : nn::RoleAttr();
      if (!role || role.getValue() == nn::Role::update)
        continue;
      for (StringAttr parameter : parametersOf(call))
        users_[parameter].insert(stageOf(call));
    }
  }

  /// Parameters that reach a call through anything but calls.
  static llvm::SetVector<StringAttr> parametersOf(func::CallOp call) {
    llvm::SetVector<StringAttr> parameters;
    SmallVector<Operation *> open{call};
    llvm::DenseSet<Operation *> seen;
    while (!open.empty())
      for (Value operand : open.pop_back_val()->getOperands()) {
        Operation *source = operand.getDefiningOp();
        if (!source || isa<func::CallOp>(source) || !seen.insert(source).second)
          continue;
        if (auto read = dyn_cast<nn::ReadParameterOp>(source))
          parameters.insert(read.getParameterAttr().getAttr());
        open.push_back(source);
      }
    return parameters;
  }

  LogicalResult addUpdate(StringAttr parameter, int64_t stage) {
    // By call, in case the tensors kept for a parameter are updated apart.
    llvm::MapVector<func::CallOp, SmallVector<nn::WriteParameterOp>> calls;
    for (nn::WriteParameterOp write : writes_.lookup(parameter)) {
      auto call = write.getValue().getDefiningOp<func::CallOp>();
      if (!call)
        return write.emitOpError() << "expected the result of an update call: stage " << stage << " has a replica of @"
                                   << parameter.getValue();
      if (stageOf(call) != stage)
        calls[call].push_back(write);
    }
    for (auto &[call, writes] : calls) {
      SmallVector<unsigned> results;
      for (nn::WriteParameterOp write : writes)
        results.push_back(cast<OpResult>(write.getValue()).getResultNumber());
      auto [function, arguments] = specialise(call, results);
      OpBuilder builder(step_.getBody().front().getTerminator());
      auto operands =
          llvm::map_to_vector(arguments, [&, call = call](unsigned index) { return call->getOperand(index); });
      auto replica = func::CallOp::create(builder, call->getLoc(), function, operands);
      replica->setDiscardableAttrs(call->getDiscardableAttrDictionary());
      replica->setAttr(dist::DistDialect::getStageAttrName(), builder.getI64IntegerAttr(stage));
      for (auto [write, result] : llvm::zip_equal(writes, replica.getResults()))
        nn::WriteParameterOp::create(builder, write.getLoc(), write.getParameterAttr(), result, write.getSlotAttr());
    }
    return success();
  }

  /// The callee for some of its results, and which of its arguments that takes.
  std::pair<func::FuncOp, SmallVector<unsigned>> specialise(func::CallOp call, ArrayRef<unsigned> results) {
    auto &[function, arguments] = specialised_[{call.getCallee(), results.vec()}];
    if (function)
      return {function, arguments};
    auto callee = symbols_.lookup<func::FuncOp>(call.getCallee());
    Block &body = callee.getBody().front();
    llvm::SetVector<Operation *> needed;
    std::set<unsigned> used;
    SmallVector<Value> open =
        llvm::map_to_vector(results, [&](unsigned i) { return body.getTerminator()->getOperand(i); });
    SmallVector<Value> returned = open;
    while (!open.empty()) {
      Value value = open.pop_back_val();
      if (auto argument = dyn_cast<BlockArgument>(value))
        used.insert(argument.getArgNumber());
      else if (needed.insert(value.getDefiningOp()))
        llvm::append_range(open, value.getDefiningOp()->getOperands());
    }
    arguments.assign(used.begin(), used.end());
    auto taken = llvm::map_to_vector(arguments, [&](unsigned i) -> Value { return body.getArgument(i); });

    OpBuilder builder(callee);
    builder.setInsertionPointAfter(callee);
    auto type = builder.getFunctionType(TypeRange(ValueRange(taken)), TypeRange(ValueRange(returned)));
    function = func::FuncOp::create(builder, callee.getLoc(), (callee.getName() + ".replica").str(), type);
    function.setPrivate();
    if (Attribute role = callee->getAttr(nn::kRoleAttr))
      function->setAttr(nn::kRoleAttr, role);
    symbols_.insert(function); // Makes the name unique.
    IRMapping mapping;
    mapping.map(ValueRange(taken), ValueRange(function.addEntryBlock()->getArguments()));
    builder.setInsertionPointToStart(&function.getBody().front());
    for (Operation &op : body.without_terminator())
      if (needed.contains(&op))
        builder.clone(op, mapping);
    auto mapped = llvm::map_to_vector(returned, [&](Value value) { return mapping.lookup(value); });
    func::ReturnOp::create(builder, callee.getLoc(), mapped);
    return {function, arguments};
  }

  func::FuncOp step_;
  SymbolTable symbols_;
  llvm::DenseMap<StringAttr, SmallVector<nn::WriteParameterOp>> writes_;
  llvm::MapVector<StringAttr, std::set<int64_t>> users_;
  std::map<std::pair<StringRef, std::vector<unsigned>>, std::pair<func::FuncOp, SmallVector<unsigned>>> specialised_;
};

} // namespace

LogicalResult modelpar::addReplicaUpdates(func::FuncOp step) { return ReplicaUpdates(step).run(); }
