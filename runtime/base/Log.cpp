//===- Log.cpp - messages to standard error -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A line is put together first and written at once.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Log.h"

#include "modelpar/Files/StandardStreams.h"

#include <atomic>
#include <cstdio>
#include <string>

namespace modelpar::runtime {

static std::atomic<LogLevel> threshold{LogLevel::Info};

void setLogLevel(LogLevel level) { threshold.store(level, std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (level < threshold.load(std::memory_order_relaxed))
    return;
  std::string line = "modelpar: ";
  if (level == LogLevel::Warning)
    line += "warning: ";
  else if (level == LogLevel::Error)
    line += "error: ";
  line.append(files::printable(message)).push_back('\n');
  std::fwrite(line.data(), 1, line.size(), stderr);
}

} // namespace modelpar::runtime
