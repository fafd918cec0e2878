//===- Reader.cpp - the plan file, read ----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Reader.h"

#include "lib/PlanFormat/Names.h"
#include "lib/PlanFormat/Sha256.h"
#include "modelpar/Json/Json.h"
#include "modelpar/PlanFormat/Verifier.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace modelpar::planformat {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxBytes = int64_t{1} << 62;

/// Fields of the file to fields of the plan. Errors go to `errors_`; ids are checked afterwards by checkStructure.
class ContentReader {
public:
  ContentReader(Plan &plan, json::Errors &errors) : plan_(plan), errors_(errors) {}

  void read(const json::Value &document) {
    json::Object o(document, "", errors_);
    for (std::string_view header : {"format_version", "content_bytes", "sha256"})
      o.ignore(header);
    plan_.tool = o.string("tool");
    plan_.command = o.string("command");
    plan_.modelName = o.string("model_name");
    plan_.modelText = o.string("model");
    plan_.clusterText = o.string("cluster");
    plan_.deviceKind = o.choice("device", {"cpu", "cuda"}) == 0 ? "cpu" : "cuda";
    plan_.optimizer = o.choice("optimizer", {"adamw", "sgd"}) == 0 ? "adamw" : "sgd";
    std::vector<sharding::MeshAxis> axes;
    elements(o, "mesh", axes, [](json::Object &axis) {
      return sharding::MeshAxis{axis.string("name"), axis.integer("size", 1, kMaxId)};
    });
    plan_.mesh = sharding::Mesh(std::move(axes));
    plan_.globalBatch = o.integer("global_batch", 0);
    plan_.sequence = o.integer("sequence", 0);
    elements(o, "types", plan_.types, [&](json::Object &e) { return type(e); });
    elements(o, "inputs", plan_.inputs, [&](json::Object &e) { return input(e); });
    elements(o, "parameters", plan_.parameters, [&](json::Object &e) { return parameter(e); });
    elements(o, "blocks", plan_.blocks, [&](json::Object &e) { return body(e); });
    elements(o, "stages", plan_.stages, [&](json::Object &e) { return stage(e); });
    namedIds(o, "outputs", plan_.outputs);
    plan_.summary = o.string("summary");
    o.finish();
  }

private:
  /// Reads an array of objects; each element's unknown fields are reported.
  template <typename T, typename Read>
  void elements(json::Object &object, std::string_view key, std::vector<T> &out, Read read) {
    const json::Value &array = object.array(key);
    const std::string pointer = object.pointer(key);
    out.reserve(array.size());
    for (size_t i = 0; i < array.size(); ++i) {
      json::Object element = json::Object::element(array, i, pointer, errors_);
      out.push_back(read(element));
      element.finish();
    }
  }

  void namedIds(json::Object &object, std::string_view key, std::vector<std::pair<std::string, BufferId>> &out) {
    elements(object, key, out, [](json::Object &e) { return std::pair(e.string("name"), id(e, "buffer")); });
  }

  static int32_t id(json::Object &object, std::string_view key, int64_t min = 0) {
    return static_cast<int32_t>(object.integer(key, min, kMaxId));
  }
  static int32_t optionalId(json::Object &object, std::string_view key, int32_t standard, int64_t min = 0) {
    return static_cast<int32_t>(object.optionalInteger(key, min, kMaxId).value_or(standard));
  }
  static std::vector<int32_t> ids(const std::vector<int64_t> &numbers) { return {numbers.begin(), numbers.end()}; }

  std::optional<double> real(const json::Value &value) {
    if (value.is_number())
      return value.get<double>();
    if (value == "inf")
      return std::numeric_limits<double>::infinity();
    if (value == "-inf")
      return -std::numeric_limits<double>::infinity();
    if (value == "nan")
      return std::numeric_limits<double>::quiet_NaN();
    return std::nullopt;
  }

  /// `:(PRE)SIZE`, `*`, `+SHIFT`, `{COORDINATE,...}`, in this order, each or none.
  static bool axisModifiers(std::string_view text, sharding::AxisRef &ref) {
    auto skip = [&](std::string_view expected) {
      bool found = text.starts_with(expected);
      if (found)
        text.remove_prefix(expected.size());
      return found;
    };
    auto number = [&](int64_t &target) {
      auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), target);
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      return code == std::errc();
    };
    if (skip(":") && !(skip("(") && number(ref.preSize) && skip(")") && number(ref.size)))
      return false;
    ref.balanced = skip("*");
    if (skip("+") && !number(ref.shift))
      return false;
    if (skip("{")) {
      do {
        if (!number(ref.subset.emplace_back()))
          return false;
        if (ref.subset.back() == -1)
          ref.subset.back() = ref.size - 1;
      } while (skip(","));
      if (!skip("}"))
        return false;
    }
    return text.empty();
  }

  sharding::AxisRef axis(const json::Value &value, const std::string &pointer) {
    sharding::AxisRef ref{"", 1, 1};
    if (!value.is_string()) {
      errors_.add(pointer, "expected a mesh axis as a string, found " + json::describe(value));
      return ref;
    }
    const std::string &text = value.get_ref<const std::string &>();
    size_t nameEnd = std::min(text.find_first_of(":*+{"), text.size());
    ref.name = text.substr(0, nameEnd);
    bool good = plan_.mesh.has(ref.name);
    if (good) {
      ref.size = plan_.mesh.size(ref.name);
      good = axisModifiers(std::string_view(text).substr(nameEnd), ref) && plan_.mesh.isValid(ref);
    }
    if (!good) {
      errors_.add(pointer,
                  "expected an axis of the mesh (\"tp\"), a part of one (\"tp:(1)2\"), a balanced or shifted one "
                  "(\"cp*+1\") or some coordinates of one (\"pp{0,-1}\"), found " +
                      json::describe(value));
      ref = {"", 1, 1};
    }
    return ref;
  }

  std::vector<sharding::AxisRef> axes(const json::Value &array, const std::string &pointer) {
    std::vector<sharding::AxisRef> result;
    if (!array.is_array()) {
      errors_.add(pointer, "expected an array of mesh axes, found " + json::describe(array));
      return result;
    }
    for (size_t i = 0; i < array.size(); ++i)
      result.push_back(axis(array[i], json::join(pointer, i)));
    return result;
  }

  sharding::ReduceKind reduceKind(const json::Value &value, const std::string &pointer) {
    if (value.is_string())
      if (auto kind = sharding::parseReduceKind(value.get_ref<const std::string &>()))
        return *kind;
    errors_.add(pointer, "expected one of sum, max, lse, found " + json::describe(value));
    return sharding::ReduceKind::Sum;
  }

  TensorType type(json::Object &o) {
    TensorType type;
    std::string dtype = o.string("dtype");
    if (auto parsed = parseDType(dtype))
      type.dtype = *parsed;
    else if (o.has("dtype"))
      o.error("dtype", "expected one of f32, f64, bf16, f16, i32, i64, found " + json::describe(o.any("dtype")));
    type.shape = o.integers("shape", 0);
    const json::Value &dims = o.array("dims");
    for (size_t i = 0; i < dims.size(); ++i)
      type.sharding.dims.push_back(axes(dims[i], json::join(o.pointer("dims"), i)));
    if (const json::Value *partial = o.optionalArray("partial"))
      for (size_t i = 0; i < partial->size(); ++i) {
        const json::Value &pair = (*partial)[i];
        std::string pointer = json::join(o.pointer("partial"), i);
        if (!pair.is_array() || pair.size() != 2) {
          errors_.add(pointer, "expected a pair of an axis and sum, max or lse, found " + json::describe(pair));
          continue;
        }
        sharding::PartialAxis entry;
        entry.axis = axis(pair[0], json::join(pointer, size_t{0}));
        entry.kind = reduceKind(pair[1], json::join(pointer, size_t{1}));
        type.sharding.partial.push_back(std::move(entry));
      }
    return type;
  }

  Input input(json::Object &o) {
    Input input;
    input.name = o.string("name");
    input.type = id(o, "type");
    input.role = o.string("role");
    const json::Value &range = o.array("range");
    std::optional<double> low = range.size() == 2 ? real(range[0]) : std::nullopt;
    std::optional<double> high = range.size() == 2 ? real(range[1]) : std::nullopt;
    if (low && high)
      input.rangeLow = *low, input.rangeHigh = *high;
    else if (o.has("range"))
      o.error("range", "expected two numbers, low and high");
    input.dimNames = o.strings("dim_names");
    input.batchDim = optionalId(o, "batch_dim", -1);
    return input;
  }

  Parameter parameter(json::Object &o) {
    Parameter parameter;
    parameter.name = o.string("name");
    parameter.checkpointName = o.string("checkpoint_name");
    parameter.aliases = o.optionalStrings("checkpoint_aliases").value_or(std::vector<std::string>());
    parameter.checkpointShape = o.integers("checkpoint_shape", 0);
    parameter.type = id(o, "type");
    const json::Value &init = o.array("init");
    std::optional<double> a = init.size() == 3 ? real(init[1]) : std::nullopt;
    std::optional<double> b = init.size() == 3 ? real(init[2]) : std::nullopt;
    if (a && b && init[0].is_string())
      parameter.init = {init[0].get<std::string>(), *a, *b};
    else if (o.has("init"))
      o.error("init", "expected a kind and two numbers");
    parameter.zeroRow = o.optionalInteger("zero_row", 0).value_or(-1);
    parameter.weightDecay = o.boolean("weight_decay");
    parameter.stage = id(o, "stage");
    parameter.value = id(o, "value", -1);
    parameter.gradient = id(o, "gradient", -1);
    namedIds(o, "state", parameter.state);
    if (o.has("replicas"))
      elements(o, "replicas", parameter.replicas, [&](json::Object &e) {
        Replica replica{id(e, "stage"), id(e, "value", -1), id(e, "gradient", -1), {}};
        namedIds(e, "state", replica.state);
        return replica;
      });
    return parameter;
  }

  Value value(json::Object &o) {
    Value value;
    value.type = id(o, "type");
    value.storage = static_cast<Value::Storage>(o.choice("storage", {"argument", "buffer", "local", "alias"}));
    bool local = value.storage == Value::Storage::Local;
    value.index = local ? optionalId(o, "index", 0) : id(o, "index");
    value.offset = local ? o.integer("offset", 0, kMaxBytes) : o.optionalInteger("offset", 0, kMaxBytes).value_or(0);
    value.bytes = o.integer("bytes", 0, kMaxBytes);
    return value;
  }

  std::optional<Attribute> attribute(const json::Value &value) {
    if (value.is_boolean())
      return Attribute(value.get<bool>());
    if (value.is_number_integer())
      return Attribute(value.get<int64_t>());
    if (value.is_number_float())
      return Attribute(value.get<double>());
    if (value.is_string())
      return Attribute(value.get<std::string>());
    if (value.is_array()) {
      std::vector<int64_t> numbers;
      for (const json::Value &element : value) {
        if (!element.is_number_integer())
          return std::nullopt;
        numbers.push_back(element.get<int64_t>());
      }
      return Attribute(std::move(numbers));
    }
    if (!value.is_object() || value.size() != 1 || !value.contains("f64"))
      return std::nullopt;
    const json::Value &reals = value["f64"];
    if (!reals.is_array()) {
      std::optional<double> number = real(reals);
      return number ? std::optional<Attribute>(*number) : std::nullopt;
    }
    std::vector<double> numbers;
    for (const json::Value &element : reals) {
      std::optional<double> number = real(element);
      if (!number)
        return std::nullopt;
      numbers.push_back(*number);
    }
    return Attribute(std::move(numbers));
  }

  Attributes attributes(json::Object &o) {
    Attributes result;
    const json::Value *value = o.optionalAny("attributes");
    if (!value)
      return result;
    if (!value->is_object()) {
      o.error("attributes", "expected an object, found " + json::describe(*value));
      return result;
    }
    for (const auto &[key, element] : value->items()) {
      if (std::optional<Attribute> parsed = attribute(element))
        result[key] = std::move(*parsed);
      else
        errors_.add(json::join(o.pointer("attributes"), key),
                    "expected a boolean, number, string, array of integers or {\"f64\": [...]}, found " +
                        json::describe(element));
    }
    return result;
  }

  Instruction instruction(json::Object &o) {
    Instruction i;
    i.kind = static_cast<Instruction::Kind>(
        o.choice("kind", {"kernel", "collective", "call", "accumulate", "load", "wait"}));
    i.op = o.optionalString("op").value_or("");
    i.inputs = ids(o.integers("inputs", 0, kMaxId));
    i.outputs = ids(o.integers("outputs", 0, kMaxId));
    i.attributes = attributes(o);
    i.stream = id(o, "stream");
    if (auto waits = o.optionalIntegers("waits", 0, kMaxId))
      i.waits = ids(*waits);
    i.record = optionalId(o, "record", -1);
    i.workspace = optionalId(o, "workspace", -1);
    bool collective = i.kind == Instruction::Kind::Collective, call = i.kind == Instruction::Kind::Call;
    if (const json::Value *list = collective ? &o.array("axes") : o.optionalArray("axes"))
      i.axes = axes(*list, o.pointer("axes"));
    if (const json::Value *reduce = collective ? &o.any("reduce") : o.optionalAny("reduce");
        reduce && !reduce->is_null())
      i.reduce = reduceKind(*reduce, o.pointer("reduce"));
    i.dim = optionalId(o, "dim", -1);
    i.sourceDim = optionalId(o, "source_dim", -1);
    i.shift = o.optionalInteger("shift", 0, kMaxId).value_or(0);
    i.block = call ? id(o, "block") : optionalId(o, "block", -1);
    i.frame = call ? o.integer("frame", 0, kMaxBytes) : o.optionalInteger("frame", 0, kMaxBytes).value_or(0);
    i.instance = call ? o.integer("instance") : o.optionalInteger("instance").value_or(0);
    i.origin = o.optionalString("origin").value_or("");
    return i;
  }

  Body body(json::Object &o) {
    Body body;
    body.name = o.string("name");
    body.arguments = ids(o.integers("arguments", 0, kMaxId));
    body.numInputs = id(o, "num_inputs");
    body.numEvents = id(o, "num_events");
    body.frameBytes = o.integer("frame_bytes", 0, kMaxBytes);
    elements(o, "values", body.values, [&](json::Object &e) { return value(e); });
    elements(o, "instructions", body.instructions, [&](json::Object &e) { return instruction(e); });
    return body;
  }

  Stage stage(json::Object &o) {
    Stage stage;
    stage.arenaBytes = o.integer("arena_bytes", 0, kMaxBytes);
    stage.transientOffset = o.integer("transient_offset", 0, kMaxBytes);
    auto item = [](json::Object &e) { return MemoryItem{e.string("name"), e.integer("bytes", 0, kMaxBytes)}; };
    elements(o, "memory", stage.memory, item);
    elements(o, "reserved", stage.reserved, item);
    elements(o, "buffers", stage.buffers, [](json::Object &e) {
      Buffer buffer;
      buffer.name = e.string("name");
      buffer.kind = static_cast<Buffer::Kind>(
          e.choice("kind", {"parameter", "gradient", "optimizer_state", "activation", "input", "output", "scalars"}));
      buffer.type = id(e, "type");
      buffer.offset = e.integer("offset", 0, kMaxBytes);
      buffer.bytes = e.integer("bytes", 0, kMaxBytes);
      buffer.slots = optionalId(e, "slots", 1, 1);
      buffer.slotStride = e.optionalInteger("slot_stride", 0, kMaxBytes).value_or(0);
      return buffer;
    });
    elements(o, "programs", stage.programs, [&](json::Object &e) {
      Program program;
      program.kind = static_cast<Program::Kind>(
          e.choice("kind", {"forward", "backward_input", "backward_weight", "backward", "update"}));
      program.body = body(e);
      return program;
    });
    if (o.has("channels"))
      elements(o, "channels", stage.channels, [](json::Object &e) {
        Channel channel;
        channel.direction = static_cast<Channel::Direction>(e.choice("direction", {"send", "receive"}));
        channel.peer = id(e, "peer");
        channel.buffers = ids(e.integers("buffers", 0, kMaxId));
        return channel;
      });
    const json::Value &schedule = o.array("schedule");
    for (size_t i = 0; i < schedule.size(); ++i)
      stage.schedule.push_back(scheduleEntry(schedule[i], json::join(o.pointer("schedule"), i)));
    return stage;
  }

  ScheduleEntry scheduleEntry(const json::Value &value, const std::string &pointer) {
    ScheduleEntry entry;
    if (!value.is_object()) {
      std::tie(entry.program, entry.microBatch) = pair(value, pointer, "a program and a micro-batch, or an exchange");
      return entry;
    }
    entry.program = -1;
    json::Object o(value, pointer, errors_);
    const json::Value &transfers = o.array("exchange");
    for (size_t i = 0; i < transfers.size(); ++i) {
      auto [channel, microBatch] =
          pair(transfers[i], json::join(o.pointer("exchange"), i), "a channel and a micro-batch");
      entry.exchange.push_back({channel, microBatch});
    }
    o.finish();
    return entry;
  }

  std::pair<int32_t, int32_t> pair(const json::Value &value, const std::string &pointer, std::string_view what) {
    auto isId = [](const json::Value &v) {
      return v.is_number_integer() && v.get<int64_t>() >= 0 && v.get<int64_t>() <= kMaxId;
    };
    if (value.is_array() && value.size() == 2 && isId(value[0]) && isId(value[1]))
      return {value[0].get<int32_t>(), value[1].get<int32_t>()};
    errors_.add(pointer, "expected a pair of " + std::string(what) + ", found " + json::describe(value));
    return {0, 0};
  }

  Plan &plan_;
  json::Errors &errors_;
};

/// Checks the first line (version, length, hash) against the rest.
bool checkHeader(std::string_view text, std::string &error) {
  size_t lineEnd = text.find('\n');
  std::string_view line = text.substr(0, std::min<size_t>(lineEnd, 4096));
  json::Value header;
  std::string ignored;
  bool isHeader =
      line.ends_with(",") && json::parse(std::string(line.substr(0, line.size() - 1)) + "}", header, ignored) &&
      header.is_object() && header.contains("format_version") && header["format_version"].is_number_integer();
  if (!isHeader) {
    error = "not a plan file: expected a first line {\"format_version\":" + std::to_string(kFormatVersion) +
            ",\"content_bytes\":...,\"sha256\":\"...\",";
    return false;
  }
  json::Errors errors;
  json::Object o(header, "", errors);
  int64_t version = o.integer("format_version");
  if (version != kFormatVersion) {
    error = "plan format version " + std::to_string(version) + ", expected " + std::to_string(kFormatVersion) +
            ": compile the model again with this version's modelpar-opt";
    return false;
  }
  int64_t bytes = o.integer("content_bytes", 0);
  std::string hash = o.string("sha256");
  o.finish();
  if (!errors.empty()) {
    error = errors.toString();
    return false;
  }
  std::string_view content = text.substr(lineEnd + 1);
  if (static_cast<int64_t>(content.size()) != bytes) {
    bool shorter = static_cast<int64_t>(content.size()) < bytes;
    error = std::string(shorter ? "plan file is truncated" : "plan file has extra bytes") + ": content of " +
            std::to_string(content.size()) + " bytes, expected " + std::to_string(bytes);
    return false;
  }
  std::string found = sha256Hex(content);
  if (found != hash) {
    error = "plan file is damaged or was edited: content hash " + found.substr(0, 16) + "..., expected " +
            hash.substr(0, 16) + "...";
    return false;
  }
  return true;
}

} // namespace

bool readPlan(std::string_view text, Plan &plan, std::string &error) {
  plan = Plan();
  error.clear();
  if (!checkHeader(text, error))
    return false;
  json::Value document;
  if (!json::parse(text, document, error))
    return false;
  json::Errors errors;
  ContentReader(plan, errors).read(document);
  if (errors.empty())
    for (const Finding &finding : checkStructure(plan))
      errors.add(finding.where, finding.message);
  if (errors.empty())
    return true;
  error = errors.toString();
  plan = Plan();
  return false;
}

bool readPlanFile(const std::string &path, Plan &plan, std::string &error) {
  // A directory opens as a file does, and reads as an empty one.
  std::error_code notFound;
  if (std::filesystem::is_directory(path, notFound)) {
    error = path + ": expected a plan file, found a directory";
    return false;
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file)
    text << file.rdbuf();
  if (!file || text.bad()) {
    error = path + ": cannot be read" + (errno ? std::string(": ") + std::strerror(errno) : std::string());
    return false;
  }
  if (readPlan(text.view(), plan, error))
    return true;
  error = path + ": " + error;
  return false;
}

} // namespace modelpar::planformat
