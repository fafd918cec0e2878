//===- Trace.h - timelines as Chrome trace events -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file of --trace, of what ran and of what the cost model predicts alike: a JSON object that Perfetto and
// chrome://tracing open. A process per rank (or stage), a track per stream, a complete event per executed instruction.
// What all events of an instruction have in common is made into text once; writing an event then allocates nothing.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TRACE_TRACE_H
#define MODELPAR_TRACE_TRACE_H

#include "modelpar/PlanFormat/Plan.h"

#include <functional>

namespace modelpar::trace {

/// The parts of an event that are the same at every execution, as JSON.
struct Source {
  std::string head;      ///< `"name":"matmul","cat":"kernel"`
  std::string arguments; ///< `"origin":"h.0","block":"layer.forward","instruction":3`, axes, transfers.
};
/// Of an instruction that takes time: no Call, no Wait.
Source instructionSource(const planformat::Plan &plan, const planformat::Body &body, size_t index);
/// Of an exchange entry of the stage's schedule.
Source exchangeSource(const planformat::Stage &stage, size_t entry);
/// The micro-batch that an entry's event names: an exchange's is that of its first transfer.
int64_t microBatchOf(const planformat::ScheduleEntry &entry);

/// One execution.
struct Event {
  int64_t process = 0, stream = 0;
  double start = 0, duration = 0; ///< Microseconds.
  int64_t step = 1, microBatch = 0;
  int64_t instance = 0; ///< Of the enclosing block's call.
  int64_t bytes = 0;    ///< Of all operands; a collective: of the larger side; an exchange: sent and received.
};

/// "compute", "communication", "communication 2".
std::string streamName(int64_t stream);

/// Formats into a buffer of fixed size, which goes to the sink whenever it is full.
class Writer {
public:
  /// False: what was given is lost, and nothing more is asked of the sink.
  using Sink = std::function<bool(std::string_view)>;
  explicit Writer(Sink sink);

  /// Names a process and its tracks.
  void process(int64_t process, std::string_view name, int64_t numStreams);
  void event(const Source &source, const Event &event);
  /// Empties the buffer. False: the sink has refused something.
  bool flush();
  /// What makes the text so far a whole JSON text; events may take its place.
  static std::string_view tail();

private:
  void open();
  void begin();
  void put(std::string_view text);
  void put(int64_t value);
  void put(double value);
  void metadata(std::string_view name, int64_t process, int64_t stream, std::string_view value);

  Sink sink_;
  std::vector<char> buffer_;
  size_t used_ = 0;
  bool opened_ = false, any_ = false, ok_ = true;
};

} // namespace modelpar::trace

#endif // MODELPAR_TRACE_TRACE_H
