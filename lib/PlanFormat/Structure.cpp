//===- Structure.cpp - ids, sizes and offsets of a plan ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What must hold before anything may index into the plan. The fuzz target of the
// reader relies on it: a plan that passes can be walked without further checks.
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"

#include <set>

namespace modelpar::planformat {

std::string describe(const Body &body, size_t index) {
  const Instruction &instruction = body.instructions[index];
  std::string text = "instruction " + std::to_string(index) + " (";
  text += instruction.op.empty() ? name(instruction.kind) : std::string_view(instruction.op);
  text += ", stream " + std::to_string(instruction.stream) + ")";
  if (!instruction.origin.empty())
    text += " from " + instruction.origin;
  return text;
}

namespace {

class StructureChecker {
public:
  explicit StructureChecker(const Plan &plan) : plan_(plan) {}

  std::vector<Finding> check() {
    mesh();
    if (findings_.empty())
      types();
    if (!findings_.empty())
      return findings_.take();
    inputs();
    for (size_t i = 0; i < plan_.blocks.size(); ++i)
      body(plan_.blocks[i], "block " + plan_.blocks[i].name, nullptr);
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      stage(plan_.stages[s], "stage " + std::to_string(s));
    if (findings_.empty()) {
      callDepths();
      checkParameterStructure(plan_, findings_);
      outputs();
    }
    return findings_.take();
  }

private:
  void add(const std::string &where, const std::string &message) { findings_.add(where, message); }

  void mesh() {
    std::set<std::string> names;
    int64_t ranks = 1;
    for (const sharding::MeshAxis &axis : plan_.mesh.axes()) {
      if (axis.name.empty() || axis.name.find_first_of(":*+{") != std::string::npos || !names.insert(axis.name).second)
        add("mesh", "axis name '" + axis.name + "' is empty, has one of : * + { or occurs twice");
      if (axis.size < 1 || axis.size > kMaxRanks || __builtin_mul_overflow(ranks, axis.size, &ranks) ||
          ranks > kMaxRanks) {
        add("mesh", "axis " + axis.name + " of size " + std::to_string(axis.size) + " gives more than " +
                        std::to_string(kMaxRanks) + " points");
        return;
      }
      if (axis.isTime() && axis.size > kMaxMicroBatches)
        add("mesh",
            "axis mb of size " + std::to_string(axis.size) + ", expected at most " + std::to_string(kMaxMicroBatches));
    }
  }

  void types() {
    for (size_t i = 0; i < plan_.types.size(); ++i) {
      const TensorType &type = plan_.types[i];
      std::string where = "type " + std::to_string(i);
      if (std::optional<std::string> problem = sharding::validate(plan_.mesh, type.shape, type.sharding)) {
        add(where, *problem);
        continue;
      }
      int64_t elements = 1;
      for (int64_t extent : type.shape)
        if (extent < 0 || __builtin_mul_overflow(elements, std::max<int64_t>(extent, 1), &elements) ||
            elements > kMaxElements) {
          add(where, "shape has a negative extent or more than " + std::to_string(kMaxElements) + " elements");
          break;
        }
    }
  }

  void inputs() {
    std::set<std::string> names;
    for (size_t i = 0; i < plan_.inputs.size(); ++i) {
      const Input &input = plan_.inputs[i];
      std::string where = "input " + input.name;
      if (!names.insert(input.name).second)
        add(where, "name occurs twice");
      if (!inside(input.type, plan_.types.size()))
        add(where, "type is " + range(input.type, plan_.types.size()));
      else if (!input.dimNames.empty() && input.dimNames.size() != plan_.types[input.type].shape.size())
        add(where, "has " + std::to_string(input.dimNames.size()) + " dim_names, expected " +
                       std::to_string(plan_.types[input.type].shape.size()));
      else
        batch(input, where);
      if (input.role != "tokens" && input.role != "targets" && input.role != "positions" && input.role != "scalars" &&
          input.role != "data")
        add(where, "role is '" + input.role + "', expected tokens, targets, positions, scalars or data");
      if (!(input.rangeLow <= input.rangeHigh))
        add(where, "range is empty");
    }
  }

  /// The batch of an input whose type is known to be one.
  void batch(const Input &input, const std::string &where) {
    const std::vector<int64_t> &shape = plan_.types[input.type].shape;
    if (input.batchDim != -1 && !inside(input.batchDim, shape.size()))
      add(where, "batch_dim is " + range(input.batchDim, shape.size()));
    else if (input.batchDim != -1 && shape[input.batchDim] != plan_.globalBatch)
      add(where, "batch_dim " + std::to_string(input.batchDim) + " has size " + std::to_string(shape[input.batchDim]) +
                     ", expected the global batch of " + std::to_string(plan_.globalBatch));
  }

  /// `stage` is null for blocks.
  void body(const Body &body, const std::string &where, const Stage *stage) {
    if (body.frameBytes < 0 || body.frameBytes > kMaxBytes)
      add(where, "frame_bytes is " + std::to_string(body.frameBytes));
    if (body.numEvents < 0 || body.numEvents > static_cast<int64_t>(body.instructions.size()))
      add(where, "num_events is " + std::to_string(body.numEvents) + ", expected at most one per instruction (" +
                     std::to_string(body.instructions.size()) + ")");
    size_t before = findings_.count();
    for (size_t i = 0; i < body.values.size(); ++i)
      value(body, i, where, stage);
    if (findings_.count() != before)
      return;
    if (!aliasesEnd(body, where))
      return;
    arguments(body, where, stage);
    for (size_t i = 0; i < body.instructions.size(); ++i)
      instruction(body, i, where, stage);
  }

  void value(const Body &body, size_t index, const std::string &bodyWhere, const Stage *stage) {
    const Value &value = body.values[index];
    std::string where = bodyWhere + ", value " + std::to_string(index);
    if (!inside(value.type, plan_.types.size()))
      return add(where, "type is " + range(value.type, plan_.types.size()));
    int64_t needed = maxShardBytes(plan_.types[value.type]);
    if (value.bytes < needed || value.bytes > kMaxBytes)
      return add(where,
                 "has " + std::to_string(value.bytes) + " bytes, its largest shard needs " + std::to_string(needed));
    if (value.offset != 0 && value.storage != Value::Storage::Local)
      return add(where, "has offset " + std::to_string(value.offset) + ", expected 0 for storage " +
                            std::string(name(value.storage)));
    switch (value.storage) {
    case Value::Storage::Argument:
      if (stage)
        add(where, "is an argument, which a program does not have");
      else if (!inside(value.index, body.arguments.size()) ||
               body.arguments[value.index] != static_cast<ValueId>(index))
        add(where, "is argument " + std::to_string(value.index) + ", which the body's arguments do not name");
      break;
    case Value::Storage::Buffer:
      if (!stage)
        add(where, "is a buffer, which a block does not have");
      else if (!inside(value.index, stage->buffers.size()))
        add(where, "buffer is " + range(value.index, stage->buffers.size()));
      else if (value.bytes > stage->buffers[value.index].bytes)
        add(where, "has " + std::to_string(value.bytes) + " bytes, buffer " + stage->buffers[value.index].name +
                       " has " + std::to_string(stage->buffers[value.index].bytes));
      break;
    case Value::Storage::Local:
      if (value.offset < 0 || value.offset % kAlignment != 0 || value.offset > body.frameBytes - value.bytes)
        add(where, "is at bytes " + std::to_string(value.offset) + " to " + std::to_string(value.offset + value.bytes) +
                       ", expected a multiple of " + std::to_string(kAlignment) + " inside the frame of " +
                       std::to_string(body.frameBytes));
      break;
    case Value::Storage::Alias:
      if (!inside(value.index, body.values.size()))
        add(where, "aliased value is " + range(value.index, body.values.size()));
      else if (value.bytes > body.values[value.index].bytes)
        add(where, "has " + std::to_string(value.bytes) + " bytes, the aliased value " + std::to_string(value.index) +
                       " has " + std::to_string(body.values[value.index].bytes));
      break;
    }
  }

  /// Chains of aliases end at another storage.
  bool aliasesEnd(const Body &body, const std::string &where) {
    enum State : uint8_t { New, Open, Done };
    std::vector<State> states(body.values.size(), New);
    for (size_t i = 0; i < body.values.size(); ++i) {
      std::vector<size_t> chain;
      size_t at = i;
      while (states[at] == New && body.values[at].storage == Value::Storage::Alias) {
        states[at] = Open;
        chain.push_back(at);
        at = body.values[at].index;
      }
      if (states[at] == Open) {
        add(where + ", value " + std::to_string(at), "is an alias of itself");
        return false;
      }
      states[at] = Done;
      for (size_t link : chain)
        states[link] = Done;
    }
    return true;
  }

  void arguments(const Body &body, const std::string &where, const Stage *stage) {
    if (stage && !body.arguments.empty())
      add(where, "has arguments, which a program does not have");
    if (body.numInputs < 0 || body.numInputs > static_cast<int64_t>(body.arguments.size()))
      add(where, "num_inputs is " + std::to_string(body.numInputs) + ", expected 0 to " +
                     std::to_string(body.arguments.size()));
    for (size_t i = 0; i < body.arguments.size(); ++i) {
      ValueId id = body.arguments[i];
      if (!inside(id, body.values.size()) || body.values[id].storage != Value::Storage::Argument ||
          body.values[id].index != static_cast<int32_t>(i))
        add(where,
            "argument " + std::to_string(i) + " names value " + std::to_string(id) + ", which is not that argument");
    }
  }

  void instruction(const Body &body, size_t index, const std::string &bodyWhere, const Stage *stage) {
    const Instruction &i = body.instructions[index];
    std::string where = bodyWhere + ", " + describe(body, index);
    for (const std::vector<ValueId> *list : {&i.inputs, &i.outputs})
      for (ValueId id : *list)
        if (!inside(id, body.values.size()))
          return add(where, "value is " + range(id, body.values.size()));
    if (i.stream < 0 || i.stream >= kMaxStreams)
      return add(where, "stream is " + range(i.stream, kMaxStreams));
    for (int32_t event : i.waits)
      if (!inside(event, body.numEvents))
        return add(where, "waits for event " + range(event, body.numEvents));
    if (i.record != -1 && !inside(i.record, body.numEvents))
      return add(where, "records event " + range(i.record, body.numEvents));
    if (i.workspace != -1 &&
        (!inside(i.workspace, body.values.size()) || body.values[i.workspace].storage != Value::Storage::Local))
      return add(where, "workspace is value " + std::to_string(i.workspace) + ", expected a local value");
    for (const sharding::AxisRef &axis : i.axes)
      if (!plan_.mesh.isValid(axis))
        return add(where, "axis " + axis.name + " is not of the mesh");
      else if (sharding::plain(axis) != axis)
        return add(where, "axis " + axis.name + sharding::modifiersOf(axis) +
                              " is shifted or balanced, which only dimensions are");
    kindOf(body, i, where, stage);
  }

  void kindOf(const Body &body, const Instruction &i, const std::string &where, const Stage *stage) {
    switch (i.kind) {
    case Instruction::Kind::Kernel:
      if (i.op.empty())
        add(where, "has no op");
      break;
    case Instruction::Kind::Collective:
      collective(body, i, where);
      break;
    case Instruction::Kind::Call:
      call(body, i, where);
      break;
    case Instruction::Kind::Accumulate:
      if (i.inputs.size() != 1 || i.outputs.size() != 1)
        add(where, "has " + std::to_string(i.inputs.size()) + " inputs and " + std::to_string(i.outputs.size()) +
                       " outputs, expected 1 and 1");
      break;
    case Instruction::Kind::Load: {
      bool known = false;
      for (const Input &input : plan_.inputs)
        known |= input.name == i.op;
      if (!known)
        add(where, "loads input '" + i.op + "', which the plan does not have");
      if (!stage || !i.inputs.empty() || i.outputs.size() != 1)
        add(where, "expected in a program, with no inputs and 1 output");
      break;
    }
    case Instruction::Kind::Wait:
      if (!i.inputs.empty() || !i.outputs.empty())
        add(where, "has inputs or outputs, which a wait does not have");
      break;
    }
  }

  void collective(const Body &body, const Instruction &i, const std::string &where) {
    bool gathers = i.op == "all_gather", scatters = i.op == "reduce_scatter", exchanges = i.op == "all_to_all";
    bool permutes = i.op == "collective_permute";
    if (i.op != "all_reduce" && !gathers && !scatters && !exchanges && !permutes)
      return add(where, "unknown collective '" + i.op +
                            "', expected all_reduce, all_gather, reduce_scatter, all_to_all or collective_permute");
    if (i.inputs.empty() || i.inputs.size() != i.outputs.size())
      return add(where, "has " + std::to_string(i.inputs.size()) + " inputs and " + std::to_string(i.outputs.size()) +
                            " outputs, expected as many of both, at least 1");
    if (i.axes.empty())
      return add(where, "has no axes");
    if (permutes && (i.axes.size() != 1 || i.axes[0].groupSize() != i.axes[0].size))
      return add(where, "has " + std::to_string(i.axes.size()) + " axes, expected the one of the ring, whole");
    if (permutes ? i.shift < 1 || i.shift >= i.axes[0].size : i.shift != 0)
      return add(where, "shift is " + std::to_string(i.shift) + ", expected " +
                            (permutes ? "at least 1 and less than " + std::to_string(i.axes[0].size) : "none"));
    if (!gathers && !scatters && !exchanges && i.dim != -1)
      return add(where, "dim is " + std::to_string(i.dim) + ", expected none");
    if (!exchanges && i.sourceDim != -1)
      return add(where, "source_dim is " + std::to_string(i.sourceDim) + ", expected none");
    if (!scatters && i.op != "all_reduce" && i.reduce != sharding::ReduceKind::Sum)
      return add(where, "reduce is " + std::string(sharding::name(i.reduce)) + ", expected none");
    for (ValueId id : i.inputs) {
      size_t rank = plan_.types[body.values[id].type].shape.size();
      if ((gathers || scatters || exchanges) && !inside(i.dim, rank))
        return add(where, "dim is " + range(i.dim, rank));
      if (exchanges && (!inside(i.sourceDim, rank) || i.sourceDim == i.dim))
        return add(where, "source_dim is " + range(i.sourceDim, rank) + " and not dim");
    }
  }

  void call(const Body &body, const Instruction &i, const std::string &where) {
    if (!inside(i.block, plan_.blocks.size()))
      return add(where, "block is " + range(i.block, plan_.blocks.size()));
    const Body &callee = plan_.blocks[i.block];
    if (i.stream != 0)
      add(where, "calls are issued to stream 0");
    size_t numOutputs = callee.arguments.size() - std::min<size_t>(callee.numInputs, callee.arguments.size());
    if (static_cast<int64_t>(i.inputs.size()) != callee.numInputs || i.outputs.size() != numOutputs)
      return add(where, "binds " + std::to_string(i.inputs.size()) + " inputs and " + std::to_string(i.outputs.size()) +
                            " outputs, block " + callee.name + " has " + std::to_string(callee.numInputs) + " and " +
                            std::to_string(numOutputs));
    for (size_t a = 0; a < callee.arguments.size(); ++a) {
      ValueId bound = a < i.inputs.size() ? i.inputs[a] : i.outputs[a - i.inputs.size()];
      if (!inside(callee.arguments[a], callee.values.size()))
        return; // Reported at the block.
      if (body.values[bound].bytes < callee.values[callee.arguments[a]].bytes)
        add(where, "argument " + std::to_string(a) + " has " + std::to_string(body.values[bound].bytes) +
                       " bytes, block " + callee.name + " expects " +
                       std::to_string(callee.values[callee.arguments[a]].bytes));
    }
    if (i.frame < 0 || i.frame % kAlignment != 0 || i.frame > body.frameBytes - callee.frameBytes)
      add(where, "frame of " + std::to_string(callee.frameBytes) + " bytes at " + std::to_string(i.frame) +
                     ", expected a multiple of " + std::to_string(kAlignment) + " inside the caller's frame of " +
                     std::to_string(body.frameBytes));
  }

  void stage(const Stage &stage, const std::string &where) {
    if (stage.arenaBytes < 0 || stage.transientOffset < 0 || stage.transientOffset > stage.arenaBytes ||
        stage.transientOffset % kAlignment != 0)
      add(where, "transient_offset is " + std::to_string(stage.transientOffset) + ", expected a multiple of " +
                     std::to_string(kAlignment) + " inside the arena of " + std::to_string(stage.arenaBytes));
    checkStageStructure(plan_, stage, where, findings_);
    for (const Program &program : stage.programs) {
      std::string programWhere = where + ", program " + program.body.name;
      body(program.body, programWhere, &stage);
      if (program.body.frameBytes > stage.arenaBytes - stage.transientOffset)
        add(programWhere, "frame of " + std::to_string(program.body.frameBytes) +
                              " bytes does not fit the arena's transient part of " +
                              std::to_string(stage.arenaBytes - stage.transientOffset));
    }
  }

  /// Blocks call each other without cycles.
  void callDepths() {
    std::vector<int> state(plan_.blocks.size(), 0); // 1: on the way down, 2: done.
    std::vector<std::pair<size_t, size_t>> stack;   // Block, next instruction.
    for (size_t root = 0; root < plan_.blocks.size(); ++root) {
      if (state[root])
        continue;
      state[root] = 1;
      stack.assign(1, {root, 0});
      while (!stack.empty()) {
        auto &[block, next] = stack.back();
        const Body &body = plan_.blocks[block];
        if (next == body.instructions.size()) {
          state[block] = 2;
          stack.pop_back();
          continue;
        }
        const Instruction &i = body.instructions[next++];
        if (i.kind != Instruction::Kind::Call || state[i.block] == 2)
          continue;
        if (state[i.block] == 1)
          return add("block " + body.name, "calls itself through block " + plan_.blocks[i.block].name);
        state[i.block] = 1;
        stack.emplace_back(i.block, 0);
      }
    }
  }

  void outputs() {
    if (plan_.stages.empty())
      return add("stages", "the plan has none");
    for (const auto &[output, id] : plan_.outputs)
      if (!inside(id, plan_.stages.back().buffers.size()))
        add("output " + output, "buffer is " + range(id, plan_.stages.back().buffers.size()));
  }

  static constexpr int64_t kMaxRanks = int64_t{1} << 31;
  static constexpr int64_t kMaxElements = int64_t{1} << 56;
  static constexpr int64_t kMaxBytes = int64_t{1} << 62;
  static constexpr int64_t kMaxStreams = 8;

  const Plan &plan_;
  Findings findings_;
};

} // namespace

std::vector<Finding> checkStructure(const Plan &plan) { return StructureChecker(plan).check(); }

} // namespace modelpar::planformat
