//===- Trace.h - what ran when, of every rank -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams note what they ran in memory that was set aside at load; between steps it goes to the file of --trace
// (modelpar/Trace/Trace.h). Neither allocates.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_PROFILE_TRACE_H
#define MODELPAR_RUNTIME_PROFILE_TRACE_H

#include "modelpar/Trace/Trace.h"
#include "runtime/base/Status.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace modelpar::runtime {

/// One execution of an instruction or exchange. Times are of a steady clock, in nanoseconds.
struct TraceEvent {
  size_t source = 0; ///< As RankTrace::addSource gave it.
  int64_t begin = 0, end = 0;
  int64_t microBatch = 0, instance = 0, bytes = 0;
};

/// The events of one rank in the step in progress.
class RankTrace {
public:
  /// At load.
  size_t addSource(trace::Source source);
  /// At load: room for what each stream runs in one step.
  void reserve(const std::vector<size_t> &eventsPerStream);

  static int64_t now();
  /// By the worker of the stream. What there is no room for is dropped.
  void record(int32_t stream, const TraceEvent &event) {
    if (std::vector<TraceEvent> &events = tracks_[static_cast<size_t>(stream)].events;
        events.size() < events.capacity())
      events.push_back(event);
  }

private:
  friend class Trace;
  /// On a cache line of its own: streams write at the same time.
  struct alignas(64) Track {
    std::vector<TraceEvent> events;
  };
  std::vector<trace::Source> sources_;
  std::vector<Track> tracks_;
  int64_t step_ = 0;
  bool named_ = false; ///< The file has the names of the rank and its streams.
};

/// The file, shared by all ranks of this process. It grows by a step of a rank at a time; a regular file is a whole
/// JSON text after each of them, whatever ends the process.
class Trace {
public:
  /// Of the first `steps` steps of a run on `mesh`.
  Trace(const sharding::Mesh &mesh, int64_t steps);
  ~Trace();
  Trace(const Trace &) = delete;
  Trace &operator=(const Trace &) = delete;

  /// Creates or empties the file; "-" is standard output.
  Status open(const std::string &path);
  /// At load, once per rank, by any thread.
  RankTrace &rank(int64_t rank) { return ranks_[static_cast<size_t>(rank)]; }
  bool traces(int64_t step) const { return step <= steps_; }
  /// Before a step of the rank, while its streams are idle: where they note what they run; null: this step is not
  /// traced.
  RankTrace *beginStep(int64_t rank, int64_t step);
  /// Between steps of the rank: its events go to the file.
  Status write(int64_t rank);
  /// After the last rank has ended, however it has: completes the text.
  Status close();
  /// The same while ranks may still run, before the process ends under them: without the events of their step.
  void abandon();

private:
  Status failure() const;
  bool put(std::string_view text);
  bool finish();

  const sharding::Mesh mesh_;
  const int64_t steps_;
  std::vector<RankTrace> ranks_;
  std::atomic<int64_t> origin_; ///< When step 1 of the first rank began.
  std::mutex mutex_;            ///< Of what follows.
  std::string path_;            ///< As messages say it.
  int descriptor_ = -1;
  bool rewinds_ = false; ///< A file of ours, whose end can be written over.
  int error_ = 0;        ///< errno of the first write that failed.
  trace::Writer writer_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_PROFILE_TRACE_H
