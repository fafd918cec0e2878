//===- ConvertBody.cpp - one function to one body of instructions ---------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops to instructions: compute ops by their mnemonic, collectives on stream 1, calls,
// accumulations right after each contribution.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DistToPlan/ConvertBody.h"

#include "modelpar/Dialect/NN/IR/NN.h"
#include "modelpar/Sharding/AxisParts.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace modelpar;

/// Streams of a body.
static constexpr uint32_t kCompute = 0, kCommunication = 1;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value BodyEmitter::use(StringAttr buffer, RankedTensorType type) {
  Value &use = uses_[{buffer, type}];
  if (!use)
    use = plan::UseOp::create(builder_, builder_.getUnknownLoc(), plan::BufferType::get(type),
                              FlatSymbolRefAttr::get(buffer));
  return use;
}

/// Every value has a handle of its own, an in-place result too: so the plan says which instruction must have run before
/// a read.
Value BodyEmitter::makeHandle(Value value) {
  Location loc = builder_.getUnknownLoc();
  auto type = cast<RankedTensorType>(value.getType());
  auto bufferType = plan::BufferType::get(type);
  const Place &place = storage_.placeOf(value);
  Value base;
  if (place.kind == Place::Kind::Local) {
    Value &local = bases_[storage_.slotOf(value)];
    if (!local)
      return local = plan::AllocOp::create(builder_, loc, bufferType, static_cast<uint64_t>(tensors_[type].bytes),
                                           IntegerAttr());
    base = local;
  } else {
    base = place.kind == Place::Kind::Argument ? arguments_[place.index] : use(place.buffer, type);
    if (storage_.isKept(value) && base.getType() == bufferType)
      return base;
  }
  return plan::AliasOp::create(builder_, loc, bufferType, base);
}

Value BodyEmitter::handle(Value value) {
  value = storage_.canonical(value);
  if (Value known = handles_.lookup(value))
    return known;
  return handles_[value] = makeHandle(value);
}

SmallVector<Value> BodyEmitter::handles(ValueRange values) {
  SmallVector<Value> result;
  result.reserve(values.size());
  for (Value value : values)
    result.push_back(handle(value));
  return result;
}

LogicalResult BodyEmitter::emitCopy(Value value, Place place) {
  auto type = cast<RankedTensorType>(value.getType());
  Value target = place.kind == Place::Kind::Argument ? arguments_[place.index] : use(place.buffer, type);
  // A sum of one tensor is a copy.
  if (!isa<FloatType>(type.getElementType()))
    return emitError(value.getLoc()) << "a program or block returns " << type
                                     << " that is an argument or returned twice, which only floats can be";
  plan::LaunchOp::create(builder_, value.getLoc(), "sum", ValueRange(handle(value)), ValueRange(target), Value(),
                         builder_.getDictionaryAttr({}), kCompute, DenseI32ArrayAttr(), IntegerAttr());
  return success();
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emit(Block &body) {
  for (Operation &op : body.without_terminator())
    if (failed(emit(&op)))
      return failure();
  return success();
}

LogicalResult BodyEmitter::emit(Operation *op) {
  // What has no instruction: reads and writes of parameters are bound to their buffers, `assume` is the same bytes, and
  // what is sent or received is in a buffer around the program.
  if (isa<nn::ReadParameterOp, nn::WriteParameterOp, nn::GradientOp, dist::SendOp, dist::RecvOp>(op))
    return success();
  if (!isa<dist::AssumeOp>(op) && failed(emitInstruction(op)))
    return failure();
  emitContributions(op);
  return success();
}

LogicalResult BodyEmitter::emitInstruction(Operation *op) {
  if (auto accumulate = dyn_cast<dist::AccumulateOp>(op)) {
    for (Value contribution : findContributions(tensors_, accumulate).values)
      if (!contribution.getDefiningOp()) // The others came right after their ops.
        emitAccumulate(accumulate, contribution);
    return success();
  }
  if (auto call = dyn_cast<func::CallOp>(op)) {
    emitCall(call);
    return success();
  }
  if (isa<ShardingRuleOpInterface, dist::SliceOp>(op)) {
    emitLaunch(op);
    return success();
  }
  if (auto parts = dyn_cast<dist::StagePartsOp>(op)) {
    emitStageParts(parts);
    return success();
  }
  return emitCollective(op);
}

void BodyEmitter::emitLaunch(Operation *op) {
  SmallVector<NamedAttribute> attributes =
      isa<dist::SliceOp>(op) ? SmallVector<NamedAttribute>() : kernelAttributes(op);
  int64_t scratch = scratchBytes(tensors_, op, deviceKind_, attributes);
  if (double flops = tensors_.localFlops(op); flops > 0)
    attributes.emplace_back(builder_.getStringAttr("flops"), builder_.getF64FloatAttr(flops));
  Value workspace;
  if (scratch > 0) {
    scratch = (scratch + planformat::kAlignment - 1) / planformat::kAlignment * planformat::kAlignment;
    auto type = RankedTensorType::get({scratch / 4}, builder_.getF32Type());
    workspace = plan::AllocOp::create(builder_, op->getLoc(), plan::BufferType::get(type),
                                      static_cast<uint64_t>(scratch), IntegerAttr(), /*workspace=*/true);
  }
  SmallVector<Value> inputs = handles(op->getOperands()), outputs = handles(op->getResults());
  plan::LaunchOp::create(builder_, op->getLoc(), op->getName().stripDialect(), inputs, outputs, workspace,
                         builder_.getDictionaryAttr(attributes), kCompute, DenseI32ArrayAttr(), IntegerAttr());
}

/// The sum of what this stage has: one tensor, mostly in place, or nothing.
void BodyEmitter::emitStageParts(dist::StagePartsOp op) {
  SmallVector<Value> inputs = handles(op.getParts()), outputs{handle(op.getResult())};
  plan::LaunchOp::create(builder_, op.getLoc(), "sum", inputs, outputs, Value(), builder_.getDictionaryAttr({}),
                         kCompute, DenseI32ArrayAttr(), IntegerAttr());
}

void BodyEmitter::emitCall(func::CallOp call) {
  auto instance = call->getAttrOfType<IntegerAttr>(nn::kInstanceAttr);
  SmallVector<Value> inputs = handles(call.getOperands()), outputs = handles(call.getResults());
  plan::CallOp::create(builder_, call.getLoc(), call.getCallee(), inputs, outputs,
                       static_cast<uint64_t>(instance ? instance.getInt() : 0), IntegerAttr(), kCompute,
                       DenseI32ArrayAttr(), IntegerAttr());
}

LogicalResult BodyEmitter::emitCollective(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](dist::AllReduceOp all) {
        emitCollective(op, plan::CollectiveKind::all_reduce, all.getAxes(), all.getKind(), std::nullopt, std::nullopt);
        return success();
      })
      .Case([&](dist::AllGatherOp gather) {
        emitCollective(op, plan::CollectiveKind::all_gather, gather.getAxes(), std::nullopt, gather.getDim(),
                       std::nullopt);
        return success();
      })
      .Case([&](dist::ReduceScatterOp scatter) {
        emitCollective(op, plan::CollectiveKind::reduce_scatter, scatter.getAxes(), scatter.getKind(), scatter.getDim(),
                       std::nullopt);
        return success();
      })
      .Case([&](dist::AllToAllOp exchange) {
        emitCollective(op, plan::CollectiveKind::all_to_all, exchange.getAxes(), std::nullopt, exchange.getDim(),
                       exchange.getSourceDim());
        return success();
      })
      .Case([&](dist::CollectivePermuteOp permute) {
        emitCollective(op, plan::CollectiveKind::collective_permute, permute.getAxes(), std::nullopt, std::nullopt,
                       std::nullopt, permute.getShift());
        return success();
      })
      .Default([](Operation *other) {
        return other->emitOpError() << "has no instruction, expected compute ops, collectives and calls";
      });
}

void BodyEmitter::emitCollective(Operation *op, plan::CollectiveKind kind, dist::AxesAttr axes,
                                 std::optional<dist::ReduceKind> reduce, std::optional<int64_t> dim,
                                 std::optional<int64_t> sourceDim, std::optional<int64_t> shift) {
  SmallVector<Attribute> axisAttrs;
  for (const sharding::AxisRef &axis : sharding::joinedAxes(dist::resolve(tensors_.mesh(), axes.getValue())))
    axisAttrs.push_back(plan::AxisAttr::get(op->getContext(), axis.name, axis.preSize, axis.size, axis.subset));
  auto integer = [&](std::optional<int64_t> value) {
    return value ? builder_.getI32IntegerAttr(static_cast<int32_t>(*value)) : IntegerAttr();
  };
  StringAttr reduceAttr;
  if (reduce)
    reduceAttr = builder_.getStringAttr(llvm::StringRef(sharding::name(dist::toPlain(*reduce))));
  SmallVector<Value> inputs = handles(op->getOperands()), outputs = handles(op->getResults());
  plan::CollectiveOp::create(builder_, op->getLoc(), kind, inputs, outputs, builder_.getArrayAttr(axisAttrs),
                             reduceAttr, integer(dim), integer(sourceDim), integer(shift), kCommunication,
                             DenseI32ArrayAttr(), IntegerAttr());
}

//===----------------------------------------------------------------------===//
// Accumulation
//===----------------------------------------------------------------------===//

/// Adds the op's results to the sums that they are contributions of, so that they die early.
void BodyEmitter::emitContributions(Operation *op) {
  for (Value result : op->getResults())
    for (OpOperand &use : result.getUses())
      if (auto accumulate = dyn_cast<dist::AccumulateOp>(use.getOwner()))
        emitAccumulate(accumulate, result);
}

void BodyEmitter::emitAccumulate(dist::AccumulateOp op, Value contribution) {
  auto [found, isNew] = contributions_.try_emplace(op);
  Contributions &all = found->second;
  if (isNew)
    all = findContributions(tensors_, op);
  // `values` shrinks to what is not done yet; the first to come is the first of the sum.
  bool isFirst = all.values.size() == op.getInputs().size();
  all.values.erase(llvm::find(all.values, contribution));
  if (isFirst && storage_.slotOf(contribution) == storage_.slotOf(op.getResult()))
    return;
  plan::AccumulateOp::create(builder_, op.getLoc(), handle(contribution), handle(op.getResult()), isFirst, kCompute,
                             DenseI32ArrayAttr(), IntegerAttr());
}
