//===- ModelJSON.cpp - the JSON form of a model graph ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads fields and reports all that are wrong, missing or unknown. Ops outside
// `repeat` and `block` objects are gathered into blocks of their own.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Target/ModelJSON/ModelJSON.h"
#include "modelpar/Target/ModelJSON/Ops.h"
#include "modelpar/Target/ModelJSON/Outline.h"

#include "llvm/ADT/STLExtras.h"

using namespace modelpar;
using namespace modelpar::target;

namespace {
class Reader {
public:
  Reader(const ModelOptions &options, json::Errors &errors) : options(options), errors(errors) {}
  Graph read(const json::Value &value);

private:
  /// Calls `each(name, value, pointer)` for the fields of an object.
  template <typename Function> void forFields(json::Object &object, std::string_view key, bool required, Function each);
  Dimension readDim(const std::string &name, const json::Value &value, const std::string &pointer);
  GraphInput readInput(const std::string &name, const json::Value &value, const std::string &pointer);
  GraphParameter readParameter(const std::string &name, const json::Value &value, const std::string &pointer);
  Initializer readInit(const json::Value &value, const std::string &pointer);
  GraphOp readOp(json::Object &object);
  OpAttributes readAttributes(const OpSpec &spec, json::Object &object);
  GraphBlock readBlock(json::Object &object);
  void readItems(const json::Value &items, const std::string &pointer, Graph &graph);

  /// No error since there were `before`. Of more than the limit not even their number is known.
  bool sound(size_t before) const { return errors.messages().size() == before && before < json::Errors::kMaxMessages; }

  const ModelOptions &options;
  json::Errors &errors;
};
} // namespace

bool target::isModelJSON(const json::Value &value) {
  return value.is_object() && (value.contains("modelpar") || value.contains("ops"));
}

template <typename Function>
void Reader::forFields(json::Object &object, std::string_view key, bool required, Function each) {
  const json::Value *fields = required ? &object.any(key) : object.optionalAny(key);
  if (!fields || fields->is_null())
    return;
  std::string pointer = object.pointer(key);
  if (!fields->is_object())
    return errors.add(pointer, "expected an object of names, found " + json::describe(*fields));
  for (auto it = fields->begin(); it != fields->end(); ++it)
    each(it.key(), it.value(), json::join(pointer, it.key()));
}

Dimension Reader::readDim(const std::string &name, const json::Value &value, const std::string &pointer) {
  Dimension dim{name, 1, Dimension::Role::Plain, pointer};
  if (value.is_number_integer()) {
    dim.size = value.get<int64_t>(); // Within int64, or the text was refused.
    return dim;
  }
  if (!value.is_object()) {
    errors.add(pointer, "expected a size or an object with a role, found " + json::describe(value));
    return dim;
  }
  json::Object object(value, pointer, errors);
  bool batch = object.choice("role", {"batch", "sequence"}) == 0;
  dim.role = batch ? Dimension::Role::Batch : Dimension::Role::Sequence;
  if (batch) {
    dim.size = options.globalBatch;
  } else {
    auto size = object.optionalInteger("size", 1, kMaxDimSize);
    auto max = object.optionalInteger("max", 1, kMaxDimSize);
    if (!options.sequence && !size)
      object.error("size", "dim '" + name + "' has no size of its own; give --seq");
    dim.size = options.sequence.value_or(size.value_or(1));
    if (max && dim.size > *max)
      object.error("max", "sequence of " + std::to_string(dim.size) + " is longer than the model's maximum of " +
                              std::to_string(*max));
  }
  object.finish();
  return dim;
}

GraphInput Reader::readInput(const std::string &name, const json::Value &value, const std::string &pointer) {
  size_t before = errors.messages().size();
  json::Object object(value, pointer, errors);
  GraphInput input;
  input.name = name;
  input.pointer = pointer;
  input.dims = object.strings("dims");
  input.type = object.choice("type", {"float", "i32"}) == 0 ? ElementType::Float : ElementType::Integer;
  constexpr std::string_view roles[] = {"data", "tokens", "targets", "positions"};
  input.role = roles[object.choice("role", {roles[0], roles[1], roles[2], roles[3]})];
  std::vector<double> range = object.numbers("range");
  if (range.size() == 2) {
    input.low = range[0];
    input.high = range[1];
  } else if (object.has("range")) {
    object.error("range", "expected [low, high], found " + std::to_string(range.size()) + " numbers");
  }
  object.finish();
  input.broken = !sound(before);
  return input;
}

Initializer Reader::readInit(const json::Value &value, const std::string &pointer) {
  Initializer init;
  if (value.is_string()) {
    std::string kind = value.get<std::string>();
    if (kind == "zeros" || kind == "ones")
      init.kind = kind;
    else
      errors.add(pointer, "unknown init '" + kind.substr(0, 64) + "'; " +
                              supportedList(kind, {"zeros", "ones", "constant", "normal", "uniform"}));
    return init;
  }
  json::Object object(value, pointer, errors);
  if (!object.valid())
    return init;
  if (object.has("constant")) {
    init = {"constant", object.number("constant"), 0};
  } else if (object.has("normal")) {
    json::Object normal = object.object("normal");
    init = {"normal", normal.optionalNumber("mean").value_or(0), normal.number("std", 0)};
    normal.finish();
  } else if (object.has("uniform")) {
    json::Object uniform = object.object("uniform");
    init = {"uniform", uniform.number("low"), uniform.number("high")};
    if (init.a > init.b)
      errors.add(json::join(pointer, "uniform"), "low is above high");
    uniform.finish();
  } else {
    errors.add(pointer, "expected \"zeros\", \"ones\" or an object with one of constant, normal, uniform");
    return init;
  }
  object.finish();
  return init;
}

GraphParameter Reader::readParameter(const std::string &name, const json::Value &value, const std::string &pointer) {
  size_t before = errors.messages().size();
  json::Object object(value, pointer, errors);
  GraphParameter parameter;
  parameter.name = name;
  parameter.pointer = pointer;
  parameter.dims = object.strings("dims");
  if (const json::Value &init = object.any("init"); !init.is_null())
    parameter.init = readInit(init, object.pointer("init"));
  parameter.zeroRow = object.optionalInteger("zero_row", 0, kMaxDimSize);
  parameter.weightDecay = object.optionalBoolean("weight_decay");
  if (auto checkpoint = object.optionalObject("checkpoint")) {
    parameter.checkpointName = checkpoint->optionalString("name").value_or("");
    parameter.checkpointAliases = checkpoint->optionalStrings("aliases").value_or(std::vector<std::string>());
    parameter.checkpointShape = checkpoint->optionalIntegers("shape", 1, kMaxElements);
    checkpoint->finish();
  }
  object.finish();
  parameter.broken = !sound(before);
  return parameter;
}

OpAttributes Reader::readAttributes(const OpSpec &spec, json::Object &object) {
  OpAttributes attributes;
  for (std::string_view name : spec.attributes) {
    if (name == "kind") {
      size_t before = errors.messages().size();
      attributes.kind = object.string("kind");
      if (sound(before) && !llvm::is_contained(activationKinds(), *attributes.kind))
        object.error("kind", "unknown activation '" + attributes.kind->substr(0, 64) + "'; " +
                                 supportedList(*attributes.kind, activationKinds()));
    } else if (name == "rate") {
      attributes.rate = spec.kind == "dropout" ? object.number("rate", 0, 1) : object.optionalNumber("rate", 0, 1);
      if (attributes.rate == 1.0)
        object.error("rate", "a rate of 1 drops everything; expected less than 1");
    } else if (name == "epsilon") {
      attributes.epsilon = object.number("epsilon", 0);
    } else if (name == "theta") {
      attributes.theta = readTheta(object, "theta");
    } else if (name == "scaling") {
      if (auto scaling = object.optionalObject("scaling")) {
        attributes.scaling = readRotaryScaling(*scaling);
        scaling->finish();
      }
    } else if (name == "scale") {
      attributes.scale = object.optionalNumber("scale");
    } else if (name == "causal") {
      attributes.causal = object.boolean("causal");
    } else if (name == "padding_row") {
      attributes.paddingRow = object.optionalInteger("padding_row", 0, kMaxDimSize);
    } else if (name == "dim") {
      attributes.dim = object.string("dim");
    } else if (name == "result") {
      attributes.result = object.optionalStrings("result");
    }
  }
  object.finish();
  return attributes;
}

GraphOp Reader::readOp(json::Object &object) {
  size_t before = errors.messages().size();
  GraphOp op;
  op.pointer = object.pointer();
  op.kind = object.string("op");
  op.inputs = object.strings("inputs");
  op.outputs = object.strings("outputs");
  op.name = object.optionalString("name").value_or(op.outputs.empty() ? op.kind : op.outputs[0]);
  forFields(object, "rename", false, [&](const std::string &from, const json::Value &to, const std::string &pointer) {
    if (to.is_string())
      op.rename[from] = to.get<std::string>();
    else
      errors.add(pointer, "expected the name of a dim, found " + json::describe(to));
  });
  const OpSpec *spec = findOpSpec(op.kind);
  if (!spec) {
    std::vector<std::string_view> kinds;
    for (const OpSpec &known : opSpecs())
      kinds.push_back(known.kind);
    if (sound(before)) // It is a string, then.
      object.error("op", "unknown op '" + op.kind.substr(0, 64) + "'; " + supportedList(op.kind, kinds));
    object.ignore("attributes");
    object.finish();
    op.broken = true;
    return op;
  }
  auto count = [&](const char *field, size_t found, size_t expected, size_t optional = 0) {
    if (object.has(field) && (found < expected || found > expected + optional))
      object.error(field, "found " + std::to_string(found) + " " + field + ", expected " + std::to_string(expected) +
                              (optional ? " or " + std::to_string(expected + optional) : "") + ": " +
                              std::string(spec->form));
  };
  count("inputs", op.inputs.size(), spec->numInputs, spec->numOptionalInputs);
  if (spec->numOutputs)
    count("outputs", op.outputs.size(), spec->numOutputs);
  static const json::Value none = json::Value::object();
  const json::Value *attributes = object.optionalAny("attributes");
  json::Object view(attributes ? *attributes : none, object.pointer("attributes"), errors);
  op.attributes = readAttributes(*spec, view);
  object.finish();
  op.broken = !sound(before);
  return op;
}

GraphBlock Reader::readBlock(json::Object &object) {
  GraphBlock block;
  block.pointer = object.pointer();
  block.name = object.string("block");
  block.repeated = object.has("repeat");
  if (block.repeated)
    block.repeat = object.integer("repeat", 1, kMaxRepeat);
  forFields(object, "parameters", false,
            [&](const std::string &name, const json::Value &value, const std::string &pointer) {
              block.parameters.push_back(readParameter(name, value, pointer));
            });
  if (block.repeated)
    forFields(
        object, "carry", true, [&](const std::string &name, const json::Value &value, const std::string &pointer) {
          json::Object carry(value, pointer, errors);
          block.carries.push_back({name, carry.string("from"), carry.string("next"), carry.string("result"), pointer});
          carry.finish();
        });
  const json::Value &ops = object.array("ops");
  for (size_t i = 0; i < ops.size(); ++i) {
    json::Object op = json::Object::element(ops, i, object.pointer("ops"), errors);
    if (op.valid() && (op.has("block") || op.has("repeat")))
      op.error(op.has("block") ? "block" : "repeat", "blocks cannot be nested");
    else
      block.ops.push_back(readOp(op));
  }
  object.finish();
  return block;
}

void Reader::readItems(const json::Value &items, const std::string &pointer, Graph &graph) {
  for (size_t i = 0; i < items.size();) {
    json::Object object = json::Object::element(items, i, pointer, errors);
    if (object.valid() && (object.has("block") || object.has("repeat"))) {
      graph.blocks.push_back(readBlock(object));
      ++i;
      continue;
    }
    GraphBlock loose;
    loose.pointer = object.pointer();
    loose.loose = true;
    for (; i < items.size(); ++i) {
      json::Object op = json::Object::element(items, i, pointer, errors);
      if (op.valid() && (op.has("block") || op.has("repeat")))
        break;
      loose.ops.push_back(readOp(op));
    }
    graph.blocks.push_back(std::move(loose));
  }
}

Graph Reader::read(const json::Value &value) {
  json::Object object(value, "", errors);
  Graph graph;
  int64_t version = object.integer("modelpar", 1);
  if (object.has("modelpar") && version != kModelFormatVersion)
    object.error("modelpar",
                 "format version " + std::to_string(version) + ", expected " + std::to_string(kModelFormatVersion));
  graph.name = object.string("name");
  forFields(object, "dims", true, [&](const std::string &name, const json::Value &dim, const std::string &pointer) {
    graph.dims.push_back(readDim(name, dim, pointer));
  });
  forFields(object, "inputs", true, [&](const std::string &name, const json::Value &input, const std::string &pointer) {
    graph.inputs.push_back(readInput(name, input, pointer));
  });
  forFields(object, "parameters", false,
            [&](const std::string &name, const json::Value &parameter, const std::string &pointer) {
              graph.parameters.push_back(readParameter(name, parameter, pointer));
            });
  const json::Value &ops = object.array("ops");
  readItems(ops, object.pointer("ops"), graph);
  outlineLayers(graph);
  graph.loss = object.string("loss");
  graph.lossPointer = object.pointer("loss");
  object.ignore("description");
  object.finish();
  if (options.sequence &&
      !llvm::any_of(graph.dims, [](const Dimension &dim) { return dim.role == Dimension::Role::Sequence; }))
    errors.add("/dims", "--seq=" + std::to_string(*options.sequence) + " is given, but no dim has role 'sequence'");
  return graph;
}

Graph target::readModelJSON(const json::Value &value, const ModelOptions &options, json::Errors &errors) {
  return Reader(options, errors).read(value);
}
