//===- Writer.cpp - the plan file, written -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written by hand rather than through a document model: the layout (one line per
// element, defaults left out) is part of the format, and it is fast.
//
//===----------------------------------------------------------------------===//

#include "modelpar/PlanFormat/Writer.h"

#include "lib/PlanFormat/Names.h"
#include "lib/PlanFormat/Sha256.h"
#include "modelpar/Json/Json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace modelpar::planformat {
namespace {

std::string jsonString(std::string_view text) {
  auto isPlain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  if (std::all_of(text.begin(), text.end(), isPlain)) // Nearly every name.
    return std::string(1, '"').append(text) + '"';
  return json::dump(json::Value(std::string(text)));
}

/// A real as JSON; JSON has no infinities or NaN, so those are words.
std::string real(double number) {
  if (std::isfinite(number))
    return json::dump(json::Value(number));
  return std::isnan(number) ? "\"nan\"" : number > 0 ? "\"inf\"" : "\"-inf\"";
}

template <typename Range, typename Print> std::string list(const Range &range, Print print) {
  std::string text = "[";
  for (const auto &element : range) {
    if (text.size() > 1)
      text += ',';
    text += print(element);
  }
  return text + "]";
}
template <typename Integer> std::string integers(const std::vector<Integer> &numbers) {
  return list(numbers, [](Integer n) { return std::to_string(n); });
}

/// Fields of one object.
class Fields {
public:
  Fields() { text_.reserve(160); } // Most lines.
  Fields &raw(std::string_view key, const std::string &json) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(key).append("\":").append(json);
    return *this;
  }
  /// With a key that is quoted already.
  Fields &rawKey(const std::string &quotedKey, const std::string &json) {
    text_ += text_.empty() ? '{' : ',';
    text_.append(quotedKey).append(":").append(json);
    return *this;
  }
  Fields &integer(std::string_view key, int64_t value) { return raw(key, std::to_string(value)); }
  /// Left out at its default.
  Fields &integer(std::string_view key, int64_t value, int64_t standard) {
    return value == standard ? *this : integer(key, value);
  }
  Fields &string(std::string_view key, std::string_view value) { return raw(key, jsonString(value)); }
  std::string end() { return text_.empty() ? "{}" : std::move(text_) + "}"; }

private:
  std::string text_;
};

class Writer {
public:
  explicit Writer(const Plan &plan) : plan_(plan) {}

  /// All lines after the first.
  std::string content() {
    const Plan &p = plan_;
    out_ = "\"tool\":" + jsonString(p.tool) + ",\n";
    line("command", jsonString(p.command));
    line("model_name", jsonString(p.modelName));
    line("model", jsonString(p.modelText));
    line("cluster", jsonString(p.clusterText));
    line("device", jsonString(p.deviceKind));
    line("optimizer", jsonString(p.optimizer));
    line("mesh", list(p.mesh.axes(), [](const sharding::MeshAxis &axis) {
           return Fields().string("name", axis.name).integer("size", axis.size).end();
         }));
    line("global_batch", std::to_string(p.globalBatch));
    line("sequence", std::to_string(p.sequence));
    lines("types", p.types, [&](const TensorType &type) { return print(type); });
    out_ += ",\n";
    lines("inputs", p.inputs, [&](const Input &input) { return print(input); });
    out_ += ",\n";
    lines("parameters", p.parameters, [&](const Parameter &parameter) { return print(parameter); });
    out_ += ",\n";
    bodies();
    stages();
    line("outputs", namedIds(p.outputs));
    out_ += "\"summary\":" + jsonString(p.summary) + "\n}\n";
    return std::move(out_);
  }

private:
  void line(std::string_view key, const std::string &json) {
    out_.append("\"").append(key).append("\":").append(json) += ",\n";
  }

  /// "key":[ with one element a line.
  template <typename Range, typename Print> void lines(std::string_view key, const Range &range, Print print) {
    out_.append("\"").append(key).append("\":[");
    bool first = true;
    for (const auto &element : range) {
      out_ += first ? "\n" : ",\n";
      first = false;
      out_ += print(element);
    }
    out_ += "]";
  }

  std::string axes(const std::vector<sharding::AxisRef> &axes) {
    return list(axes, [&](const sharding::AxisRef &axis) { return jsonString(toText(plan_.mesh, axis)); });
  }

  std::string print(const TensorType &type) {
    Fields f;
    f.string("dtype", name(type.dtype)).raw("shape", integers(type.shape));
    f.raw("dims", list(type.sharding.dims, [&](const sharding::DimSharding &dim) { return axes(dim); }));
    if (type.sharding.isPartial())
      f.raw("partial", list(type.sharding.partial, [&](const sharding::PartialAxis &partial) {
              return "[" + jsonString(toText(plan_.mesh, partial.axis)) + "," +
                     jsonString(sharding::name(partial.kind)) + "]";
            }));
    return f.end();
  }

  std::string print(const Input &input) {
    Fields f;
    f.string("name", input.name).integer("type", input.type).string("role", input.role);
    f.raw("range", "[" + real(input.rangeLow) + "," + real(input.rangeHigh) + "]");
    f.raw("dim_names", list(input.dimNames, [](const std::string &dim) { return jsonString(dim); }));
    return f.integer("batch_dim", input.batchDim, -1).end();
  }

  std::string print(const Parameter &parameter) {
    Fields f;
    f.string("name", parameter.name).string("checkpoint_name", parameter.checkpointName);
    if (!parameter.aliases.empty())
      f.raw("checkpoint_aliases", list(parameter.aliases, [](const std::string &name) { return jsonString(name); }));
    f.raw("checkpoint_shape", integers(parameter.checkpointShape)).integer("type", parameter.type);
    f.raw("init",
          "[" + jsonString(parameter.init.kind) + "," + real(parameter.init.a) + "," + real(parameter.init.b) + "]");
    f.integer("zero_row", parameter.zeroRow, -1);
    f.raw("weight_decay", parameter.weightDecay ? "true" : "false").integer("stage", parameter.stage);
    f.integer("value", parameter.value).integer("gradient", parameter.gradient);
    f.raw("state", namedIds(parameter.state));
    if (!parameter.replicas.empty())
      f.raw("replicas", list(parameter.replicas, [](const Replica &replica) {
              Fields f;
              f.integer("stage", replica.stage).integer("value", replica.value).integer("gradient", replica.gradient);
              return f.raw("state", namedIds(replica.state)).end();
            }));
    return f.end();
  }

  static std::string namedIds(const std::vector<std::pair<std::string, BufferId>> &ids) {
    return list(ids, [](const auto &entry) {
      return Fields().string("name", entry.first).integer("buffer", entry.second).end();
    });
  }

  std::string print(const Value &value) {
    Fields f;
    f.integer("type", value.type).string("storage", name(value.storage));
    if (value.storage == Value::Storage::Local)
      f.integer("index", value.index, 0).integer("offset", value.offset);
    else
      f.integer("index", value.index).integer("offset", value.offset, 0);
    return f.integer("bytes", value.bytes).end();
  }

  std::string print(const Attribute &attribute) {
    struct Printer {
      std::string operator()(bool value) { return value ? "true" : "false"; }
      std::string operator()(int64_t value) { return std::to_string(value); }
      std::string operator()(double value) {
        return std::isfinite(value) ? real(value) : Fields().raw("f64", real(value)).end();
      }
      std::string operator()(const std::string &value) { return jsonString(value); }
      std::string operator()(const std::vector<int64_t> &value) { return integers(value); }
      std::string operator()(const std::vector<double> &value) { return Fields().raw("f64", list(value, real)).end(); }
    };
    return std::visit(Printer(), attribute);
  }

  std::string print(const Instruction &i) {
    Fields f;
    f.string("kind", name(i.kind));
    if (!i.op.empty())
      f.string("op", i.op);
    f.raw("inputs", integers(i.inputs)).raw("outputs", integers(i.outputs));
    if (!i.attributes.empty()) {
      Fields attributes;
      for (const auto &[key, value] : i.attributes)
        attributes.rawKey(jsonString(key), print(value));
      f.raw("attributes", attributes.end());
    }
    if (i.kind == Instruction::Kind::Collective || !i.axes.empty())
      f.raw("axes", axes(i.axes));
    if (i.kind == Instruction::Kind::Collective || i.reduce != sharding::ReduceKind::Sum)
      f.string("reduce", sharding::name(i.reduce));
    f.integer("dim", i.dim, -1).integer("source_dim", i.sourceDim, -1).integer("shift", i.shift, 0);
    if (i.kind == Instruction::Kind::Call)
      f.integer("block", i.block).integer("frame", i.frame).integer("instance", i.instance);
    else
      f.integer("block", i.block, -1).integer("frame", i.frame, 0).integer("instance", i.instance, 0);
    f.integer("stream", i.stream);
    if (!i.waits.empty())
      f.raw("waits", integers(i.waits));
    f.integer("record", i.record, -1).integer("workspace", i.workspace, -1);
    if (!i.origin.empty())
      f.string("origin", i.origin);
    return f.end();
  }

  /// The object of a block (`kind` empty) or a program.
  void body(const Body &body, std::string_view kind) {
    out_ += "{";
    if (!kind.empty())
      out_ += "\"kind\":" + jsonString(kind) + ",";
    out_ += "\"name\":" + jsonString(body.name) + ",\"arguments\":" + integers(body.arguments);
    out_ += ",\"num_inputs\":" + std::to_string(body.numInputs) + ",\"num_events\":" + std::to_string(body.numEvents);
    out_ += ",\"frame_bytes\":" + std::to_string(body.frameBytes) + ",\n";
    lines("values", body.values, [&](const Value &value) { return print(value); });
    out_ += ",\n";
    lines("instructions", body.instructions, [&](const Instruction &instruction) { return print(instruction); });
    out_ += "}";
  }

  void bodies() {
    out_ += "\"blocks\":[";
    for (size_t i = 0; i < plan_.blocks.size(); ++i) {
      out_ += i ? ",\n" : "\n";
      body(plan_.blocks[i], "");
    }
    out_ += "],\n";
  }

  void stages() {
    out_ += "\"stages\":[";
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      out_ += i ? ",\n" : "\n";
      stage(plan_.stages[i]);
    }
    out_ += "],\n";
  }

  void stage(const Stage &stage) {
    auto items = [](const std::vector<MemoryItem> &items) {
      return list(items, [](const MemoryItem &item) {
        return Fields().string("name", item.name).integer("bytes", item.bytes).end();
      });
    };
    out_ += "{\"arena_bytes\":" + std::to_string(stage.arenaBytes);
    out_ += ",\"transient_offset\":" + std::to_string(stage.transientOffset) + ",\n";
    line("memory", items(stage.memory));
    line("reserved", items(stage.reserved));
    lines("buffers", stage.buffers, [](const Buffer &buffer) {
      Fields f;
      f.string("name", buffer.name).string("kind", name(buffer.kind)).integer("type", buffer.type);
      f.integer("offset", buffer.offset).integer("bytes", buffer.bytes);
      return f.integer("slots", buffer.slots, 1).integer("slot_stride", buffer.slotStride, 0).end();
    });
    out_ += ",\n\"programs\":[";
    for (size_t i = 0; i < stage.programs.size(); ++i) {
      out_ += i ? ",\n" : "\n";
      body(stage.programs[i].body, name(stage.programs[i].kind));
    }
    out_ += "],\n";
    if (!stage.channels.empty())
      line("channels", list(stage.channels, [](const Channel &channel) {
             Fields f;
             f.string("direction", name(channel.direction)).integer("peer", channel.peer);
             return f.raw("buffers", integers(channel.buffers)).end();
           }));
    out_ +=
        "\"schedule\":" + list(stage.schedule, [](const ScheduleEntry &entry) {
          if (!entry.isExchange())
            return pair(entry.program, entry.microBatch);
          return Fields()
              .raw("exchange", list(entry.exchange, [](const Transfer &t) { return pair(t.channel, t.microBatch); }))
              .end();
        });
    out_ += "}";
  }

  static std::string pair(int64_t first, int64_t second) {
    return "[" + std::to_string(first) + "," + std::to_string(second) + "]";
  }

  const Plan &plan_;
  std::string out_;
};

} // namespace

std::string writePlan(const Plan &plan) {
  std::string content = Writer(plan).content();
  std::string header = "{\"format_version\":" + std::to_string(kFormatVersion) +
                       ",\"content_bytes\":" + std::to_string(content.size()) + ",\"sha256\":\"" + sha256Hex(content) +
                       "\",\n";
  return header + content;
}

bool writePlanFile(const std::string &path, const Plan &plan, std::string &error) {
  std::string text = writePlan(plan);
  // A device or a pipe is written in place; a file appears whole or not at all.
  std::error_code code;
  bool inPlace = std::filesystem::exists(path, code) && !std::filesystem::is_regular_file(path, code);
  std::string target = inPlace ? path : path + ".tmp";
  std::ofstream file(target, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  bool written = !file.fail() && (inPlace || std::rename(target.c_str(), path.c_str()) == 0);
  if (written)
    return true;
  if (!inPlace)
    std::remove(target.c_str());
  error = path + ": cannot be written";
  return false;
}

std::string planHash(const Plan &plan) { return sha256Hex(Writer(plan).content()); }

uint64_t planDigest(const Plan &plan) {
  uint64_t digest = 0;
  auto hash = sha256(Writer(plan).content());
  for (int i = 0; i < 8; ++i)
    digest = digest << 8 | hash[i];
  return digest;
}

} // namespace modelpar::planformat
