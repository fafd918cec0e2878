//===- Metrics.cpp - what a run reports step by step ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Metrics.h"

#include "modelpar/Files/StandardStreams.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <unistd.h>

using namespace modelpar::runtime;

namespace {
/// Appends to a fixed buffer; what does not fit is dropped (the buffers are large enough for all numbers).
class Text {
public:
  explicit Text(std::span<char> buffer) : begin_(buffer.data()), at_(begin_), end_(begin_ + buffer.size()) {}
  Text &operator<<(const char *text) {
    size_t length = std::min(std::strlen(text), static_cast<size_t>(end_ - at_));
    std::memcpy(at_, text, length);
    at_ += length;
    return *this;
  }
  Text &operator<<(int64_t value) {
    if (auto result = std::to_chars(at_, end_, value); result.ec == std::errc())
      at_ = result.ptr;
    return *this;
  }
  /// The shortest form that reads back equal.
  Text &operator<<(double value) {
    if (!std::isfinite(value))
      return *this << "null";
    if (auto result = std::to_chars(at_, end_, value); result.ec == std::errc())
      at_ = result.ptr;
    return *this;
  }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

private:
  char *begin_, *at_, *end_;
};
} // namespace

size_t modelpar::runtime::formatMetrics(const StepMetrics &metrics, std::span<char> buffer) {
  Text text(buffer);
  text << "{\"step\":" << metrics.step << ",\"loss\":" << metrics.loss << ",\"grad_norm\":" << metrics.gradNorm
       << ",\"lr\":" << metrics.learningRate << ",\"tokens_per_second\":" << metrics.tokensPerSecond
       << ",\"step_seconds\":" << metrics.stepSeconds << ",\"peak_memory_bytes\":" << metrics.peakMemoryBytes << "}\n";
  return text.size();
}

Status MetricsFile::open(const std::string &path) {
  const bool standard = files::isStandardOutput(path);
  path_ = standard ? "standard output" : "'" + path + "'";
  file_.reset(standard ? fdopen(dup(STDOUT_FILENO), "w") : std::fopen(path.c_str(), "we"));
  if (!file_)
    return Status::invalid("cannot create " + path_ + ": " + std::strerror(errno));
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  return {};
}

Status MetricsFile::write(const StepMetrics &metrics) {
  char line[512];
  size_t length = formatMetrics(metrics, line);
  if (std::fwrite(line, 1, length, file_.get()) != length)
    return Status::invalid("cannot write " + path_ + ": " + std::strerror(errno));
  return {};
}

Status MetricsFile::close() {
  if (file_ && std::fclose(file_.release()) != 0)
    return Status::invalid("cannot write " + path_ + ": " + std::strerror(errno));
  return {};
}

void Progress::report(const StepMetrics &metrics) {
  using namespace std::chrono_literals;
  const Clock::time_point now = Clock::now();
  const bool ends = metrics.step == 1 || metrics.step == lastStep_;
  const auto since = now - last_;
  const bool due = terminal_ ? since >= 50ms : since >= 1s || (metrics.step - lastReported_ >= 10 && since >= 100ms);
  if (!ends && !due)
    return;
  last_ = now;
  lastReported_ = metrics.step;
  char line[256];
  int length = std::snprintf(
      line, sizeof(line), "%sstep %lld/%lld | loss %.4f | lr %.3g | grad norm %.4f | %.0f %s | memory %.1f MiB%s",
      terminal_ ? "\r\033[K" : "", static_cast<long long>(metrics.step), static_cast<long long>(lastStep_),
      metrics.loss, metrics.learningRate, metrics.gradNorm, metrics.tokensPerSecond, what_,
      static_cast<double>(metrics.peakMemoryBytes) / (1 << 20), terminal_ ? "" : "\n");
  std::fwrite(line, 1, static_cast<size_t>(std::clamp(length, 0, static_cast<int>(sizeof(line)) - 1)), stream_);
  std::fflush(stream_);
  open_ = terminal_;
}

void Progress::finish() {
  if (open_)
    std::fputc('\n', stream_);
  open_ = false;
}
