//===- VerifyPartitioned.cpp - the type checker of shardings --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A missing, doubled or misplaced reduction is a type error, found op by op. It
// relies on nothing that the partitioner did but the placements in the module.
//
//===----------------------------------------------------------------------===//

#include "PlacedOp.h"
#include "StageCut.h"
#include "StageParts.h"

#include "modelpar/Dialect/Dist/Transforms/Passes.h"

#include "mlir/IR/Verifier.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::TensorSharding;

namespace modelpar::dist {
#define GEN_PASS_DEF_VERIFYPARTITIONED
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

class Checker {
public:
  Checker(ModuleOp module, const sharding::Mesh &mesh) : module(module), mesh(mesh) {
    for (Operation &op : module.getOps()) {
      if (auto function = dyn_cast<func::FuncOp>(op))
        functions[function.getName()] = function;
      else if (isa<ParameterOpInterface>(op))
        storage[SymbolTable::getSymbolName(&op).getValue()] =
            op.getAttrOfType<ShardingAttr>(DistDialect::getStorageAttrName());
    }
  }

  /// All errors are reported, not only the first.
  bool check() {
    bool ok = true;
    for (auto function : module.getOps<func::FuncOp>()) {
      ok &= succeeded(checkSignature(function));
      if (function.getName() == kStepFunction) // P8
        ok &= succeeded(verifyStages(function, mesh));
      for (Operation &op : function.getBody().front())
        ok &= succeeded(checkTypes(&op)) && succeeded(check(function, &op));
    }
    return ok;
  }

private:
  std::string show(const TensorSharding &sharding) const { return sharding::toString(sharding, &mesh); }

  /// P1
  LogicalResult checkType(Operation *op, Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return success();
    ShardingAttr attr = getSharding(type);
    if (!attr)
      return op->emitOpError() << "has a tensor without sharding, " << type;
    // Types repeat: each is validated once.
    if (!validTypes.insert(type).second)
      return success();
    auto fail = [&](const std::string &error) {
      validTypes.erase(type);
      return op->emitOpError() << "type " << type << ": " << error;
    };
    if (auto error = sharding::validate(mesh, tensor.getShape().vec(), resolve(mesh, attr)))
      return fail(*error);
    for (const sharding::DimSharding &dim : attr.getValue().dims)
      for (const sharding::AxisRef &axis : dim)
        if (axis.shift)
          return fail("parts go round a ring in phase staged only, found " + sharding::toString(axis, &mesh));
    return success();
  }

  LogicalResult checkTypes(Operation *op) {
    for (Type type : op->getOperandTypes())
      if (failed(checkType(op, type)))
        return failure();
    for (Type type : op->getResultTypes())
      if (failed(checkType(op, type)))
        return failure();
    return success();
  }

  LogicalResult checkSignature(func::FuncOp function) {
    if (!function.getBody().hasOneBlock())
      return function.emitOpError() << "expected a body of one block";
    for (Type type : function.getArgumentTypes())
      if (failed(checkType(function, type)))
        return failure();
    for (auto [argument, type] : llvm::zip_equal(function.getArguments(), function.getArgumentTypes()))
      if (argument.getType() != type)
        return function.emitOpError() << "argument " << argument.getArgNumber() << " has type " << argument.getType()
                                      << ", the signature says " << type;
    if (function.getName() != kStepFunction)
      return success();
    // P6
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (ShardingAttr attr = getSharding(type);
          attr && attr.getValue() != TensorSharding::replicated(attr.getValue().dims.size()))
        return function.emitOpError() << "result " << i << " of the step is " << show(resolve(mesh, attr))
                                      << ", expected it whole on every rank";
    return success();
  }

  LogicalResult check(func::FuncOp function, Operation *op) {
    if (auto compute = dyn_cast<ShardingRuleOpInterface>(op))
      return checkCompute(compute);
    if (isa<ReshardOp, AssumeOp>(op)) // P3
      return op->emitOpError() << "must be gone in phase partitioned";
    if (auto accumulate = dyn_cast<AccumulateOp>(op)) { // P7
      llvm::DenseSet<Value> seen;
      for (Value input : accumulate.getInputs())
        if (!seen.insert(input).second)
          return op->emitOpError() << "adds one value twice";
    }
    if (auto parts = dyn_cast<StagePartsOp>(op); parts && failed(verifyStageParts(parts))) // P9
      return failure();
    if (isa<DistDialect>(op->getDialect())) // P3
      return verify(op, /*verifyRecursively=*/false);
    if (auto call = dyn_cast<func::CallOp>(op))
      return checkCall(call);
    if (isa<func::ReturnOp>(op))
      return checkEqual(op, "operand", op->getOperandTypes(), function.getResultTypes());
    if (auto use = dyn_cast<ParameterUseOpInterface>(op))
      return checkParameterUse(use);
    return op->emitOpError() << "has no sharding rule";
  }

  /// P2
  LogicalResult checkCompute(ShardingRuleOpInterface op) {
    auto placed = PlacedOp::get(op, mesh);
    if (failed(placed))
      return failure();
    if (auto error = placed->checkSumOverOperands())
      return op->emitOpError() << *error;
    std::vector<Partials> partials;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      TensorSharding found = getSharding(mesh, cast<RankedTensorType>(operand.getType()));
      partials.push_back(std::move(found.partial));
      found.partial.clear();
      if (TensorSharding expected = placed->operand(i); found != expected)
        return op->emitOpError() << "operand " << i << " is " << show(found) << ", its rule and placement need "
                                 << show(expected);
    }
    PlacedOp::Passed passed = placed->passThrough(partials);
    if (!passed.error.empty())
      return op->emitOpError() << passed.error;
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      TensorSharding found = getSharding(mesh, cast<RankedTensorType>(result.getType()));
      if (TensorSharding expected = placed->result(i, passed.partial); found != expected)
        return op->emitOpError() << "result " << i << " is " << show(found) << ", its rule and placement give "
                                 << show(expected);
    }
    return success();
  }

  /// P4
  LogicalResult checkEqual(Operation *op, const char *what, TypeRange found, TypeRange expected) {
    if (found.size() != expected.size())
      return op->emitOpError() << "has " << found.size() << " " << what << "s, expected " << expected.size();
    for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(found, expected)))
      if (std::get<0>(pair) != std::get<1>(pair))
        return op->emitOpError() << what << " " << i << " has type " << std::get<0>(pair) << ", the function's is "
                                 << std::get<1>(pair);
    return success();
  }

  LogicalResult checkCall(func::CallOp call) {
    func::FuncOp callee = functions.lookup(call.getCallee());
    if (!callee)
      return call.emitOpError() << "unknown callee @" << call.getCallee();
    if (failed(checkEqual(call, "operand", call->getOperandTypes(), callee.getArgumentTypes())))
      return failure();
    return checkEqual(call, "result", call->getResultTypes(), callee.getResultTypes());
  }

  /// P5
  LogicalResult checkParameterUse(ParameterUseOpInterface op) {
    ShardingAttr expected = storage.lookup(op.getParameter()), found = getSharding(op.getParameterValue().getType());
    if (!expected)
      return op->emitOpError() << "parameter @" << op.getParameter() << " has no " << DistDialect::getStorageAttrName();
    if (found != expected)
      return op->emitOpError() << "value is " << show(resolve(mesh, found)) << ", parameter @" << op.getParameter()
                               << " is stored as " << show(resolve(mesh, expected));
    return success();
  }

  ModuleOp module;
  const sharding::Mesh &mesh;
  llvm::StringMap<func::FuncOp> functions;
  llvm::StringMap<ShardingAttr> storage;
  llvm::DenseSet<Type> validTypes;
};

struct VerifyPartitioned : dist::impl::VerifyPartitionedBase<VerifyPartitioned> {
  using VerifyPartitionedBase::VerifyPartitionedBase;

  void runOnOperation() override {
    MeshAttr mesh = getMesh(getOperation());
    if (!mesh) {
      emitError(getOperation().getLoc()) << "needs attribute " << DistDialect::getMeshAttrName();
      return signalPassFailure();
    }
    if (!Checker(getOperation(), mesh.getValue()).check())
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
