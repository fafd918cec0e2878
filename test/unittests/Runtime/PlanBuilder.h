//===- PlanBuilder.h - small plans for the executor's tests ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lays buffers and locals out one after the other: what a plan looks like when nothing is shared.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_RUNTIME_PLANBUILDER_H
#define MODELPAR_TEST_UNITTESTS_RUNTIME_PLANBUILDER_H

#include "runtime/executor/RunRanks.h"

namespace modelpar::runtime::test {

using planformat::Body;
using planformat::Buffer;
using planformat::BufferId;
using planformat::DType;
using planformat::Instruction;
using planformat::Plan;
using planformat::TypeId;
using planformat::Value;
using planformat::ValueId;

inline int64_t aligned(int64_t bytes) {
  return (bytes + planformat::kAlignment - 1) / planformat::kAlignment * planformat::kAlignment;
}

/// Adds values and instructions to a body; the body may move in between, so it is found by the function.
class BodyBuilder {
public:
  BodyBuilder(Plan &plan, std::function<Body &()> body, size_t stage = 0)
      : plan_(plan), body_(std::move(body)), stage_(stage) {}
  Body &body() { return body_(); }

  ValueId buffer(BufferId buffer) {
    return add({.type = plan_.stages[stage_].buffers[static_cast<size_t>(buffer)].type,
                .storage = Value::Storage::Buffer,
                .index = buffer});
  }
  /// The buffer under another type (partial or not).
  ValueId buffer(BufferId buffer, TypeId type) {
    return add({.type = type, .storage = Value::Storage::Buffer, .index = buffer});
  }
  ValueId argument(TypeId type, bool isInput) {
    auto index = static_cast<int32_t>(body().arguments.size());
    ValueId id = add({.type = type, .storage = Value::Storage::Argument, .index = index});
    body().arguments.push_back(id);
    body().numInputs += isInput;
    return id;
  }
  ValueId local(TypeId type) {
    ValueId id = add({.type = type, .storage = Value::Storage::Local, .offset = body().frameBytes});
    body().frameBytes += aligned(body().values.back().bytes);
    return id;
  }
  ValueId alias(ValueId value, TypeId type) {
    return add({.type = type, .storage = Value::Storage::Alias, .index = value});
  }

  Instruction &kernel(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                      planformat::Attributes attributes = {}) {
    return push({.kind = Instruction::Kind::Kernel,
                 .op = std::move(op),
                 .inputs = std::move(inputs),
                 .outputs = std::move(outputs),
                 .attributes = std::move(attributes)});
  }
  Instruction &collective(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                          std::vector<std::string> axes, int32_t dim = -1, int32_t sourceDim = -1) {
    Instruction instruction{.kind = Instruction::Kind::Collective,
                            .op = std::move(op),
                            .inputs = std::move(inputs),
                            .outputs = std::move(outputs),
                            .dim = dim,
                            .sourceDim = sourceDim};
    for (const std::string &axis : axes)
      instruction.axes.push_back(plan_.mesh.axis(axis));
    return push(std::move(instruction));
  }
  Instruction &accumulate(ValueId input, ValueId sum) {
    return push(
        {.kind = Instruction::Kind::Accumulate, .inputs = {input}, .outputs = {sum}, .attributes = {{"first", true}}});
  }
  Instruction &load(std::string input, ValueId output) {
    return push({.kind = Instruction::Kind::Load, .op = std::move(input), .outputs = {output}});
  }
  Instruction &call(int32_t block, std::vector<ValueId> inputs, std::vector<ValueId> outputs, int64_t instance = 0) {
    int64_t frame = body().frameBytes;
    body().frameBytes += aligned(plan_.blocks[static_cast<size_t>(block)].frameBytes);
    return push({.kind = Instruction::Kind::Call,
                 .inputs = std::move(inputs),
                 .outputs = std::move(outputs),
                 .block = block,
                 .frame = frame,
                 .instance = instance});
  }
  Instruction &wait(std::vector<int32_t> events) {
    return push({.kind = Instruction::Kind::Wait, .waits = std::move(events)});
  }
  int32_t event() { return body().numEvents++; }

private:
  ValueId add(Value value) {
    value.bytes = planformat::maxShardBytes(plan_.types[static_cast<size_t>(value.type)]);
    body().values.push_back(value);
    return static_cast<ValueId>(body().values.size() - 1);
  }
  Instruction &push(Instruction instruction) { return body().instructions.emplace_back(std::move(instruction)); }

  Plan &plan_;
  std::function<Body &()> body_;
  size_t stage_; ///< Of a program.
};

/// As many stages as the mesh has coordinates of "pp"; buffers, programs, channels and entries go to the selected one,
/// first 0.
class PlanBuilder {
public:
  explicit PlanBuilder(std::vector<sharding::MeshAxis> axes) {
    plan.mesh = sharding::Mesh(std::move(axes));
    plan.stages.resize(static_cast<size_t>(plan.mesh.size("pp")));
  }
  void select(size_t stage) { stage_ = stage; }

  /// Axes per dimension by name; `partial` over sums.
  TypeId type(std::vector<int64_t> shape, std::vector<std::vector<std::string>> dims = {},
              std::vector<std::string> partial = {}, DType dtype = DType::F32) {
    planformat::TensorType type{
        .dtype = dtype, .shape = shape, .sharding = sharding::TensorSharding::replicated(shape.size())};
    for (size_t d = 0; d < dims.size(); ++d)
      for (const std::string &axis : dims[d])
        type.sharding.dims[d].push_back(plan.mesh.axis(axis));
    for (const std::string &axis : partial)
      type.sharding.partial.push_back({plan.mesh.axis(axis), sharding::ReduceKind::Sum});
    plan.types.push_back(type);
    return static_cast<TypeId>(plan.types.size() - 1);
  }
  BufferId buffer(std::string name, TypeId type, int32_t slots = 1, Buffer::Kind kind = Buffer::Kind::Activation) {
    int64_t bytes = planformat::maxShardBytes(plan.types[static_cast<size_t>(type)]), stride = aligned(bytes);
    planformat::Stage &stage = plan.stages[stage_];
    stage.buffers.push_back({.name = std::move(name),
                             .kind = kind,
                             .type = type,
                             .offset = stage.transientOffset,
                             .bytes = bytes,
                             .slots = slots,
                             .slotStride = stride});
    stage.transientOffset += stride * slots;
    return static_cast<BufferId>(stage.buffers.size() - 1);
  }
  void input(std::string name, TypeId type, std::string role = "data") {
    plan.inputs.push_back({.name = std::move(name), .type = type, .role = std::move(role)});
  }
  BodyBuilder program(std::string name) {
    size_t index = plan.stages[stage_].programs.size(), stage = stage_;
    plan.stages[stage].programs.emplace_back().body.name = std::move(name);
    return BodyBuilder(
        plan, [this, index, stage]() -> Body & { return plan.stages[stage].programs[index].body; }, stage);
  }
  BodyBuilder block(std::string name) {
    size_t index = plan.blocks.size();
    plan.blocks.emplace_back().name = std::move(name);
    return BodyBuilder(plan, [this, index]() -> Body & { return plan.blocks[index]; });
  }
  int32_t channel(planformat::Channel::Direction direction, int32_t peer, std::vector<BufferId> buffers) {
    plan.stages[stage_].channels.push_back({direction, peer, std::move(buffers)});
    return static_cast<int32_t>(plan.stages[stage_].channels.size() - 1);
  }
  void run(int32_t program, int32_t microBatch = 0) { plan.stages[stage_].schedule.push_back({program, microBatch}); }
  void exchange(std::vector<planformat::Transfer> transfers) {
    plan.stages[stage_].schedule.push_back({-1, 0, std::move(transfers)});
  }
  /// Sizes the arenas.
  const Plan &finish() {
    for (planformat::Stage &stage : plan.stages) {
      int64_t frames = 0;
      for (const planformat::Program &program : stage.programs)
        frames = std::max(frames, program.body.frameBytes);
      stage.arenaBytes = stage.transientOffset + frames;
    }
    return plan;
  }

  Plan plan;

private:
  size_t stage_ = 0;
};

/// Kernels for f32:
///   iota    out[i] = global row-major index of the element
///   scale   out = in · `factor`
///   add     out = in0 + in1
///   instance  out = the call's instance
///   fail    an error when out's first global offset is `offset`, else fills zero
///   sleep   sleeps `milliseconds` when out's first global offset is `offset`; fills zero
const KernelRegistry &testKernels();

/// Fills an input with the global row-major index of each element plus 1000 · step.
class IotaInputs final : public InputProvider {
public:
  Status fill(const planformat::Input &, int64_t step, int64_t, const TensorView &view) override;
};

/// Global row-major index of the element with this index in the shard.
int64_t globalIndex(const TensorView &view, int64_t index);

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_UNITTESTS_RUNTIME_PLANBUILDER_H
