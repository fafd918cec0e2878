//===- Metrics.h - what a run reports step by step ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A line of JSON per step for programs, a progress line for people. Neither allocates memory.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_METRICS_H
#define MODELPAR_RUNTIME_TRAINING_METRICS_H

#include "runtime/base/Status.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>

namespace modelpar::runtime {

struct StepMetrics {
  int64_t step = 0;    ///< From 1.
  double loss = 0;     ///< Mean over the global batch's labels, before the step's update.
  double gradNorm = 0; ///< Before clipping.
  double learningRate = 0;
  double tokensPerSecond = 0;  ///< Of all ranks together (samples, for models without a sequence).
  double stepSeconds = 0;      ///< From the first instruction to the end of the last update.
  int64_t peakMemoryBytes = 0; ///< Of the arena that was touched; the most of any rank.
};

/// The object of --metrics, with a line feed, in `buffer`; returns its length. Numbers read back equal; those that are
/// not finite are null.
size_t formatMetrics(const StepMetrics &metrics, std::span<char> buffer);

/// Appends a line per step to a file that it empties first ("-": to standard output); each line is written at once.
class MetricsFile {
public:
  Status open(const std::string &path);
  /// After the last line: some systems tell only now that one could not be written.
  Status close();
  bool isOpen() const { return file_ != nullptr; }
  Status write(const StepMetrics &metrics);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  std::string path_; ///< As messages say it.
  std::unique_ptr<std::FILE, Close> file_;
};

/// On a terminal one line that is written over; else a line about every second or ten steps, the first and the last
/// among them.
class Progress {
public:
  /// `what` the throughput counts: "tokens/s" or "samples/s".
  Progress(std::FILE *stream, bool terminal, int64_t lastStep, const char *what)
      : stream_(stream), terminal_(terminal), lastStep_(lastStep), what_(what) {}
  void report(const StepMetrics &metrics);
  /// Ends the line of a terminal, before other messages.
  void finish();

private:
  using Clock = std::chrono::steady_clock;
  std::FILE *stream_;
  bool terminal_;
  int64_t lastStep_;
  const char *what_;
  Clock::time_point last_ = {};
  int64_t lastReported_ = 0;
  bool open_ = false;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_METRICS_H
