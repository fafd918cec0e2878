//===- Trace.cpp - what ran when, of every rank ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/profile/Trace.h"

#include "modelpar/Files/StandardStreams.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>

using namespace modelpar;
using namespace modelpar::runtime;

static constexpr int64_t kNoOrigin = std::numeric_limits<int64_t>::min();

size_t RankTrace::addSource(trace::Source source) {
  sources_.push_back(std::move(source));
  return sources_.size() - 1;
}

void RankTrace::reserve(const std::vector<size_t> &eventsPerStream) {
  tracks_.resize(eventsPerStream.size());
  for (size_t i = 0; i < tracks_.size(); ++i)
    tracks_[i].events.reserve(eventsPerStream[i]);
}

int64_t RankTrace::now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

Trace::Trace(const sharding::Mesh &mesh, int64_t steps)
    : mesh_(mesh), steps_(steps), ranks_(static_cast<size_t>(mesh.numRanks())), origin_(kNoOrigin),
      writer_([this](std::string_view text) { return put(text); }) {}

Trace::~Trace() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

bool Trace::put(std::string_view text) {
  if (error_ == 0 && !files::writeAll(descriptor_, text))
    error_ = errno ? errno : EIO;
  return error_ == 0;
}

Status Trace::failure() const { return Status::invalid("cannot write " + path_ + ": " + std::strerror(error_)); }

Status Trace::open(const std::string &path) {
  const bool standard = files::isStandardOutput(path);
  path_ = standard ? "standard output" : "'" + path + "'";
  descriptor_ = standard ? dup(STDOUT_FILENO) : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    return Status::invalid("cannot create " + path_ + ": " + std::strerror(errno));
  struct stat info = {};
  rewinds_ = !standard && fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode);
  return finish() ? Status() : failure();
}

/// What is in the writer's buffer, and the end of the text where the next events can take its place.
bool Trace::finish() {
  if (!writer_.flush())
    return false;
  if (!rewinds_)
    return true;
  if (!put(trace::Writer::tail()))
    return false;
  if (lseek(descriptor_, -static_cast<off_t>(trace::Writer::tail().size()), SEEK_CUR) < 0)
    error_ = errno;
  return error_ == 0;
}

RankTrace *Trace::beginStep(int64_t rank, int64_t step) {
  if (!traces(step))
    return nullptr;
  // A rank that comes later reads its clock after it has seen this, so no event is before the origin.
  int64_t expected = kNoOrigin;
  origin_.compare_exchange_strong(expected, RankTrace::now());
  RankTrace &each = ranks_[static_cast<size_t>(rank)];
  each.step_ = step;
  for (RankTrace::Track &track : each.tracks_)
    track.events.clear();
  return &each;
}

/// "rank 3 (pp=0 dp=1 tp=1)"
static std::string nameOf(const sharding::Mesh &mesh, int64_t rank) {
  const sharding::Coordinates coordinates = sharding::coordinatesOf(mesh, rank);
  std::string axes;
  for (size_t i = 0; i < mesh.axes().size(); ++i)
    if (const sharding::MeshAxis &axis = mesh.axes()[i]; !axis.isTime())
      axes += (axes.empty() ? "" : " ") + axis.name + "=" + std::to_string(coordinates.values[i]);
  return "rank " + std::to_string(rank) + (axes.empty() ? "" : " (" + axes + ")");
}

Status Trace::write(int64_t rank) {
  RankTrace &each = ranks_[static_cast<size_t>(rank)];
  const std::lock_guard lock(mutex_);
  if (!each.named_)
    writer_.process(rank, nameOf(mesh_, rank), static_cast<int64_t>(each.tracks_.size()));
  each.named_ = true;
  const int64_t origin = origin_.load();
  constexpr double kPerMicrosecond = 1e3;
  for (size_t stream = 0; stream < each.tracks_.size(); ++stream) {
    for (const TraceEvent &event : each.tracks_[stream].events)
      writer_.event(each.sources_[event.source],
                    {.process = rank,
                     .stream = static_cast<int64_t>(stream),
                     .start = static_cast<double>(event.begin - origin) / kPerMicrosecond,
                     .duration = static_cast<double>(event.end - event.begin) / kPerMicrosecond,
                     .step = each.step_,
                     .microBatch = event.microBatch,
                     .instance = event.instance,
                     .bytes = event.bytes});
    each.tracks_[stream].events.clear();
  }
  return finish() ? Status() : failure();
}

Status Trace::close() {
  const std::lock_guard lock(mutex_);
  if (descriptor_ < 0)
    return {};
  if (finish() && !rewinds_)
    put(trace::Writer::tail());
  // Some systems tell only now that something could not be written.
  if (::close(descriptor_) != 0 && error_ == 0)
    error_ = errno;
  descriptor_ = -1;
  return error_ == 0 ? Status() : failure();
}

void Trace::abandon() {
  // A rank that holds the lock is writing, and may be stuck there.
  if (const std::unique_lock lock(mutex_, std::try_to_lock); lock && descriptor_ >= 0 && !rewinds_ && finish())
    put(trace::Writer::tail());
}
