//===- Trace.cpp - timelines as Chrome trace events -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Trace/Trace.h"

#include "modelpar/Json/Json.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace modelpar::trace {

using planformat::Channel;
using planformat::Instruction;

constexpr size_t kBufferBytes = size_t{1} << 16;

static std::string jsonText(std::string_view text) { return json::dump(json::Value(std::string(text))); }

static const char *category(Instruction::Kind kind) {
  switch (kind) {
  case Instruction::Kind::Collective:
    return "collective";
  case Instruction::Kind::Accumulate:
    return "accumulate";
  case Instruction::Kind::Load:
    return "load";
  case Instruction::Kind::Kernel:
  case Instruction::Kind::Call:
  case Instruction::Kind::Wait:
    break;
  }
  return "kernel";
}

static Source makeSource(std::string_view name, const char *category, std::string_view origin, std::string_view block,
                         size_t index) {
  return {"\"name\":" + jsonText(name) + ",\"cat\":\"" + category + "\"",
          "\"origin\":" + jsonText(origin) + ",\"block\":" + jsonText(block) +
              ",\"instruction\":" + std::to_string(index)};
}

Source instructionSource(const planformat::Plan &plan, const planformat::Body &body, size_t index) {
  const Instruction &instruction = body.instructions[index];
  const char *kind = category(instruction.kind);
  Source source =
      makeSource(instruction.op.empty() ? kind : instruction.op, kind, instruction.origin, body.name, index);
  if (instruction.kind == Instruction::Kind::Collective)
    source.arguments += ",\"axes\":" + jsonText(sharding::groupName(instruction.axes, plan.mesh));
  return source;
}

Source exchangeSource(const planformat::Stage &stage, size_t entry) {
  std::set<int32_t> peers;
  std::string transfers;
  for (const planformat::Transfer &each : stage.schedule[entry].exchange) {
    const Channel &channel = stage.channels[static_cast<size_t>(each.channel)];
    const bool sends = channel.direction == Channel::Direction::Send;
    peers.insert(channel.peer);
    transfers += (transfers.empty() ? "" : ", ") + std::string(sends ? "send" : "receive") + " micro-batch " +
                 std::to_string(each.microBatch) + (sends ? " to stage " : " from stage ") +
                 std::to_string(channel.peer);
  }
  std::string origin = "exchange with stage";
  for (int32_t peer : peers)
    origin += (peer == *peers.begin() ? " " : " and ") + std::to_string(peer);
  Source source = makeSource("exchange", "exchange", origin, "schedule", entry);
  source.arguments += ",\"transfers\":" + jsonText(transfers);
  return source;
}

int64_t microBatchOf(const planformat::ScheduleEntry &entry) {
  return entry.isExchange() && !entry.exchange.empty() ? entry.exchange.front().microBatch : entry.microBatch;
}

std::string streamName(int64_t stream) {
  if (stream == 0)
    return "compute";
  return stream == 1 ? "communication" : "communication " + std::to_string(stream);
}

Writer::Writer(Sink sink) : sink_(std::move(sink)), buffer_(kBufferBytes) {}

std::string_view Writer::tail() { return "\n]}\n"; }

void Writer::open() {
  if (!opened_)
    put("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  opened_ = true;
}

/// Before every event.
void Writer::begin() {
  open();
  put(any_ ? ",\n" : "\n");
  any_ = true;
}

void Writer::metadata(std::string_view name, int64_t process, int64_t stream, std::string_view value) {
  begin();
  put("{\"ph\":\"M\",\"name\":\"");
  put(name);
  put("\",\"pid\":");
  put(process);
  put(",\"tid\":");
  put(stream);
  put(",\"args\":{\"name\":");
  put(jsonText(value));
  put("}}");
}

void Writer::process(int64_t process, std::string_view name, int64_t numStreams) {
  metadata("process_name", process, 0, name);
  for (int64_t stream = 0; stream < numStreams; ++stream)
    metadata("thread_name", process, stream, streamName(stream));
}

void Writer::event(const Source &source, const Event &event) {
  begin();
  put("{\"ph\":\"X\",");
  put(source.head);
  put(",\"pid\":");
  put(event.process);
  put(",\"tid\":");
  put(event.stream);
  put(",\"ts\":");
  put(event.start);
  put(",\"dur\":");
  put(event.duration);
  put(",\"args\":{");
  put(source.arguments);
  put(",\"instance\":");
  put(event.instance);
  put(",\"micro_batch\":");
  put(event.microBatch);
  put(",\"step\":");
  put(event.step);
  put(",\"bytes\":");
  put(event.bytes);
  put("}}");
}

bool Writer::flush() {
  open(); // A trace of nothing is one too.
  ok_ = ok_ && (used_ == 0 || sink_({buffer_.data(), used_}));
  used_ = 0;
  return ok_;
}

void Writer::put(std::string_view text) {
  while (!text.empty() && ok_) {
    const size_t part = std::min(text.size(), buffer_.size() - used_);
    std::copy_n(text.data(), part, buffer_.data() + used_);
    used_ += part;
    text.remove_prefix(part);
    if (used_ == buffer_.size()) {
      ok_ = sink_({buffer_.data(), used_});
      used_ = 0;
    }
  }
}

void Writer::put(int64_t value) {
  char text[24];
  put(std::string_view(text, std::to_chars(text, text + sizeof(text), value).ptr));
}

/// The shortest decimal that reads back equal; seconds of a run are far from what does not fit.
void Writer::put(double value) {
  char text[400];
  put(std::string_view(text, std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed).ptr));
}

} // namespace modelpar::trace
