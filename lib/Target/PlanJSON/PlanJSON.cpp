//===- PlanJSON.cpp - from the plan dialect to the plan file --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables, buffers, schedules and memory; bodies are in ExportBody.cpp.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/PlanJSON/PlanJSON.h"

#include "lib/Target/PlanJSON/Export.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"
#include "modelpar/Dialect/Plan/IR/ElementType.h"

using namespace mlir;
using namespace modelpar;

planformat::TypeId TypeTable::operator()(Type type) {
  auto [found, isNew] = ids_.try_emplace(type, static_cast<planformat::TypeId>(plan_.types.size()));
  if (isNew) {
    auto tensor = cast<RankedTensorType>(type);
    planformat::TensorType &entry = plan_.types.emplace_back();
    if (std::optional<planformat::DType> dtype = plan::toDType(tensor.getElementType()))
      entry.dtype = *dtype;
    else
      unknown_ = tensor;
    entry.shape = tensor.getShape().vec();
    entry.sharding = dist::getSharding(plan_.mesh, tensor);
    int64_t bytes = planformat::maxShardBytes(entry);
    bytes_.push_back((bytes + planformat::kAlignment - 1) / planformat::kAlignment * planformat::kAlignment);
  }
  return found->second;
}

static planformat::Buffer::Kind toPlan(plan::BufferKind kind) {
  using Kind = planformat::Buffer::Kind;
  switch (kind) {
  case plan::BufferKind::parameter:
    return Kind::Parameter;
  case plan::BufferKind::gradient:
    return Kind::Gradient;
  case plan::BufferKind::optimizer_state:
    return Kind::OptimizerState;
  case plan::BufferKind::activation:
    return Kind::Activation;
  case plan::BufferKind::input:
    return Kind::Input;
  case plan::BufferKind::output:
    return Kind::Output;
  case plan::BufferKind::scalars:
    return Kind::Scalars;
  }
  llvm_unreachable("all kinds are listed");
}

static planformat::Program::Kind toPlan(plan::ProgramKind kind) {
  using Kind = planformat::Program::Kind;
  switch (kind) {
  case plan::ProgramKind::forward:
    return Kind::Forward;
  case plan::ProgramKind::backward_input:
    return Kind::BackwardInput;
  case plan::ProgramKind::backward_weight:
    return Kind::BackwardWeight;
  case plan::ProgramKind::backward:
    return Kind::Backward;
  case plan::ProgramKind::update:
    return Kind::Update;
  }
  llvm_unreachable("all kinds are listed");
}

namespace {

class Exporter {
public:
  Exporter(ModuleOp module, planformat::Plan &plan) : module_(module), plan_(plan), types_(plan) {}

  LogicalResult run() {
    exportModule();
    if (failed(exportBuffers()))
      return failure();
    exportTables();
    if (failed(exportBodies()) || failed(exportStages()))
      return failure();
    if (Type type = types_.unknown())
      return module_.emitError() << "has a tensor of type " << type << ", " << plan::kExpectedElements;
    return success();
  }

private:
  void exportModule();
  LogicalResult exportBuffers();
  void exportTables();
  void exportReplicas();
  void exportChannels();
  void exportSchedule(plan::ScheduleOp op);
  LogicalResult exportBodies();
  LogicalResult exportStages();

  planformat::Stage &stage(uint32_t index) {
    if (plan_.stages.size() <= index)
      plan_.stages.resize(index + 1);
    return plan_.stages[index];
  }
  int32_t buffer(FlatSymbolRefAttr name) const { return name ? names_.buffers.lookup(name.getAttr()) : -1; }

  ModuleOp module_;
  planformat::Plan &plan_;
  TypeTable types_;
  Names names_;
};

} // namespace

void Exporter::exportModule() {
  if (dist::MeshAttr mesh = dist::getMesh(module_))
    plan_.mesh = mesh.getValue();
  if (auto name = module_->getAttrOfType<StringAttr>(plan::kModelAttr))
    plan_.modelName = name.str();
  if (auto optimizer = module_->getAttrOfType<StringAttr>(plan::kOptimizerAttr))
    plan_.optimizer = optimizer.str();
  if (auto batch = module_->getAttrOfType<IntegerAttr>(plan::kGlobalBatchAttr))
    plan_.globalBatch = batch.getInt();
  if (auto sequence = module_->getAttrOfType<IntegerAttr>(plan::kSequenceAttr))
    plan_.sequence = sequence.getInt();
}

LogicalResult Exporter::exportBuffers() {
  for (auto op : module_.getOps<plan::BufferOp>()) {
    if (!op.getOffset())
      return op.emitOpError() << "has no offset, expected phase scheduled (plan-allocate)";
    std::vector<planformat::Buffer> &buffers = stage(op.getStage()).buffers;
    names_.buffers[op.getSymNameAttr()] = static_cast<int32_t>(buffers.size());
    planformat::Buffer &buffer = buffers.emplace_back();
    buffer.name = op.getSymName().str();
    buffer.kind = toPlan(op.getKind());
    buffer.type = types_(op.getType());
    buffer.offset = static_cast<int64_t>(*op.getOffset());
    buffer.bytes = static_cast<int64_t>(op.getBytes());
    buffer.slots = static_cast<int32_t>(op.getSlots());
    buffer.slotStride = static_cast<int64_t>(op.getStride());
  }
  return success();
}

void Exporter::exportTables() {
  for (auto op : module_.getOps<plan::InputOp>()) {
    planformat::Input &input = plan_.inputs.emplace_back();
    input.name = op.getName().str();
    input.type = types_(op.getType());
    input.role = op.getRole().str();
    input.rangeLow = cast<FloatAttr>(op.getRange()[0]).getValueAsDouble();
    input.rangeHigh = cast<FloatAttr>(op.getRange()[1]).getValueAsDouble();
    for (Attribute name : op.getDimNames())
      input.dimNames.push_back(cast<StringAttr>(name).str());
    if (auto dim = op.getBatchDim())
      input.batchDim = static_cast<int32_t>(*dim);
  }
  plan_.parameters.reserve(plan_.stages.empty() ? 0 : plan_.stages.front().buffers.size() / 4);
  for (auto op : module_.getOps<plan::ParameterOp>()) {
    planformat::Parameter &parameter = plan_.parameters.emplace_back();
    parameter.name = op.getName().str();
    parameter.checkpointName = op.getCheckpointName().str();
    if (auto aliases = op.getCheckpointAliases())
      for (StringAttr alias : aliases->getAsRange<StringAttr>())
        parameter.aliases.push_back(alias.str());
    parameter.checkpointShape = op.getCheckpointShape().vec();
    parameter.zeroRow = op.getZeroRow() ? static_cast<int64_t>(*op.getZeroRow()) : -1;
    parameter.type = types_(op.getType());
    parameter.init.kind = op.getInit().str();
    SmallVector<double> arguments;
    for (FloatAttr argument : op.getInitArguments().getAsRange<FloatAttr>())
      arguments.push_back(argument.getValueAsDouble());
    parameter.init.a = arguments.size() > 0 ? arguments[0] : 0;
    parameter.init.b = arguments.size() > 1 ? arguments[1] : 0;
    parameter.weightDecay = op.getWeightDecay();
    parameter.stage = static_cast<int32_t>(op.getStage());
    parameter.value = buffer(op.getValueAttr());
    parameter.gradient = buffer(op.getGradientAttr());
    for (auto [name, state] : llvm::zip_equal(op.getStateNames(), op.getState()))
      parameter.state.emplace_back(cast<StringAttr>(name).str(), buffer(cast<FlatSymbolRefAttr>(state)));
  }
  exportReplicas();
  for (auto op : module_.getOps<plan::OutputOp>())
    plan_.outputs.emplace_back(op.getName().str(), buffer(op.getBufferAttr()));
}

void Exporter::exportReplicas() {
  for (auto op : module_.getOps<plan::ReplicaOp>()) {
    auto parameter = llvm::find_if(plan_.parameters, [&](const auto &each) { return each.name == op.getParameter(); });
    planformat::Replica &replica = parameter->replicas.emplace_back();
    replica.stage = static_cast<int32_t>(op.getStage());
    replica.value = buffer(op.getValueAttr());
    replica.gradient = buffer(op.getGradientAttr());
    for (auto [state, name] : llvm::zip_equal(parameter->state, op.getState()))
      replica.state.emplace_back(state.first, buffer(cast<FlatSymbolRefAttr>(name)));
  }
}

void Exporter::exportChannels() {
  for (auto op : module_.getOps<plan::ChannelOp>()) {
    std::vector<planformat::Channel> &channels = stage(op.getStage()).channels;
    names_.channels[op.getSymNameAttr()] = static_cast<int32_t>(channels.size());
    planformat::Channel &channel = channels.emplace_back();
    using Direction = planformat::Channel::Direction;
    channel.direction = op.getDirection() == plan::Direction::send ? Direction::Send : Direction::Receive;
    channel.peer = static_cast<int32_t>(op.getPeer());
    for (auto name : op.getBuffers().getAsRange<FlatSymbolRefAttr>())
      channel.buffers.push_back(buffer(name));
  }
}

void Exporter::exportSchedule(plan::ScheduleOp op) {
  for (const plan::ScheduleOp::Entry &entry : op.getSchedule()) {
    planformat::ScheduleEntry &out = stage(op.getStage()).schedule.emplace_back();
    out.program = entry.program ? names_.programs.lookup(entry.program) : -1;
    out.microBatch = entry.program ? entry.microBatches.front() : 0;
    for (auto [channel, microBatch] : llvm::zip(entry.channels, entry.microBatches))
      out.exchange.push_back({names_.channels.lookup(channel), microBatch});
  }
}

LogicalResult Exporter::exportBodies() {
  for (auto op : module_.getOps<plan::BlockOp>()) {
    names_.blocks[op.getSymNameAttr()] = static_cast<int32_t>(plan_.blocks.size());
    planformat::Body &body = plan_.blocks.emplace_back();
    body.name = op.getSymName().str();
    body.frameBytes = static_cast<int64_t>(op.getFrame().value_or(0));
    if (failed(exportBody(op.getBody().front(), op.getNumInputs(), types_, names_, body)))
      return failure();
  }
  for (auto op : module_.getOps<plan::ProgramOp>()) {
    std::vector<planformat::Program> &programs = stage(op.getStage()).programs;
    names_.programs[op.getSymNameAttr()] = static_cast<int32_t>(programs.size());
    planformat::Program &program = programs.emplace_back();
    program.kind = toPlan(op.getKind());
    program.body.name = op.getSymName().str();
    program.body.frameBytes = static_cast<int64_t>(op.getFrame().value_or(0));
    if (failed(exportBody(op.getBody().front(), 0, types_, names_, program.body)))
      return failure();
  }
  return success();
}

LogicalResult Exporter::exportStages() {
  exportChannels();
  for (auto op : module_.getOps<plan::ScheduleOp>())
    exportSchedule(op);
  for (auto op : module_.getOps<plan::MemoryOp>()) {
    planformat::Stage &out = stage(op.getStage());
    out.arenaBytes = static_cast<int64_t>(op.getArena());
    out.transientOffset = static_cast<int64_t>(op.getTransient());
    for (auto [name, bytes] : llvm::zip_equal(op.getPartNames(), op.getPartBytes()))
      out.memory.push_back({cast<StringAttr>(name).str(), bytes});
  }
  if (plan_.stages.empty())
    return module_.emitError() << "has no stage, expected phase scheduled";
  for (auto [index, each] : llvm::enumerate(plan_.stages))
    if (each.schedule.empty() || each.arenaBytes == 0)
      return module_.emitError() << "stage " << index << " has no schedule or no memory, expected phase scheduled";
  return success();
}

LogicalResult modelpar::exportPlan(ModuleOp module, planformat::Plan &plan) { return Exporter(module, plan).run(); }
