//===- Tensors.cpp - sharded types as the plan file sees them -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Types, sizes, operations and attributes of compute ops, without naming any op.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/Tensors.h"

#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Dialect/Plan/IR/ElementType.h"
#include "modelpar/PlanFormat/Workspace.h"

using namespace mlir;
using namespace modelpar;

const Tensors::Info &Tensors::operator[](RankedTensorType type) {
  std::unique_ptr<Info> &info = infos_[type];
  if (!info) {
    info = std::make_unique<Info>();
    std::optional<planformat::DType> dtype = plan::toDType(type.getElementType());
    assert(dtype && "the pass refuses other types first");
    info->type.dtype = *dtype;
    info->type.shape = type.getShape().vec();
    info->type.sharding = dist::getSharding(mesh_, type);
    int64_t bytes = planformat::maxShardBytes(info->type);
    info->bytes = (bytes + planformat::kAlignment - 1) / planformat::kAlignment * planformat::kAlignment;
  }
  return *info;
}

bool Tensors::sameBytes(Type a, Type b) {
  const planformat::TensorType &first = (*this)[cast<RankedTensorType>(a)].type;
  const planformat::TensorType &second = (*this)[cast<RankedTensorType>(b)].type;
  auto unshifted = [](std::vector<sharding::DimSharding> dims) {
    for (sharding::DimSharding &dim : dims)
      for (sharding::AxisRef &axis : dim)
        axis.shift = 0;
    return dims;
  };
  return first.dtype == second.dtype && first.shape == second.shape &&
         unshifted(first.sharding.dims) == unshifted(second.sharding.dims);
}

bool Tensors::sameLayout(Type a, Type b) {
  if (a == b)
    return true;
  const planformat::TensorType &first = (*this)[cast<RankedTensorType>(a)].type;
  const planformat::TensorType &second = (*this)[cast<RankedTensorType>(b)].type;
  return first.dtype == second.dtype && first.shape == second.shape && first.sharding.dims == second.sharding.dims;
}

double Tensors::localFlops(Operation *op) {
  auto cost = dyn_cast<CostOpInterface>(op);
  auto rules = dyn_cast<ShardingRuleOpInterface>(op);
  double perPoint = cost ? cost.getFlopsPerPoint() : 0;
  if (perPoint == 0 || !rules)
    return 0;
  sharding::OpShardingRule rule = rules.getShardingRule();
  // A factor is sharded alike wherever it is a dimension's major factor; a dimension that lost it in a reduction says
  // nothing.
  std::vector<int64_t> extents;
  for (const sharding::Factor &factor : rule.factors)
    extents.push_back(factor.size);
  auto shard = [&](const std::vector<sharding::DimFactors> &dims, Value value) {
    const sharding::TensorSharding &sharding = of(value).type.sharding;
    for (size_t d = 0; d < dims.size() && d < sharding.dims.size(); ++d)
      if (!dims[d].empty()) {
        int factor = dims[d].front();
        extents[factor] =
            std::min(extents[factor], sharding::maxShardExtent(rule.factors[factor].size, sharding.dims[d]));
      }
  };
  for (auto [operand, value] : llvm::zip(rule.operands, op->getOperands()))
    shard(operand.dims, value);
  for (auto [result, value] : llvm::zip(rule.results, op->getResults()))
    shard(result.dims, value);
  double points = 1;
  for (int64_t extent : extents)
    points *= static_cast<double>(extent);
  return perPoint * points;
}

SmallVector<NamedAttribute> modelpar::kernelAttributes(Operation *op) {
  SmallVector<NamedAttribute> attributes;
  for (NamedAttribute attribute : op->getAttrDictionary()) {
    if (attribute.getNameDialect()) // dist.placement and other notes of passes.
      continue;
    Attribute value = attribute.getValue();
    if (auto kind = dyn_cast<nn::ActivationKindAttr>(value))
      value = StringAttr::get(op->getContext(), nn::stringifyActivationKind(kind.getValue()));
    if (isa<BoolAttr, StringAttr, IntegerAttr, FloatAttr, DenseI64ArrayAttr, DenseF64ArrayAttr>(value))
      attributes.emplace_back(attribute.getName(), value);
  }
  return attributes;
}

static planformat::Attributes toPlan(ArrayRef<NamedAttribute> attributes) {
  planformat::Attributes result;
  for (NamedAttribute attribute : attributes) {
    planformat::Attribute &value = result[attribute.getName().str()];
    if (auto boolean = dyn_cast<BoolAttr>(attribute.getValue()))
      value = boolean.getValue();
    else if (auto integer = dyn_cast<IntegerAttr>(attribute.getValue()))
      value = integer.getInt();
    else if (auto real = dyn_cast<FloatAttr>(attribute.getValue()))
      value = real.getValueAsDouble();
    else if (auto text = dyn_cast<StringAttr>(attribute.getValue()))
      value = text.str();
  }
  return result;
}

int64_t modelpar::scratchBytes(Tensors &tensors, Operation *op, StringRef deviceKind,
                               ArrayRef<NamedAttribute> attributes) {
  std::vector<planformat::TensorType> inputs, outputs;
  for (Value operand : op->getOperands())
    inputs.push_back(tensors.of(operand).type);
  for (Value result : op->getResults())
    outputs.push_back(tensors.of(result).type);
  return planformat::workspaceBytes(op->getName().stripDialect().str(), deviceKind.str(), toPlan(attributes), inputs,
                                    outputs);
}
