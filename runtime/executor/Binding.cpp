//===- Binding.cpp - a plan bound to a rank -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Load time: everything that may fail or allocate. The plan's structure was checked before, so ids are not checked
// again.
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Binding.h"

#include "runtime/executor/Accumulate.h"
#include "runtime/executor/CollectiveGeometry.h"

#include <algorithm>
#include <set>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::Body;
using planformat::Instruction;
using planformat::Value;
using planformat::ValueId;

template <typename T> static const T &at(const std::vector<T> &values, int64_t index) {
  return values[static_cast<size_t>(index)];
}

std::string BoundInstruction::label() const {
  std::string text = body->name + "[" + std::to_string(index) + "]";
  if (!instruction->op.empty())
    text += " " + instruction->op;
  else if (instruction->kind == Instruction::Kind::Accumulate)
    text += " accumulate";
  return instruction->origin.empty() ? text : text + " (from " + instruction->origin + ")";
}

//===----------------------------------------------------------------------===//
// Stage and groups
//===----------------------------------------------------------------------===//

Status Binding::findStage() {
  int64_t rank = communicator.rank();
  if (communicator.worldSize() != plan.mesh.numRanks())
    return Status::invalid("the plan is for " + std::to_string(plan.mesh.numRanks()) + " ranks, " +
                           std::to_string(communicator.worldSize()) + " are running");
  sharding::Coordinates coordinates = sharding::coordinatesOf(plan.mesh, rank);
  stageIndex = 0;
  if (plan.mesh.has("pp"))
    stageIndex = static_cast<int>(sharding::coordinateAlong(plan.mesh, coordinates, plan.mesh.axis("pp")));
  if (static_cast<int64_t>(plan.stages.size()) != plan.mesh.size("pp"))
    return Status::internal("the plan has " + std::to_string(plan.stages.size()) + " stages on " +
                            std::to_string(plan.mesh.size("pp")) + " coordinates of pp");
  stage = &plan.stages[static_cast<size_t>(stageIndex)];
  return {};
}

/// In the order of the whole plan, not of this rank's stage: creating a group is collective, so ranks must agree on the
/// order.
Status Binding::createGroups() {
  auto createFor = [&](const Body &body) -> Status {
    for (const Instruction &instruction : body.instructions) {
      if (instruction.kind != Instruction::Kind::Collective)
        continue;
      std::string axes = sharding::groupName(instruction.axes, plan.mesh);
      std::unique_ptr<Group> &group = groups[{axes, instruction.stream}];
      std::vector<int64_t> ranks = sharding::groupOf(plan.mesh, communicator.rank(), instruction.axes);
      // A subset of the coordinates may leave this rank out.
      if (!group && std::find(ranks.begin(), ranks.end(), communicator.rank()) != ranks.end())
        MODELPAR_RETURN_IF_ERROR(communicator.createGroup(ranks, axes, instruction.stream, group));
    }
    return {};
  };
  for (const Body &block : plan.blocks)
    MODELPAR_RETURN_IF_ERROR(createFor(block));
  for (const planformat::Stage &each : plan.stages)
    for (const planformat::Program &program : each.programs)
      MODELPAR_RETURN_IF_ERROR(createFor(program.body));
  return {};
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// The element type that selects the kernel: of the first floating-point input that is not the step's scalars, else of
/// the first output.
static planformat::DType kernelType(const planformat::Plan &plan, const BoundInstruction &bound) {
  using planformat::DType;
  for (size_t i = 0; i < bound.types.size(); ++i) {
    const planformat::TensorType &type = at(plan.types, bound.types[i]);
    bool isInput = i < bound.instruction->inputs.size();
    bool scalars = type.dtype == DType::F64 && type.shape == std::vector<int64_t>{planformat::kNumScalars};
    if (!isInput || (type.dtype != DType::I32 && type.dtype != DType::I64 && !scalars))
      return type.dtype;
  }
  return DType::F32;
}

Status Binding::checkHostCommunication() const {
  if (device.hostAccessible() || communicator.kind() != "local")
    return {};
  return Status::unavailable("the local communicator works on host memory, not on that of device \"" +
                             std::string(device.kind()) + "\"");
}

Status Binding::bindCollective(BoundInstruction &bound) {
  const Instruction &instruction = *bound.instruction;
  MODELPAR_RETURN_IF_ERROR(checkHostCommunication());
  bound.group = groups.at({sharding::groupName(instruction.axes, plan.mesh), instruction.stream}).get();
  if (!bound.group)
    return Status::internal("rank " + std::to_string(communicator.rank()) + " is not in the group over " +
                            sharding::groupName(instruction.axes, plan.mesh));
  bool varies = false;
  for (planformat::TypeId type : bound.types)
    for (const sharding::DimSharding &dim : at(plan.types, type).sharding.dims)
      varies |= dependsOnMicroBatch(dim);
  for (int64_t m = 0; m < (varies ? plan.mesh.numMicroBatches() : 1); ++m) {
    Collective collective;
    collective.label = bound.label();
    MODELPAR_RETURN_IF_ERROR(describeCollective(plan, *bound.body, instruction, *bound.group, m, collective));
    bound.collectives.add(std::move(collective));
  }
  return {};
}

Status Binding::bindInstruction(BoundInstruction &bound) {
  const Instruction &instruction = *bound.instruction;
  for (const std::vector<ValueId> *ids : {&instruction.inputs, &instruction.outputs})
    for (ValueId id : *ids)
      bound.types.push_back(at(bound.body->values, id).type);
  switch (instruction.kind) {
  case Instruction::Kind::Kernel:
    bound.scalesUpdate = instruction.op == planformat::kUpdateScaleOp && instruction.outputs.size() == 2;
    return options.registry->create(instruction, device.kind(), kernelType(plan, bound), bound.kernel);
  case Instruction::Kind::Collective:
    return bindCollective(bound);
  case Instruction::Kind::Accumulate: {
    auto attribute = instruction.attributes.find("first");
    bound.first = attribute != instruction.attributes.end() && std::holds_alternative<bool>(attribute->second) &&
                  std::get<bool>(attribute->second);
    if (views.view(bound.types[0], 0).numElements() != views.view(bound.types[1], 0).numElements())
      return Status::internal("the sum's shard differs from the input's");
    if (device.hostAccessible())
      return checkAccumulate(at(plan.types, bound.types[0]).dtype, at(plan.types, bound.types[1]).dtype);
    Instruction kernel = instruction;
    kernel.op = "accumulate";
    return options.registry->create(kernel, device.kind(), kernelType(plan, bound), bound.kernel);
  }
  case Instruction::Kind::Load:
    for (const planformat::Input &input : plan.inputs)
      if (input.name == instruction.op)
        bound.input = &input;
    if (!device.hostAccessible())
      staging.resize(
          std::max(staging.size(), static_cast<size_t>(at(bound.body->values, instruction.outputs[0]).bytes)));
    return {};
  case Instruction::Kind::Call:
  case Instruction::Kind::Wait:
    return {};
  }
  return {};
}

Status Binding::bindBody(const Body &body, BoundBody &bound) {
  bound.body = &body;
  std::set<int32_t> others;
  size_t numTensors = 0;
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    BoundInstruction &instruction = bound.instructions.emplace_back();
    instruction.instruction = &body.instructions[i];
    instruction.body = &body;
    instruction.index = i;
    MODELPAR_RETURN_IF_ERROR(bindInstruction(instruction).in(instruction.label()));
    if (options.trace)
      instruction.traceSource =
          options.trace->rank(communicator.rank()).addSource(trace::instructionSource(plan, body, i));
    numTensors = std::max(numTensors, instruction.types.size());
    if (body.instructions[i].stream != 0)
      others.insert(body.instructions[i].stream);
  }
  bound.forked.assign(others.begin(), others.end());
  for (int32_t i = 0; i < body.numEvents; ++i)
    MODELPAR_RETURN_IF_ERROR(device.createEvent(bound.events.emplace_back()));
  MODELPAR_RETURN_IF_ERROR(device.createEvent(bound.fork));
  for (std::vector<TensorView> &views : scratch)
    views.resize(std::max({views.size(), numTensors, scratch[0].size()}));
  return {};
}

//===----------------------------------------------------------------------===//
// Command lists
//===----------------------------------------------------------------------===//

/// Only an all_reduce may work in place, and then exactly: peers read an input while outputs are written.
static Status checkOverlap(const Launch &launch, std::span<void *const> pointers, int64_t member) {
  for (const Collective &collective : launch.bound->collectives.different())
    for (size_t i = 0, n = collective.parts.size(); i < n; ++i)
      for (size_t j = 0; j < n; ++j) {
        const auto *input = static_cast<const std::byte *>(pointers[i]),
                   *output = static_cast<const std::byte *>(pointers[n + j]);
        int64_t read = inputBytes(collective, collective.parts[i], member);
        int64_t written = outputBytes(collective, collective.parts[j], member);
        bool inPlace = collective.kind == CollectiveKind::AllReduce && i == j && input == output;
        if (!inPlace && read > 0 && written > 0 && input < output + written && output < input + read)
          return Status::internal("output " + std::to_string(j) + " lies over input " + std::to_string(i));
      }
  return {};
}

Status Binding::addLaunch(BoundInstruction &bound, const std::vector<std::byte *> &values, int64_t instance,
                          CommandList &list) {
  const Instruction &instruction = *bound.instruction;
  Launch launch;
  launch.binding = this;
  launch.bound = &bound;
  launch.instance = instance;
  launch.firstPointer = list.pointers.size();
  for (const std::vector<ValueId> *ids : {&instruction.inputs, &instruction.outputs})
    for (ValueId id : *ids)
      list.pointers.push_back(at(values, id));
  if (instruction.workspace >= 0)
    launch.workspace = {at(values, instruction.workspace),
                        static_cast<size_t>(at(bound.body->values, instruction.workspace).bytes)};
  if (bound.group)
    MODELPAR_RETURN_IF_ERROR(
        checkOverlap(launch, std::span(list.pointers).subspan(launch.firstPointer), bound.group->index())
            .in(bound.label()));
  list.launches.push_back(launch);
  return {};
}

Status Binding::expand(BoundBody &bound, const Activation &activation, CommandList &list) {
  const Body &body = *bound.body;
  std::vector<std::byte *> values(body.values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const Value *value = &body.values[i];
    while (value->storage == Value::Storage::Alias)
      value = &at(body.values, value->index);
    switch (value->storage) {
    case Value::Storage::Argument:
      values[i] = activation.arguments[static_cast<size_t>(value->index)];
      break;
    case Value::Storage::Buffer:
      values[i] = address(at(stage->buffers, value->index), activation.microBatch);
      break;
    default:
      values[i] = activation.frame + value->offset;
    }
  }
  if (!bound.forked.empty()) {
    list.commands.push_back({.kind = Command::Record, .stream = 0, .event = bound.fork.get()});
    for (int32_t stream : bound.forked)
      list.commands.push_back({.kind = Command::Wait, .stream = stream, .event = bound.fork.get()});
  }
  for (BoundInstruction &each : bound.instructions) {
    const Instruction &instruction = *each.instruction;
    for (int32_t event : instruction.waits)
      list.commands.push_back(
          {.kind = Command::Wait, .stream = instruction.stream, .event = at(bound.events, event).get()});
    if (instruction.kind == Instruction::Kind::Call) {
      std::vector<std::byte *> arguments;
      for (const std::vector<ValueId> *ids : {&instruction.inputs, &instruction.outputs})
        for (ValueId id : *ids)
          arguments.push_back(at(values, id));
      MODELPAR_RETURN_IF_ERROR(expand(blocks[static_cast<size_t>(instruction.block)],
                                      {.frame = activation.frame + instruction.frame,
                                       .arguments = arguments,
                                       .microBatch = activation.microBatch,
                                       .instance = instruction.instance},
                                      list));
    } else if (instruction.kind != Instruction::Kind::Wait) {
      size_t index = list.launches.size();
      MODELPAR_RETURN_IF_ERROR(addLaunch(each, values, activation.instance, list));
      if (instruction.kind == Instruction::Kind::Accumulate && each.kernel && each.first)
        list.commands.push_back({.kind = Command::Zero, .stream = instruction.stream, .launch = index});
      list.commands.push_back({.kind = Command::Run, .stream = instruction.stream, .launch = index});
    }
    if (instruction.record >= 0)
      list.commands.push_back(
          {.kind = Command::Record, .stream = instruction.stream, .event = at(bound.events, instruction.record).get()});
  }
  return {};
}

Status Binding::bindExchange(size_t entry, std::map<std::vector<int64_t>, BoundExchange *> &known) {
  std::vector<int64_t> key; // Channels, and the slots of their buffers.
  for (const planformat::Transfer &transfer : stage->schedule[entry].exchange) {
    key.push_back(transfer.channel);
    for (planformat::BufferId id : at(stage->channels, transfer.channel).buffers)
      key.push_back(transfer.microBatch % at(stage->buffers, id).slots);
  }
  auto [place, isNew] = known.try_emplace(std::move(key));
  if (isNew) {
    place->second = boundExchanges.emplace_back(std::make_unique<BoundExchange>()).get();
    MODELPAR_RETURN_IF_ERROR(exchanges.bind(*this, stage->schedule[entry], *place->second));
  }
  ScheduleStep &step = schedule.emplace_back(ScheduleStep{.exchange = place->second});
  if (options.trace)
    step.traceSource = options.trace->rank(communicator.rank()).addSource(trace::exchangeSource(*stage, entry));
  return {};
}

/// Micro-batches that use the same slots of the same program share a list: what else differs is a shape, found by the
/// micro-batch.
Status Binding::bindSchedule() {
  std::map<std::pair<int32_t, std::vector<int64_t>>, size_t> known;
  std::map<std::vector<int64_t>, BoundExchange *> knownExchanges;
  for (size_t e = 0; e < stage->schedule.size(); ++e) {
    const planformat::ScheduleEntry &entry = stage->schedule[e];
    if (entry.isExchange()) {
      MODELPAR_RETURN_IF_ERROR(bindExchange(e, knownExchanges));
      continue;
    }
    BoundBody &program = programs[static_cast<size_t>(entry.program)];
    std::vector<int64_t> slots;
    for (const Value &value : program.body->values)
      if (value.storage == Value::Storage::Buffer)
        slots.push_back(entry.microBatch % at(stage->buffers, value.index).slots);
    auto [place, isNew] = known.try_emplace({entry.program, std::move(slots)}, lists.size());
    if (!isNew) {
      schedule.push_back({.list = lists[place->second].get()});
      continue;
    }
    CommandList &list = *lists.emplace_back(std::make_unique<CommandList>());
    schedule.push_back({.list = &list});
    MODELPAR_RETURN_IF_ERROR(
        expand(program, {.frame = arena->data() + stage->transientOffset, .microBatch = entry.microBatch}, list));
    for (Launch &launch : list.launches)
      launch.pointers = list.pointers.data() + launch.firstPointer;
  }
  return {};
}

void Binding::reserveTrace() {
  std::vector<size_t> events(scratch.size(), 0);
  for (const ScheduleStep &step : schedule)
    if (step.exchange)
      ++events[kExchangeStream];
    else
      for (const Launch &launch : step.list->launches)
        ++events[static_cast<size_t>(launch.bound->instruction->stream)];
  options.trace->rank(communicator.rank()).reserve(events);
}

/// The blocks that the stage's programs call, directly or not.
static std::vector<size_t> calledBlocks(const planformat::Plan &plan, const planformat::Stage &stage) {
  std::vector<size_t> called;
  std::vector<bool> used(plan.blocks.size(), false);
  auto visit = [&](const Body &body) {
    for (const Instruction &instruction : body.instructions)
      if (auto index = static_cast<size_t>(instruction.block);
          instruction.kind == Instruction::Kind::Call && !used[index]) {
        used[index] = true;
        called.push_back(index);
      }
  };
  for (const planformat::Program &program : stage.programs)
    visit(program.body);
  for (size_t i = 0; i < called.size(); ++i)
    visit(plan.blocks[called[i]]);
  return called;
}

int64_t modelpar::runtime::numStreams(const planformat::Plan &plan, const planformat::Stage &stage) {
  int64_t count = 1;
  auto visit = [&](const Body &body) {
    for (const Instruction &instruction : body.instructions)
      count = std::max<int64_t>(count, instruction.stream + 1);
  };
  for (const planformat::Program &program : stage.programs)
    visit(program.body);
  for (size_t index : calledBlocks(plan, stage))
    visit(plan.blocks[index]);
  for (const planformat::ScheduleEntry &entry : stage.schedule)
    if (entry.isExchange())
      count = std::max<int64_t>(count, kExchangeStream + 1);
  return count;
}

Status Binding::load() {
  MODELPAR_RETURN_IF_ERROR(pool.status());
  MODELPAR_RETURN_IF_ERROR(findStage());
  MODELPAR_RETURN_IF_ERROR(views.build(plan, communicator.rank()));
  MODELPAR_RETURN_IF_ERROR(createGroups());
  MODELPAR_RETURN_IF_ERROR(exchanges.load(*this));
  MODELPAR_RETURN_IF_ERROR(device.allocate(stage->arenaBytes, arena));
  blocks.resize(plan.blocks.size());
  programs.resize(stage->programs.size());
  scratch.resize(static_cast<size_t>(numStreams(plan, *stage)));
  for (size_t i = 0; i < programs.size(); ++i)
    MODELPAR_RETURN_IF_ERROR(bindBody(stage->programs[i].body, programs[i]));
  // Only the blocks that this stage calls, so that a kernel missing for another stage is no error here.
  for (size_t index : calledBlocks(plan, *stage))
    MODELPAR_RETURN_IF_ERROR(bindBody(plan.blocks[index], blocks[index]));
  MODELPAR_RETURN_IF_ERROR(bindSchedule());
  if (options.trace)
    reserveTrace();
  // Queues hold a program or so: the issuing thread runs ahead of the streams, but not by a whole step.
  constexpr int64_t kMaxQueue = 4096;
  size_t longest = 64;
  for (const auto &list : lists)
    longest = std::max(longest, list->commands.size());
  for (size_t i = 0; i < scratch.size(); ++i)
    MODELPAR_RETURN_IF_ERROR(device.createStream(i == 0 ? "compute" : "communication " + std::to_string(i),
                                                 std::min<int64_t>(static_cast<int64_t>(longest), kMaxQueue),
                                                 streams.emplace_back()));
  return {};
}
