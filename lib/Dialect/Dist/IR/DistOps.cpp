//===- DistOps.cpp - verifiers of the dist dialect ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The result's sharding must be what the op makes of the operand's: each verifier
// states its op as a step of a reshard path (lib/Sharding) and compares.
//
//===----------------------------------------------------------------------===//

#include "lib/Dialect/Dist/IR/AxisText.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::ReshardStep;
using sharding::TensorSharding;

//===----------------------------------------------------------------------===//
// Assembly of op attributes
//===----------------------------------------------------------------------===//

namespace modelpar::dist {

/// `["dp", "tp"]`, the attribute without its name and brackets.
static ParseResult parseAxisList(OpAsmParser &parser, AxesAttr &attr) {
  sharding::DimSharding axes;
  if (parseAxes(parser, axes, AsmParser::Delimiter::Square))
    return failure();
  attr = AxesAttr::get(parser.getContext(), axes);
  return success();
}

static void printAxisList(OpAsmPrinter &printer, Operation *, AxesAttr attr) {
  printer << "[";
  printAxes(printer, attr.getValue());
  printer << "]";
}

/// A fixed axis, in quotes like every axis.
static ParseResult parseAxisName(OpAsmParser &parser, std::string_view expected) {
  std::string name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseString(&name))
    return failure();
  if (name != expected)
    return parser.emitError(loc) << "expected axis \"" << expected << "\", found \"" << name << "\"";
  return success();
}
static void printAxisName(OpAsmPrinter &printer, Operation *, std::string_view name) { printer << '"' << name << '"'; }

/// An integer attribute without its type.
static ParseResult parseInteger(OpAsmParser &parser, IntegerAttr &attr) {
  int64_t value = 0;
  if (parser.parseInteger(value))
    return failure();
  attr = parser.getBuilder().getI64IntegerAttr(value);
  return success();
}
static void printInteger(OpAsmPrinter &printer, Operation *, IntegerAttr attr) { printer << attr.getInt(); }

} // namespace modelpar::dist

#define GET_OP_CLASSES
#include "modelpar/Dialect/Dist/IR/DistOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Checks shared by the ops
//===----------------------------------------------------------------------===//

/// The mesh that an op's types refer to.
static FailureOr<const sharding::Mesh *> requireMesh(Operation *op) {
  MeshAttr mesh = getMesh(op);
  if (!mesh)
    return op->emitOpError() << "needs attribute " << DistDialect::getMeshAttrName() << " on the module";
  return &mesh.getValue();
}

/// C1, for one type: it has a sharding that is well formed on the mesh.
static FailureOr<TensorSharding> requireSharding(Operation *op, const sharding::Mesh &mesh, Type type) {
  ShardingAttr attr = getSharding(type);
  if (!attr)
    return op->emitOpError() << "expected types with a sharding, found " << type;
  TensorSharding sharding = resolve(mesh, attr);
  if (auto error = sharding::validate(mesh, cast<RankedTensorType>(type).getShape().vec(), sharding))
    return op->emitOpError() << "type " << type << ": " << *error;
  return sharding;
}

struct Shardings {
  const sharding::Mesh &mesh; ///< Lives as long as the context.
  TensorSharding from, to;
};

/// C1: one global shape and element type, well-formed shardings.
static FailureOr<Shardings> requirePair(Operation *op, Value input, Value result, bool sameElement = true) {
  auto mesh = requireMesh(op);
  if (failed(mesh))
    return failure();
  auto inputType = cast<RankedTensorType>(input.getType()), resultType = cast<RankedTensorType>(result.getType());
  if (inputType.getShape() != resultType.getShape() ||
      (sameElement && inputType.getElementType() != resultType.getElementType()))
    return op->emitOpError() << "expected operand and result of one global shape and element type, found " << inputType
                             << " and " << resultType;
  auto from = requireSharding(op, **mesh, inputType), to = requireSharding(op, **mesh, resultType);
  if (failed(from) || failed(to))
    return failure();
  return Shardings{**mesh, std::move(*from), std::move(*to)};
}

/// The result's sharding is what the step makes of the operand's.
static LogicalResult verifyStep(Operation *op, Value input, Value result, const ReshardStep &step) {
  auto shardings = requirePair(op, input, result);
  if (failed(shardings))
    return failure();
  ReshardStep resolved = step;
  resolved.axes = resolve(shardings->mesh, step.axes);
  sharding::StepOutcome outcome = sharding::applyStep(shardings->mesh, shardings->from, resolved);
  if (!outcome.sharding)
    return op->emitOpError() << outcome.error;
  if (*outcome.sharding != shardings->to)
    return op->emitOpError() << "expected a result with sharding "
                             << sharding::toString(*outcome.sharding, &shardings->mesh) << ", found "
                             << sharding::toString(shardings->to, &shardings->mesh);
  return success();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult ReshardOp::verify() {
  auto shardings = requirePair(*this, getInput(), getResult());
  if (failed(shardings))
    return failure();
  auto shape = cast<RankedTensorType>(getInput().getType()).getShape();
  sharding::ReshardPath path = sharding::findReshardPath(shardings->mesh, shape.vec(), shardings->from, shardings->to);
  return path.error.empty() ? success() : emitOpError() << path.error;
}

LogicalResult AllReduceOp::verify() {
  if (getInputs().empty() || getInputs().size() != getOutputs().size())
    return emitOpError() << "expected as many results as operands, and at least one, found " << getInputs().size()
                         << " operands and " << getOutputs().size() << " results";
  ReshardStep step{ReshardStep::Kind::AllReduce, getAxes().getValue(), -1, -1, toPlain(getKind())};
  // A model's gradients have few types: each pair is checked once.
  llvm::DenseSet<std::pair<Type, Type>> seen;
  for (auto [input, output] : llvm::zip_equal(getInputs(), getOutputs()))
    if (seen.insert({input.getType(), output.getType()}).second && failed(verifyStep(*this, input, output, step)))
      return failure();
  return success();
}

LogicalResult AllGatherOp::verify() {
  return verifyStep(*this, getInput(), getResult(),
                    {ReshardStep::Kind::AllGather, getAxes().getValue(), static_cast<int>(getDim())});
}

LogicalResult ReduceScatterOp::verify() {
  return verifyStep(
      *this, getInput(), getResult(),
      {ReshardStep::Kind::ReduceScatter, getAxes().getValue(), static_cast<int>(getDim()), -1, toPlain(getKind())});
}

LogicalResult AllToAllOp::verify() {
  return verifyStep(*this, getInput(), getResult(),
                    {ReshardStep::Kind::AllToAll, getAxes().getValue(), static_cast<int>(getDim()),
                     static_cast<int>(getSourceDim())});
}

LogicalResult CollectivePermuteOp::verify() {
  if (getInputs().empty() || getInputs().size() != getOutputs().size()) // C2
    return emitOpError() << "expected as many results as operands, and at least one, found " << getInputs().size()
                         << " operands and " << getOutputs().size() << " results";
  auto mesh = requireMesh(*this);
  if (failed(mesh))
    return failure();
  sharding::DimSharding axes = resolve(**mesh, getAxes().getValue());
  const sharding::AxisRef *axis = axes.size() == 1 ? &axes.front() : nullptr;
  if (!axis || !(*mesh)->isValid(*axis) || axis->name == sharding::kMicroBatchAxis || sharding::plain(*axis) != *axis ||
      !axis->subset.empty()) // C3
    return emitOpError() << "expected one axis of ranks, or a part of one";
  int64_t shift = static_cast<int64_t>(getShift());
  if (shift < 1 || shift >= axis->size) // C4
    return emitOpError() << "expected a shift from 1 to " << axis->size - 1 << ", found " << shift;
  for (auto [input, output] : llvm::zip_equal(getInputs(), getOutputs())) {
    auto shardings = requirePair(*this, input, output); // C1
    if (failed(shardings))
      return failure();
    auto expected = sharding::permuted(shardings->from, *axis, shift); // C5
    if (!expected)
      return emitOpError() << "no dimension is split over " << sharding::toString(*axis, *mesh) << " in "
                           << sharding::toString(shardings->from, *mesh);
    if (*expected != shardings->to)
      return emitOpError() << "expected a result with sharding " << sharding::toString(*expected, *mesh) << ", found "
                           << sharding::toString(shardings->to, *mesh);
  }
  return success();
}

LogicalResult SliceOp::verify() {
  return verifyStep(*this, getInput(), getResult(),
                    {ReshardStep::Kind::Slice, getAxes().getValue(), static_cast<int>(getDim())});
}

LogicalResult AccumulateOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "expected at least one operand";
  auto element = cast<RankedTensorType>(getInputs().front().getType()).getElementType();
  Type expected = element.isF64() ? element : Float32Type::get(getContext());
  Type found = cast<RankedTensorType>(getResult().getType()).getElementType();
  if (found != expected)
    return emitOpError() << "expected a result with elements of type " << expected << ", found " << found;
  auto shardings = requirePair(*this, getInputs().front(), getResult(), /*sameElement=*/false);
  if (failed(shardings))
    return failure();
  TensorSharding whole = shardings->from;
  if (shardings->mesh.has(sharding::kMicroBatchAxis)) {
    sharding::PartialAxis time{shardings->mesh.axis(sharding::kMicroBatchAxis), sharding::ReduceKind::Sum};
    auto it = llvm::find(whole.partial, time);
    if (it == whole.partial.end())
      return emitOpError() << "expected operands that are partial(sum) over \"" << sharding::kMicroBatchAxis
                           << "\", found " << sharding::toString(whole, &shardings->mesh);
    whole.partial.erase(it);
  }
  if (whole != shardings->to)
    return emitOpError() << "expected a result with sharding " << sharding::toString(whole, &shardings->mesh)
                         << ", found " << sharding::toString(shardings->to, &shardings->mesh);
  for (Value input : getInputs())
    if (input.getType() != getInputs().front().getType())
      return emitOpError() << "expected operands of one type, found " << getInputs().front().getType() << " and "
                           << input.getType();
  return success();
}

/// C1 to C3 are marked; the requirements on types come first.
LogicalResult StagePartsOp::verify() {
  auto mesh = requireMesh(*this);
  if (failed(mesh))
    return failure();
  auto type = cast<RankedTensorType>(getResult().getType());
  auto whole = requireSharding(*this, **mesh, type);
  if (failed(whole))
    return failure();
  auto isStage = [](const sharding::PartialAxis &axis) { return axis.axis.name == sharding::kStageAxis; };
  auto group = llvm::find_if(whole->partial, isStage);
  if (group == whole->partial.end() || group->kind != sharding::ReduceKind::Sum) // C2
    return emitOpError() << "expected a result that is partial(sum) over \"" << sharding::kStageAxis << "\", found "
                         << sharding::toString(*whole, *mesh);
  sharding::AxisRef axis = group->axis;
  whole->partial.erase(group);
  for (Value part : getParts()) {
    auto sharding = requireSharding(*this, **mesh, part.getType());
    if (failed(sharding))
      return failure();
    if (*sharding != *whole || withSharding(cast<RankedTensorType>(part.getType()), **mesh, *whole) !=
                                   withSharding(type, **mesh, *whole)) // C1, C2
      return emitOpError() << "expected operands like the result without its group, found " << part.getType() << " and "
                           << type;
  }
  if (getStages().size() != getParts().size()) // C3
    return emitOpError() << "expected one stage per operand, found " << getStages().size() << " stages of "
                         << getParts().size() << " operands";
  for (auto [i, stage] : llvm::enumerate(getStages())) {
    bool inGroup = axis.subset.empty() ? stage >= 0 && stage < axis.size : llvm::is_contained(axis.subset, stage);
    if (!inGroup || (i > 0 && stage <= getStages()[i - 1])) // C3
      return emitOpError() << "expected ascending stages of the group " << sharding::toString(axis, *mesh) << ", found "
                           << stage;
  }
  return success();
}

static LogicalResult verifyTransfer(Operation *op, size_t numValues, ArrayAttr names, int64_t peer) {
  if (numValues == 0 || names.size() != numValues) // C1
    return op->emitOpError() << "expected one name per value and at least one, found " << names.size() << " names of "
                             << numValues << " values";
  llvm::DenseSet<Attribute> seen;
  for (Attribute name : names)
    if (!seen.insert(name).second) // C1
      return op->emitOpError() << "has the name " << name << " twice";
  if (peer < 0) // C2
    return op->emitOpError() << "expected a stage of at least 0, found " << peer;
  return success();
}
LogicalResult SendOp::verify() {
  return verifyTransfer(*this, getValues().size(), getBuffers(), static_cast<int64_t>(getPeer()));
}
LogicalResult RecvOp::verify() {
  return verifyTransfer(*this, getValues().size(), getBuffers(), static_cast<int64_t>(getPeer()));
}

LogicalResult AssumeOp::verify() {
  auto mesh = requireMesh(*this);
  if (failed(mesh))
    return failure();
  auto input = cast<RankedTensorType>(getInput().getType()), result = cast<RankedTensorType>(getResult().getType());
  auto from = requireSharding(*this, **mesh, input), to = requireSharding(*this, **mesh, result);
  if (failed(from) || failed(to))
    return failure();
  if (input.getElementType() != result.getElementType() ||
      sharding::maxShardShape(input.getShape().vec(), *from) != sharding::maxShardShape(result.getShape().vec(), *to))
    return emitOpError() << "expected shards of one shape and element type, found " << input << " and " << result;
  return success();
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

Value dist::createStep(OpBuilder &builder, Location loc, const sharding::Mesh &mesh, Value input,
                       const ReshardStep &step) {
  auto type = withSharding(cast<RankedTensorType>(input.getType()), mesh, step.result);
  AxesAttr axes = makeAxes(builder.getContext(), mesh, step.axes);
  switch (step.kind) {
  case ReshardStep::Kind::Slice:
    return SliceOp::create(builder, loc, type, input, step.dim, axes);
  case ReshardStep::Kind::AllGather:
    return AllGatherOp::create(builder, loc, type, input, step.dim, axes);
  case ReshardStep::Kind::ReduceScatter:
    return ReduceScatterOp::create(builder, loc, type, input, step.dim, axes, fromPlain(step.reduce));
  case ReshardStep::Kind::AllReduce:
    return AllReduceOp::create(builder, loc, TypeRange{type}, ValueRange{input}, axes, fromPlain(step.reduce))
        .getResult(0);
  case ReshardStep::Kind::AllToAll:
    return AllToAllOp::create(builder, loc, type, input, step.sourceDim, step.dim, axes);
  }
  return {};
}
