//===- TypeCheck.cpp - types of sharded tensors ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Dist/Transforms/TypeCheck.h"

#include "PlacedOp.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::TensorSharding;

std::string TypeCheck::show(const TensorSharding &sharding) const { return sharding::toString(sharding, &mesh_); }

LogicalResult TypeCheck::checkType(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return success();
  ShardingAttr attr = getSharding(type);
  if (!attr)
    return op->emitOpError() << "has a tensor without sharding, " << type;
  // Types repeat: each is validated once.
  if (!validTypes_.insert(type).second)
    return success();
  auto fail = [&](const std::string &error) {
    validTypes_.erase(type);
    return op->emitOpError() << "type " << type << ": " << error;
  };
  if (auto error = sharding::validate(mesh_, tensor.getShape().vec(), resolve(mesh_, attr)))
    return fail(*error);
  for (const sharding::DimSharding &dim : attr.getValue().dims)
    for (const sharding::AxisRef &axis : dim)
      if (axis.shift && !rings_)
        return fail("parts go round a ring in phase staged only, found " + sharding::toString(axis, &mesh_));
  return success();
}

LogicalResult TypeCheck::checkTypes(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (failed(checkType(op, type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(checkType(op, type)))
      return failure();
  return success();
}

LogicalResult TypeCheck::checkSignature(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError() << "expected a body of one block";
  for (Type type : function.getArgumentTypes())
    if (failed(checkType(function, type)))
      return failure();
  for (auto [argument, type] : llvm::zip_equal(function.getArguments(), function.getArgumentTypes()))
    if (argument.getType() != type)
      return function.emitOpError() << "argument " << argument.getArgNumber() << " has type " << argument.getType()
                                    << ", the signature says " << type;
  return success();
}

LogicalResult TypeCheck::checkCompute(ShardingRuleOpInterface op) {
  auto placed = PlacedOp::get(op, mesh_);
  if (failed(placed))
    return failure();
  if (auto error = placed->checkSumOverOperands())
    return op->emitOpError() << *error;
  std::vector<Partials> partials;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    TensorSharding found = getSharding(mesh_, cast<RankedTensorType>(operand.getType()));
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
    TensorSharding found = getSharding(mesh_, cast<RankedTensorType>(result.getType()));
    if (TensorSharding expected = placed->result(i, passed.partial); found != expected)
      return op->emitOpError() << "result " << i << " is " << show(found) << ", its rule and placement give "
                               << show(expected);
  }
  return success();
}

LogicalResult TypeCheck::checkEqual(Operation *op, const char *what, TypeRange found, TypeRange expected) {
  if (found.size() != expected.size())
    return op->emitOpError() << "has " << found.size() << " " << what << "s, expected " << expected.size();
  for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(found, expected)))
    if (std::get<0>(pair) != std::get<1>(pair))
      return op->emitOpError() << what << " " << i << " has type " << std::get<0>(pair) << ", the function's is "
                               << std::get<1>(pair);
  return success();
}
