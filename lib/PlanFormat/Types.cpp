//===- Types.cpp - types that fit each other in a plan -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"
#include "lib/PlanFormat/Partials.h"
#include "modelpar/PlanFormat/Contracts.h"

#include "modelpar/Sharding/AxisParts.h"

#include <algorithm>

namespace modelpar::planformat {

using sharding::AxisRef;
using sharding::DimSharding;
using sharding::PartialAxis;

std::string describe(const TensorType &type) {
  std::string text = std::string(name(type.dtype)) + "[";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? "x" : "") + std::to_string(type.shape[i]);
  return text + "] " + sharding::toString(type.sharding);
}

namespace {

DimSharding concatenated(DimSharding major, const DimSharding &minor) {
  major.insert(major.end(), minor.begin(), minor.end());
  return sharding::joinedAxes(major);
}

class TypeChecker {
public:
  TypeChecker(const Plan &plan, Findings &findings) : plan_(plan), findings_(findings) {}

  void check() {
    for (const Body &block : plan_.blocks)
      body(block, "block " + block.name, nullptr);
    for (size_t s = 0; s < plan_.stages.size(); ++s)
      for (const Program &program : plan_.stages[s].programs)
        body(program.body, "stage " + std::to_string(s) + ", program " + program.body.name, &plan_.stages[s]);
    wholeBuffers();
    scalarOutputs();
  }

private:
  const TensorType &type(const Body &body, ValueId id) const { return plan_.types[body.values[id].type]; }

  void body(const Body &body, const std::string &bodyWhere, const Stage *stage) {
    for (size_t v = 0; v < body.values.size(); ++v) {
      const Value &value = body.values[v];
      if (value.storage == Value::Storage::Buffer && !sameLayout(value.type, stage->buffers[value.index].type))
        findings_.add(bodyWhere + ", value " + std::to_string(v),
                      "has type " + describe(plan_.types[value.type]) + ", buffer " + stage->buffers[value.index].name +
                          " has " + describe(plan_.types[stage->buffers[value.index].type]));
    }
    for (size_t n = 0; n < body.instructions.size() && !findings_.full(); ++n) {
      const Instruction &i = body.instructions[n];
      std::string where = bodyWhere + ", " + describe(body, n);
      switch (i.kind) {
      case Instruction::Kind::Kernel:
        kernel(body, i, where);
        break;
      case Instruction::Kind::Collective:
        collective(body, i, where);
        break;
      case Instruction::Kind::Call:
        call(body, i, where);
        break;
      case Instruction::Kind::Accumulate:
        accumulate(type(body, i.inputs[0]), type(body, i.outputs[0]), where);
        break;
      case Instruction::Kind::Load:
        for (const Input &input : plan_.inputs)
          if (input.name == i.op && !same(input.type, body.values[i.outputs[0]].type))
            findings_.add(where, "fills a value of type " + describe(type(body, i.outputs[0])) + ", the input has " +
                                     describe(plan_.types[input.type]));
        break;
      case Instruction::Kind::Wait:
        break;
      }
    }
  }

  bool same(TypeId a, TypeId b) const { return a == b || plan_.types[a] == plan_.types[b]; }

  /// The same bytes: all but what they are partial over (a gradient's buffer before and after its reduction in place).
  bool sameLayout(TypeId a, TypeId b) const {
    const TensorType &x = plan_.types[a], &y = plan_.types[b];
    return a == b || (x.dtype == y.dtype && x.shape == y.shape && x.sharding.dims == y.sharding.dims);
  }

  /// What the table does not know, the registry of a device refuses.
  void kernel(const Body &body, const Instruction &i, const std::string &where) {
    std::vector<const TensorType *> inputs, outputs;
    for (ValueId id : i.inputs)
      inputs.push_back(&type(body, id));
    for (ValueId id : i.outputs)
      outputs.push_back(&type(body, id));
    if (std::string error = contractError(i, inputs, outputs); !error.empty())
      findings_.add(where, error);
  }

  void call(const Body &body, const Instruction &i, const std::string &where) {
    const Body &callee = plan_.blocks[i.block];
    for (size_t a = 0; a < callee.arguments.size(); ++a) {
      ValueId bound = a < i.inputs.size() ? i.inputs[a] : i.outputs[a - i.inputs.size()];
      TypeId expected = callee.values[callee.arguments[a]].type;
      if (!same(body.values[bound].type, expected))
        findings_.add(where, "argument " + std::to_string(a) + " has type " + describe(type(body, bound)) + ", block " +
                                 callee.name + " expects " + describe(plan_.types[expected]));
    }
  }

  void accumulate(const TensorType &in, const TensorType &out, const std::string &where) {
    TensorType expected = in;
    std::erase_if(expected.sharding.partial, [](const PartialAxis &partial) {
      return partial.axis.name == sharding::kMicroBatchAxis && partial.kind == sharding::ReduceKind::Sum;
    });
    expected.dtype = out.dtype;
    if (!canAccumulate(in.dtype, out.dtype))
      findings_.add(where, "adds " + describe(in) + " into " + describe(out) + ", expected a sum in f32 or f64");
    if (expected != out)
      findings_.add(where, "adds " + describe(in) + " into " + describe(out) + ", expected " + describe(expected));
    if (plan_.mesh.has(sharding::kMicroBatchAxis) && expected.sharding.partial.size() == in.sharding.partial.size())
      findings_.add(where, "adds " + describe(in) + " over micro-batches, expected a value that is partial over mb");
  }

  void collective(const Body &body, const Instruction &i, const std::string &where) {
    std::vector<AxisRef> sorted = i.axes;
    std::sort(sorted.begin(), sorted.end());
    for (size_t a = 0; a < sorted.size(); ++a) {
      if (sorted[a].name == sharding::kMicroBatchAxis)
        return findings_.add(where, "axis mb is time and has no ranks");
      for (size_t b = 0; b < a; ++b)
        if (sorted[b].name == sorted[a].name && sorted[a].preSize % (sorted[b].preSize * sorted[b].size) != 0)
          return findings_.add(where, "axis " + sorted[a].name + " occurs twice");
    }
    for (size_t n = 0; n < i.inputs.size(); ++n) {
      const TensorType &in = type(body, i.inputs[n]), &out = type(body, i.outputs[n]);
      if (std::string expected = collectiveResult(i, in, out); !expected.empty())
        findings_.add(where, "pair " + std::to_string(n) + " goes from " + describe(in) + " to " + describe(out) +
                                 ", expected " + expected);
    }
  }

  std::string axesText(const Instruction &i) const {
    std::string text;
    for (const AxisRef &axis : i.axes)
      text += (text.empty() ? "" : ", ") + toText(plan_.mesh, axis);
    return text;
  }

  /// What is wrong about the collective's types; empty when they fit.
  std::string collectiveResult(const Instruction &i, const TensorType &in, const TensorType &out) const {
    if (in.dtype != out.dtype || in.shape != out.shape)
      return "the same element type and global shape";
    bool reduces = i.op == "all_reduce" || i.op == "reduce_scatter";
    // The input is partial over the collective's axes and what the output is still partial over.
    std::vector<PartialAxis> partial = out.sharding.partial;
    if (reduces)
      for (const AxisRef &axis : i.axes)
        partial.push_back({axis, i.reduce});
    if (joined(partial) != joined(in.sharding.partial))
      return reduces ? "an input that is partial (" + std::string(sharding::name(i.reduce)) + ") over " + axesText(i) +
                           " beside what the output is partial over"
                     : "the same partial axes on both sides";
    bool permutes = i.op == "collective_permute", rotates = false;
    for (size_t d = 0; d < in.shape.size(); ++d) {
      DimSharding before = in.sharding.dims[d], after = out.sharding.dims[d];
      bool isDim = static_cast<int32_t>(d) == i.dim && i.op != "all_reduce" && !permutes;
      if (permutes && sharding::permute(before, i.axes[0], i.shift)) {
        rotates = true;
        if (before != after)
          return "dimension " + std::to_string(d) + " to be shifted by " + std::to_string(i.shift) + " over " +
                 axesText(i);
        continue;
      }
      if (i.op == "all_gather" && isDim)
        after = concatenated(after, i.axes);
      if ((i.op == "reduce_scatter" || i.op == "all_to_all") && isDim)
        before = concatenated(before, i.axes);
      if (i.op == "all_to_all" && static_cast<int32_t>(d) == i.sourceDim)
        after = concatenated(after, i.axes);
      if (sharding::joinedAxes(before) != sharding::joinedAxes(after)) {
        bool changes = isDim || (i.op == "all_to_all" && static_cast<int32_t>(d) == i.sourceDim);
        return "dimension " + std::to_string(d) +
               (changes ? " to differ by the minor axes " + axesText(i) : " to stay as it is");
      }
    }
    return permutes && !rotates ? "a tensor that is split over " + axesText(i) : "";
  }

  /// Outputs are numbers.
  void scalarOutputs() {
    for (const auto &[output, id] : plan_.outputs) {
      const Buffer &buffer = plan_.stages.back().buffers[id];
      const TensorType &type = plan_.types[buffer.type];
      if (!type.shape.empty() || (type.dtype != DType::F32 && type.dtype != DType::F64))
        findings_.add("output " + output,
                      "buffer " + buffer.name + " has type " + describe(type) + ", expected one number in f32 or f64");
    }
  }

  /// Inputs, parameters and their states are whole. (What outputs are left with, the schedule knows.)
  void wholeBuffers() {
    for (const Input &input : plan_.inputs)
      if (plan_.types[input.type].sharding.isPartial())
        findings_.add("input " + input.name,
                      "has type " + describe(plan_.types[input.type]) + ", expected a whole value");
    auto whole = [&](const std::string &where, const Buffer &buffer) {
      if (plan_.types[buffer.type].sharding.isPartial())
        findings_.add(where, "buffer " + buffer.name + " has type " + describe(plan_.types[buffer.type]) +
                                 ", expected a whole value");
    };
    for (const Parameter &parameter : plan_.parameters) {
      const std::vector<Buffer> &owner = plan_.stages[parameter.stage].buffers;
      for (const Replica &copy : copiesOf(parameter)) {
        const std::vector<Buffer> &buffers = plan_.stages[copy.stage].buffers;
        std::string where = "parameter " + parameter.name;
        if (!parameter.replicas.empty())
          where += " on stage " + std::to_string(copy.stage);
        if (!same(buffers[copy.value].type, parameter.type))
          findings_.add(where, "value buffer has type " + describe(plan_.types[buffers[copy.value].type]) +
                                   ", expected " + describe(plan_.types[parameter.type]));
        whole(where, buffers[copy.value]);
        // It is initialised, saved and loaded as it stands.
        for (const DimSharding &dim : plan_.types[parameter.type].sharding.dims)
          if (!dim.empty() && dim.front().balanced)
            findings_.add(where,
                          "has type " + describe(plan_.types[parameter.type]) + ", expected one in its natural order");
        for (size_t i = 0; i < copy.state.size(); ++i) {
          const Buffer &state = buffers[copy.state[i].second], &expected = owner[parameter.state[i].second];
          whole(where, state);
          if (plan_.types[state.type].shape != plan_.types[parameter.type].shape)
            findings_.add(where, copy.state[i].first + " has type " + describe(plan_.types[state.type]) +
                                     ", expected the parameter's shape");
          else if (!same(state.type, expected.type))
            findings_.add(where, copy.state[i].first + " has type " + describe(plan_.types[state.type]) +
                                     ", the owner's has " + describe(plan_.types[expected.type]));
        }
      }
    }
  }

  const Plan &plan_;
  Findings &findings_;
};

} // namespace

void checkTypes(const Plan &plan, Findings &findings) { TypeChecker(plan, findings).check(); }

} // namespace modelpar::planformat
