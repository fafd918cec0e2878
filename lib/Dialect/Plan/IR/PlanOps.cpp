//===- PlanOps.cpp - verifiers of tables and instructions -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The constraints C1... that PlanOps.td lists, each marked at its check.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"

using namespace mlir;
using namespace modelpar::plan;

/// The buffer that an attribute names, or an error at `op`.
static FailureOr<BufferOp> lookUpBuffer(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name) {
  auto buffer = symbols.lookupNearestSymbolFrom<BufferOp>(op, name);
  if (!buffer)
    return op->emitOpError() << "expected the name of a plan.buffer, found " << name;
  return buffer;
}

static bool sameShapeAndElement(RankedTensorType a, RankedTensorType b) {
  return a.getShape() == b.getShape() && a.getElementType() == b.getElementType();
}

static RankedTensorType tensorOf(Value value) { return cast<BufferType>(value.getType()).getTensor(); }

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

LogicalResult InputOp::verify() {
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  if (!getDimNames().empty() && static_cast<int64_t>(getDimNames().size()) != rank) // C1
    return emitOpError() << "expected " << rank << " dimension names, found " << getDimNames().size();
  auto bound = [&](unsigned i) { return cast<FloatAttr>(getRange()[i]).getValueAsDouble(); };
  if (getRange().size() != 2 || bound(0) > bound(1)) // C2
    return emitOpError() << "expected a range of two bounds in order";
  if (auto dim = getBatchDim(); dim && static_cast<int64_t>(*dim) >= rank) // C3
    return emitOpError() << "expected 'batch' to be a dimension of " << getType() << ", found " << *dim;
  return success();
}

LogicalResult ParameterOp::verify() {
  if (getStateNames().size() != getState().size()) // C2
    return emitOpError() << "expected one name per state buffer, found " << getStateNames().size() << " names of "
                         << getState().size() << " buffers";
  ArrayRef<int64_t> shape = getCheckpointShape();
  int64_t expected = cast<RankedTensorType>(getType()).getNumElements();
  int64_t found = 1;
  for (int64_t extent : shape)
    if (__builtin_mul_overflow(found, extent, &found))
      return emitOpError() << "expected a checkpoint shape of " << expected << " elements, found more than 2^63";
  if (expected != found) // C3
    return emitOpError() << "expected a checkpoint shape of " << expected << " elements, found " << found;
  auto type = cast<RankedTensorType>(getType());
  int64_t rows = type.getRank() ? type.getDimSize(0) : 0;
  if (std::optional<int64_t> row = getZeroRow(); row && (*row < 0 || *row >= rows)) // C4
    return emitOpError() << "expected 'zero_row' to be one of " << rows << " rows, found " << *row;
  return success();
}

LogicalResult ParameterOp::verifySymbolUses(SymbolTableCollection &symbols) { // C1
  if (failed(lookUpBuffer(*this, symbols, getValueAttr())))
    return failure();
  if (auto gradient = getGradientAttr(); gradient && failed(lookUpBuffer(*this, symbols, gradient)))
    return failure();
  for (Attribute state : getState())
    if (failed(lookUpBuffer(*this, symbols, cast<FlatSymbolRefAttr>(state))))
      return failure();
  return success();
}

LogicalResult OutputOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return lookUpBuffer(*this, symbols, getBufferAttr());
}

LogicalResult BufferOp::verify() {
  if (static_cast<int64_t>(getBytes()) < 0 || static_cast<int32_t>(getSlots()) < 1) // C1
    return emitOpError() << "expected bytes of at least 0 and slots of at least 1, found "
                         << static_cast<int64_t>(getBytes()) << " and " << static_cast<int32_t>(getSlots());
  if (getSlots() > 1 && getOffset() && getStride() < getBytes()) // C2
    return emitOpError() << "expected a stride of at least " << getBytes() << " bytes, found " << getStride();
  if (static_cast<int64_t>(getOffset().value_or(0)) < 0 || static_cast<int64_t>(getStride()) < 0) // C3
    return emitOpError() << "expected an offset and a stride of at least 0";
  return success();
}

/// C1 of tables of one stage: the buffer is there and of this stage.
static FailureOr<BufferOp> lookUpBufferOf(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name,
                                          uint32_t stage) {
  FailureOr<BufferOp> buffer = lookUpBuffer(op, symbols, name);
  if (succeeded(buffer) && buffer->getStage() != stage)
    return op->emitOpError() << "expected a buffer of stage " << stage << ", found " << name << " of stage "
                             << buffer->getStage();
  return buffer;
}

LogicalResult ReplicaOp::verifySymbolUses(SymbolTableCollection &symbols) {
  SmallVector<FlatSymbolRefAttr> names{getValueAttr()};
  if (auto gradient = getGradientAttr())
    names.push_back(gradient);
  llvm::append_range(names, getState().getAsRange<FlatSymbolRefAttr>());
  for (FlatSymbolRefAttr name : names) // C1
    if (failed(lookUpBufferOf(*this, symbols, name, getStage())))
      return failure();
  for (auto parameter : (*this)->getParentOfType<ModuleOp>().getOps<ParameterOp>()) {
    if (parameter.getName() != getParameter() || parameter.getStage() == getStage())
      continue;
    if (parameter.getState().size() != getState().size()) // C2
      return emitOpError() << "expected " << parameter.getState().size() << " state buffers, found "
                           << getState().size();
    return success();
  }
  return emitOpError() << "expected the name of a plan.parameter of another stage, found \"" << getParameter()
                       << "\""; // C3
}

LogicalResult ChannelOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getBuffers().empty()) // C1
    return emitOpError() << "expected at least one buffer";
  for (auto name : getBuffers().getAsRange<FlatSymbolRefAttr>()) { // C1
    FailureOr<BufferOp> buffer = lookUpBufferOf(*this, symbols, name, getStage());
    if (failed(buffer))
      return failure();
    if (!buffer->getPerMicroBatch())
      return emitOpError() << "expected buffers per micro-batch, found " << name;
  }
  if (getPeer() == getStage()) // C2
    return emitOpError() << "expected another stage as peer, found " << getPeer();
  return success();
}

SmallVector<ScheduleOp::Entry> ScheduleOp::getSchedule() {
  SmallVector<Entry> schedule;
  schedule.reserve(getEntries().size());
  ArrayRef<int32_t> rest = getMicroBatches();
  for (Attribute attr : getEntries()) {
    Entry &entry = schedule.emplace_back();
    if (auto program = dyn_cast<FlatSymbolRefAttr>(attr))
      entry.program = program.getAttr();
    else
      for (auto channel : cast<ArrayAttr>(attr).getAsRange<FlatSymbolRefAttr>())
        entry.channels.push_back(channel.getAttr());
    entry.microBatches = rest.take_front(entry.program ? 1 : entry.channels.size());
    rest = rest.drop_front(entry.microBatches.size());
  }
  return schedule;
}

LogicalResult ScheduleOp::verify() {
  size_t expected = 0;
  for (Attribute entry : getEntries()) {
    auto channels = dyn_cast<ArrayAttr>(entry);
    bool isList = channels && !channels.empty() && llvm::all_of(channels, llvm::IsaPred<FlatSymbolRefAttr>);
    if (!isList && !isa<FlatSymbolRefAttr>(entry)) // C2
      return emitOpError() << "expected names of programs and lists of channels, found " << entry;
    expected += isList ? channels.size() : 1;
  }
  if (expected != getMicroBatches().size()) // C1
    return emitOpError() << "expected one micro-batch per program run and channel, found " << expected
                         << " of these and " << getMicroBatches().size() << " micro-batches";
  return success();
}

LogicalResult ScheduleOp::verifySymbolUses(SymbolTableCollection &symbols) { // C2
  auto check = [&](StringAttr name, auto found, StringRef what) -> LogicalResult {
    if (!found)
      return emitOpError() << "expected the name of a plan." << what << ", found @" << name.getValue();
    if (found.getStage() != getStage())
      return emitOpError() << "expected " << what << "s of stage " << getStage() << ", found @" << name.getValue()
                           << " of stage " << found.getStage();
    return success();
  };
  llvm::DenseSet<StringAttr> programs, channels; // Each comes once per micro-batch.
  for (const Entry &entry : getSchedule()) {
    if (entry.program && programs.insert(entry.program).second &&
        failed(check(entry.program, symbols.lookupNearestSymbolFrom<ProgramOp>(*this, entry.program), "program")))
      return failure();
    for (StringAttr channel : entry.channels)
      if (channels.insert(channel).second &&
          failed(check(channel, symbols.lookupNearestSymbolFrom<ChannelOp>(*this, channel), "channel")))
        return failure();
  }
  return success();
}

LogicalResult MemoryOp::verify() {
  if (getPartNames().size() != getPartBytes().size()) // C1
    return emitOpError() << "expected one size per part, found " << getPartNames().size() << " parts and "
                         << getPartBytes().size() << " sizes";
  int64_t sum = 0;
  for (int64_t bytes : getPartBytes())
    if (bytes < 0 || __builtin_add_overflow(sum, bytes, &sum))
      return emitOpError() << "expected parts of at least 0 bytes that 64 bits can count, found " << bytes;
  if (sum != static_cast<int64_t>(getArena())) // C2
    return emitOpError() << "expected parts that add up to " << getArena() << " bytes, found " << sum;
  if (getTransient() > getArena()) // C3
    return emitOpError() << "expected the transient part inside the arena of " << getArena() << " bytes, found it at "
                         << getTransient();
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers of a body
//===----------------------------------------------------------------------===//

LogicalResult UseOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<BufferOp> buffer = lookUpBuffer(*this, symbols, getBufferAttr());
  if (failed(buffer))
    return failure();
  uint32_t stage = cast<ProgramOp>((*this)->getParentOp()).getStage();
  if (buffer->getStage() != stage) // C1
    return emitOpError() << "expected a buffer of stage " << stage << ", found " << getBufferAttr() << " of stage "
                         << buffer->getStage();
  if (!sameShapeAndElement(getType().getTensor(), cast<RankedTensorType>(buffer->getType()))) // C2
    return emitOpError() << "expected the shape and element type of " << getBufferAttr() << ", " << buffer->getType()
                         << ", found " << getType().getTensor();
  return success();
}

LogicalResult AllocOp::verify() {
  if (static_cast<int64_t>(getBytes()) < 0 || static_cast<int64_t>(getOffset().value_or(0)) < 0) // C1
    return emitOpError() << "expected bytes and an offset of at least 0";
  return success();
}

LogicalResult AliasOp::verify() {
  if (!sameShapeAndElement(tensorOf(getSource()), tensorOf(getResult()))) // C1
    return emitOpError() << "expected the shape and element type of " << tensorOf(getSource()) << ", found "
                         << tensorOf(getResult());
  return success();
}

//===----------------------------------------------------------------------===//
// Instructions: what they read and write
//===----------------------------------------------------------------------===//

static OperandRange none(Operation *op) { return op->getOperands().take_front(0); }

OperandRange LaunchOp::getReads() { return getInputs(); }
OperandRange LaunchOp::getWrites() { return getOutputs(); }
Value LaunchOp::getScratch() { return getWorkspace(); }
OperandRange CollectiveOp::getReads() { return getInputs(); }
OperandRange CollectiveOp::getWrites() { return getOutputs(); }
OperandRange CallOp::getReads() { return getInputs(); }
OperandRange CallOp::getWrites() { return getOutputs(); }
OperandRange AccumulateOp::getReads() { return getOperation()->getOperands(); } // Adds to what is there.
OperandRange AccumulateOp::getWrites() { return getOperation()->getOperands().drop_front(1); }
OperandRange LoadOp::getReads() { return none(getOperation()); }
OperandRange LoadOp::getWrites() { return getOperation()->getOperands(); }
OperandRange WaitOp::getReads() { return none(getOperation()); }
OperandRange WaitOp::getWrites() { return none(getOperation()); }

//===----------------------------------------------------------------------===//
// Instructions: verifiers
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verify() {
  for (NamedAttribute attribute : getConfig()) { // C1
    Attribute value = attribute.getValue();
    bool known = isa<BoolAttr, StringAttr, DenseI64ArrayAttr, DenseF64ArrayAttr>(value);
    if (auto number = dyn_cast<TypedAttr>(value); number && !known)
      known = number.getType().isInteger(64) || number.getType().isF64();
    if (!known)
      return emitOpError() << "expected attribute \"" << attribute.getName().getValue()
                           << "\" to be a boolean, string, 64-bit number or array of these, found " << value;
  }
  if (getOutputs().empty()) // C2
    return emitOpError() << "expected at least one output";
  return success();
}

LogicalResult CollectiveOp::verify() {
  if (getInputs().empty() || getInputs().size() != getOutputs().size()) // C1
    return emitOpError() << "expected as many outputs as inputs and at least one, found " << getInputs().size()
                         << " inputs and " << getOutputs().size() << " outputs";
  if (getAxes().empty()) // C2
    return emitOpError() << "expected at least one mesh axis";
  CollectiveKind kind = getKind();
  bool reduces = kind == CollectiveKind::all_reduce || kind == CollectiveKind::reduce_scatter;
  if (reduces != getReduce().has_value()) // C3
    return emitOpError() << (reduces ? "expected" : "expected no") << " 'reduce' with "
                         << stringifyCollectiveKind(kind);
  if (reduces && *getReduce() != "sum" && *getReduce() != "max" && *getReduce() != "lse") // C3
    return emitOpError() << "expected 'reduce' to be \"sum\", \"max\" or \"lse\", found \"" << *getReduce() << "\"";
  bool permutes = kind == CollectiveKind::collective_permute;
  bool hasDim = kind != CollectiveKind::all_reduce && !permutes, hasSource = kind == CollectiveKind::all_to_all;
  if (hasDim != getDim().has_value()) // C4
    return emitOpError() << (hasDim ? "expected" : "expected no") << " 'dim' with " << stringifyCollectiveKind(kind);
  if (hasSource != getSourceDim().has_value()) // C5
    return emitOpError() << (hasSource ? "expected" : "expected no") << " 'from' with "
                         << stringifyCollectiveKind(kind);
  if (permutes != getShift().has_value()) // C6
    return emitOpError() << (permutes ? "expected" : "expected no") << " 'shift' with "
                         << stringifyCollectiveKind(kind);
  if (permutes) { // C6
    int64_t size = cast<AxisAttr>(getAxes()[0]).getSize(), shift = static_cast<int64_t>(*getShift());
    if (getAxes().size() != 1 || shift < 1 || shift >= size)
      return emitOpError() << "expected one axis and a shift from 1 to " << size - 1 << ", found " << getAxes().size()
                           << " and " << shift;
  }
  for (Value input : getInputs()) // C4
    if (hasDim && static_cast<int64_t>(*getDim()) >= tensorOf(input).getRank())
      return emitOpError() << "expected 'dim' to be a dimension of every tensor, found " << *getDim() << " for "
                           << tensorOf(input);
  return success();
}

LogicalResult CallOp::verify() {
  if (getStream() != 0) // C3
    return emitOpError() << "expected a call on stream 0, found stream " << getStream();
  return success();
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<BlockOp>(*this, getCalleeAttr());
  if (!callee) // C1
    return emitOpError() << "expected the name of a plan.block, found " << getCalleeAttr();
  Block &body = callee.getBody().front();
  size_t numInputs = callee.getNumInputs(), numOutputs = body.getNumArguments() - numInputs;
  if (getInputs().size() != numInputs || getOutputs().size() != numOutputs) // C1
    return emitOpError() << "expected " << numInputs << " inputs and " << numOutputs << " outputs of "
                         << getCalleeAttr() << ", found " << getInputs().size() << " and " << getOutputs().size();
  for (auto [index, operand] : llvm::enumerate(getOperands())) // C2
    if (operand.getType() != body.getArgument(index).getType())
      return emitOpError() << "expected argument " << index << " of " << getCalleeAttr() << " to be "
                           << body.getArgument(index).getType() << ", found " << operand.getType();
  return success();
}

LogicalResult AccumulateOp::verify() {
  if (tensorOf(getInput()).getShape() != tensorOf(getOutput()).getShape()) // C1
    return emitOpError() << "expected the shape of " << tensorOf(getInput()) << ", found " << tensorOf(getOutput());
  return success();
}

#define GET_OP_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanOps.cpp.inc"
