//===- VerifySharded.cpp - the decisions before they are types ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The conditions S1 to S8 of Passes.td: all that the partitioner takes for granted.
//
//===----------------------------------------------------------------------===//

#include "PlacedOp.h"
#include "StageCut.h"

#include "modelpar/Dialect/Dist/Transforms/Passes.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

namespace modelpar::dist {
#define GEN_PASS_DEF_VERIFYSHARDED
#include "modelpar/Dialect/Dist/Transforms/Passes.h.inc"
} // namespace modelpar::dist

namespace {

class Checker {
public:
  Checker(ModuleOp module, const sharding::Mesh &mesh) : module(module), mesh(mesh) {
    for (auto function : module.getOps<func::FuncOp>())
      functions[function.getName()] = function;
  }

  LogicalResult check() {
    if (failed(checkModule()))
      return failure();
    for (Operation &op : module.getOps())
      if (auto parameter = dyn_cast<ParameterOpInterface>(op); parameter && failed(checkParameter(parameter)))
        return failure();
    for (auto function : module.getOps<func::FuncOp>())
      if (failed(checkFunction(function)))
        return failure();
    return success();
  }

private:
  LogicalResult checkModule();
  LogicalResult checkSharding(Operation *op, const Twine &what, Type type, Attribute attr, StringRef name);
  LogicalResult checkParameter(ParameterOpInterface op);
  LogicalResult checkFunction(func::FuncOp function);
  LogicalResult checkOp(func::FuncOp function, Operation &op);
  LogicalResult checkCompute(ShardingRuleOpInterface op);
  LogicalResult checkTypes(Operation &op, const char *what, TypeRange found, TypeRange expected);

  ModuleOp module;
  const sharding::Mesh &mesh;
  llvm::StringMap<func::FuncOp> functions;
};

} // namespace

LogicalResult Checker::checkModule() {
  // S1
  for (StringRef name : {StringRef(DistDialect::getBatchAxesAttrName()), StringRef(kSharedAxesAttr)}) {
    Attribute attr = module->getAttr(name);
    auto axes = dyn_cast_or_null<AxesAttr>(attr);
    if (attr && !axes)
      return module.emitError() << name << " is " << attr << ", expected #dist.axes";
    for (const sharding::AxisRef &axis : axes ? resolve(mesh, axes.getValue()) : sharding::DimSharding())
      if (!mesh.isValid(axis))
        return module.emitError() << name << " has axis " << sharding::toString(axis, &mesh)
                                  << ", which the mesh does not have";
  }
  return success();
}

LogicalResult Checker::checkSharding(Operation *op, const Twine &what, Type type, Attribute attr, StringRef name) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return op->emitOpError() << what << " is of type " << type << ", expected a tensor";
  auto sharding = dyn_cast_or_null<ShardingAttr>(attr);
  if (!sharding)
    return op->emitOpError() << what << " of type " << type << " has no " << name;
  if (auto error = sharding::validate(mesh, tensor.getShape().vec(), resolve(mesh, sharding)))
    return op->emitOpError() << what << ": " << *error;
  for (const sharding::DimSharding &dim : sharding.getValue().dims)
    for (const sharding::AxisRef &axis : dim)
      if (axis.shift) // S8
        return op->emitOpError() << what << ": parts go round a ring in phase staged only, found "
                                 << sharding::toString(axis, &mesh);
  return success();
}

LogicalResult Checker::checkParameter(ParameterOpInterface op) {
  // S5
  Attribute attr = op->getAttr(DistDialect::getStorageAttrName());
  StringRef name = SymbolTable::getSymbolName(op).getValue();
  if (failed(checkSharding(op, "parameter @" + name, op.getParameterType(), attr, DistDialect::getStorageAttrName())))
    return failure();
  if (!cast<ShardingAttr>(attr).getValue().partial.empty())
    return op->emitOpError() << "parameter @" << name << " is stored partial, expected it whole";
  return success();
}

LogicalResult Checker::checkFunction(func::FuncOp function) {
  // S2
  if (!function.getBody().hasOneBlock())
    return function.emitOpError() << "expected a body of one block";
  StringRef name = DistDialect::getShardingAttrName();
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(checkSharding(function, "argument " + Twine(i), type, function.getArgAttr(i, name), name)))
      return failure();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(checkSharding(function, "result " + Twine(i), type, function.getResultAttr(i, name), name)))
      return failure();
  for (Operation &op : function.getBody().front())
    if (failed(checkOp(function, op)))
      return failure();
  // S7
  return function.getName() == kStepFunction ? verifyStages(function, mesh) : success();
}

LogicalResult Checker::checkTypes(Operation &op, const char *what, TypeRange found, TypeRange expected) {
  if (found == expected)
    return success();
  return op.emitOpError() << "has " << what << "s of types (" << found << "), expected (" << expected << ")";
}

LogicalResult Checker::checkOp(func::FuncOp function, Operation &op) {
  for (TypeRange types : {TypeRange(op.getOperandTypes()), TypeRange(op.getResultTypes())})
    for (Type type : types)
      if (getSharding(type))
        return op.emitOpError() << "has the sharded type " << type << ", expected shardings as attributes";
  if (auto compute = dyn_cast<ShardingRuleOpInterface>(op))
    return checkCompute(compute);
  if (auto call = dyn_cast<func::CallOp>(op)) {
    // S6
    func::FuncOp callee = functions.lookup(call.getCallee());
    if (!callee)
      return call.emitOpError() << "unknown callee @" << call.getCallee();
    if (failed(checkTypes(op, "operand", call.getOperandTypes(), callee.getArgumentTypes())))
      return failure();
    return checkTypes(op, "result", call.getResultTypes(), callee.getResultTypes());
  }
  if (isa<func::ReturnOp>(op))
    return checkTypes(op, "operand", op.getOperandTypes(), function.getResultTypes());
  if (isa<ParameterUseOpInterface>(op))
    return success();
  return op.emitOpError() << "has no sharding rule"; // S4
}

LogicalResult Checker::checkCompute(ShardingRuleOpInterface op) {
  // S3
  if (failed(PlacedOp::get(op, mesh)))
    return failure();
  // S8
  if (op->hasAttr(DistDialect::getRingStepAttrName()))
    return op->emitOpError() << "has " << DistDialect::getRingStepAttrName() << ", which comes with phase staged";
  return success();
}

namespace {

struct VerifySharded : dist::impl::VerifyShardedBase<VerifySharded> {
  using VerifyShardedBase::VerifyShardedBase;

  void runOnOperation() override {
    MeshAttr mesh = getMesh(getOperation());
    if (!mesh) {
      emitError(getOperation().getLoc()) << "needs attribute " << DistDialect::getMeshAttrName() << " (phase sharded)";
      return signalPassFailure();
    }
    if (failed(Checker(getOperation(), mesh.getValue()).check()))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
