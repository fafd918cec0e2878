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
#include "modelpar/Dialect/Dist/Transforms/TypeCheck.h"

#include "mlir/IR/Verifier.h"
#include "modelpar/Interfaces/ParameterUses.h"

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
  Checker(ModuleOp module, const sharding::Mesh &mesh) : module(module), mesh(mesh), types(mesh) {
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
      if (function.getName() == kStepFunction) // P10
        ok &= succeeded(verifyParameterUses({&function.getBody().front()}));
      for (Operation &op : function.getBody().front())
        ok &= succeeded(types.checkTypes(&op)) && succeeded(check(function, &op));
    }
    return ok;
  }

private:
  LogicalResult checkSignature(func::FuncOp function) {
    if (failed(types.checkSignature(function)))
      return failure();
    if (function.getName() != kStepFunction)
      return success();
    // P6
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (ShardingAttr attr = getSharding(type);
          attr && attr.getValue() != TensorSharding::replicated(attr.getValue().dims.size()))
        return function.emitOpError() << "result " << i << " of the step is " << types.show(resolve(mesh, attr))
                                      << ", expected it whole on every rank";
    return success();
  }

  LogicalResult check(func::FuncOp function, Operation *op) {
    if (auto compute = dyn_cast<ShardingRuleOpInterface>(op))
      return types.checkCompute(compute); // P2
    if (isa<ReshardOp, AssumeOp>(op))     // P3
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
      return types.checkEqual(op, "operand", op->getOperandTypes(), function.getResultTypes());
    if (auto use = dyn_cast<ParameterUseOpInterface>(op))
      return checkParameterUse(use);
    return op->emitOpError() << "has no sharding rule";
  }

  /// P4
  LogicalResult checkCall(func::CallOp call) {
    func::FuncOp callee = functions.lookup(call.getCallee());
    if (!callee)
      return call.emitOpError() << "unknown callee @" << call.getCallee();
    if (failed(types.checkEqual(call, "operand", call->getOperandTypes(), callee.getArgumentTypes())))
      return failure();
    return types.checkEqual(call, "result", call->getResultTypes(), callee.getResultTypes());
  }

  /// P5
  LogicalResult checkParameterUse(ParameterUseOpInterface op) {
    ShardingAttr expected = storage.lookup(op.getParameter()), found = getSharding(op.getParameterValue().getType());
    if (!expected)
      return op->emitOpError() << "parameter @" << op.getParameter() << " has no " << DistDialect::getStorageAttrName();
    if (found != expected)
      return op->emitOpError() << "value is " << types.show(resolve(mesh, found)) << ", parameter @"
                               << op.getParameter() << " is stored as " << types.show(resolve(mesh, expected));
    return success();
  }

  ModuleOp module;
  const sharding::Mesh &mesh;
  TypeCheck types; // P1
  llvm::StringMap<func::FuncOp> functions;
  llvm::StringMap<ShardingAttr> storage;
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
