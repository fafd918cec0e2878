//===- ExportBody.cpp - one body of instructions --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values are numbered in the order of their ops, after the arguments.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/PlanJSON/Export.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace modelpar;
using planformat::Instruction;
using planformat::ValueId;

namespace {

class BodyExporter {
public:
  BodyExporter(TypeTable &types, const Names &names, planformat::Body &body)
      : types_(types), names_(names), body_(body) {}

  LogicalResult run(Block &block, unsigned numInputs) {
    body_.numInputs = static_cast<int32_t>(numInputs);
    for (BlockArgument argument : block.getArguments()) {
      planformat::Value &value = add(argument, planformat::Value::Storage::Argument);
      value.index = static_cast<int32_t>(argument.getArgNumber());
      body_.arguments.push_back(ids_.lookup(argument));
    }
    for (Operation &op : block)
      if (failed(visit(&op)))
        return failure();
    return success();
  }

private:
  planformat::Value &add(Value handle, planformat::Value::Storage storage) {
    ids_[handle] = static_cast<ValueId>(body_.values.size());
    planformat::Value &value = body_.values.emplace_back();
    value.type = types_(cast<plan::BufferType>(handle.getType()).getTensor());
    value.storage = storage;
    value.bytes = types_.bytes(value.type);
    return value;
  }

  std::vector<ValueId> ids(OperandRange handles) const {
    std::vector<ValueId> result;
    result.reserve(handles.size());
    for (Value handle : handles)
      result.push_back(ids_.lookup(handle));
    return result;
  }

  LogicalResult visit(Operation *op) {
    if (auto alloc = dyn_cast<plan::AllocOp>(op)) {
      if (!alloc.getOffset())
        return op->emitOpError() << "has no offset, expected phase scheduled (plan-allocate)";
      planformat::Value &value = add(alloc, planformat::Value::Storage::Local);
      value.offset = static_cast<int64_t>(*alloc.getOffset());
      value.bytes = static_cast<int64_t>(alloc.getBytes());
      return success();
    }
    if (auto alias = dyn_cast<plan::AliasOp>(op)) {
      int32_t source = ids_.lookup(alias.getSource());
      add(alias, planformat::Value::Storage::Alias).index = source;
      return success();
    }
    if (auto use = dyn_cast<plan::UseOp>(op)) {
      add(use, planformat::Value::Storage::Buffer).index = names_.buffers.lookup(use.getBufferAttr().getAttr());
      return success();
    }
    auto instruction = dyn_cast<plan::InstructionOpInterface>(op);
    if (!instruction)
      return op->emitOpError() << "is no instruction of a plan";
    return visit(instruction);
  }

  LogicalResult visit(plan::InstructionOpInterface op) {
    Instruction &out = body_.instructions.emplace_back();
    out.stream = static_cast<int32_t>(op.getStream());
    if (auto waits = op.getWaits())
      out.waits.assign(waits->begin(), waits->end());
    if (auto record = op.getRecord()) {
      out.record = static_cast<int32_t>(*record);
      body_.numEvents = std::max(body_.numEvents, out.record + 1);
    }
    if (auto name = dyn_cast<NameLoc>(op.getLoc()))
      out.origin = name.getName().str();
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<plan::LaunchOp, plan::CollectiveOp, plan::CallOp, plan::AccumulateOp, plan::LoadOp>(
            [&](auto each) { return fill(each, out); })
        .Case([&](plan::WaitOp) {
          out.kind = Instruction::Kind::Wait;
          return success();
        })
        .Default([](Operation *other) { return other->emitOpError() << "is no instruction of a plan"; });
  }

  LogicalResult fill(plan::LaunchOp op, Instruction &out) {
    out.kind = Instruction::Kind::Kernel;
    out.op = op.getKernel().str();
    out.inputs = ids(op.getInputs());
    out.outputs = ids(op.getOutputs());
    if (Value workspace = op.getWorkspace())
      out.workspace = ids_.lookup(workspace);
    for (NamedAttribute attribute : op.getConfig()) {
      planformat::Attribute &value = out.attributes[attribute.getName().str()];
      llvm::TypeSwitch<Attribute>(attribute.getValue())
          .Case([&](BoolAttr each) { value = each.getValue(); })
          .Case([&](IntegerAttr each) { value = each.getInt(); })
          .Case([&](FloatAttr each) { value = each.getValueAsDouble(); })
          .Case([&](StringAttr each) { value = each.str(); })
          .Case([&](DenseI64ArrayAttr each) { value = std::vector<int64_t>(each.asArrayRef()); })
          .Case([&](DenseF64ArrayAttr each) { value = std::vector<double>(each.asArrayRef()); });
    }
    return success();
  }

  LogicalResult fill(plan::CollectiveOp op, Instruction &out) {
    out.kind = Instruction::Kind::Collective;
    out.op = plan::stringifyCollectiveKind(op.getKind()).str();
    out.inputs = ids(op.getInputs());
    out.outputs = ids(op.getOutputs());
    for (Attribute each : op.getAxes()) {
      auto axis = cast<plan::AxisAttr>(each);
      out.axes.push_back({axis.getName().str(), axis.getPreSize(), axis.getSize(), 0, axis.getSubset().vec()});
    }
    if (auto reduce = op.getReduce())
      out.reduce = *sharding::parseReduceKind(std::string_view(*reduce)); // Verified by the op.
    if (auto dim = op.getDim())
      out.dim = static_cast<int32_t>(*dim);
    if (auto source = op.getSourceDim())
      out.sourceDim = static_cast<int32_t>(*source);
    if (auto shift = op.getShift())
      out.shift = static_cast<int32_t>(*shift);
    return success();
  }

  LogicalResult fill(plan::CallOp op, Instruction &out) {
    if (!op.getFrame())
      return op.emitOpError() << "has no frame, expected phase scheduled (plan-allocate)";
    out.kind = Instruction::Kind::Call;
    out.inputs = ids(op.getInputs());
    out.outputs = ids(op.getOutputs());
    out.block = names_.blocks.lookup(op.getCalleeAttr().getAttr());
    out.frame = static_cast<int64_t>(*op.getFrame());
    out.instance = static_cast<int64_t>(op.getInstance());
    return success();
  }

  LogicalResult fill(plan::AccumulateOp op, Instruction &out) {
    out.kind = Instruction::Kind::Accumulate;
    out.inputs = {ids_.lookup(op.getInput())};
    out.outputs = {ids_.lookup(op.getOutput())};
    out.attributes["first"] = op.getFirst();
    return success();
  }

  LogicalResult fill(plan::LoadOp op, Instruction &out) {
    out.kind = Instruction::Kind::Load;
    out.op = op.getInput().str();
    out.outputs = {ids_.lookup(op.getOutput())};
    return success();
  }

  TypeTable &types_;
  const Names &names_;
  planformat::Body &body_;
  llvm::DenseMap<Value, ValueId> ids_;
};

} // namespace

LogicalResult modelpar::exportBody(Block &block, unsigned numInputs, TypeTable &types, const Names &names,
                                   planformat::Body &body) {
  return BodyExporter(types, names, body).run(block, numInputs);
}
