//===- Log.h - messages to standard error ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line, one write, so that lines of ranks do not mix. Standard output belongs to results.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_LOG_H
#define MODELPAR_RUNTIME_BASE_LOG_H

#include <string_view>

namespace modelpar::runtime {

enum class LogLevel { Debug, Info, Warning, Error };

/// Messages below this level are dropped. Default: Info.
void setLogLevel(LogLevel level);
/// Writes "modelpar: [warning: |error: ]message". Thread-safe.
void log(LogLevel level, std::string_view message);
inline void logInfo(std::string_view message) { log(LogLevel::Info, message); }
inline void logWarning(std::string_view message) { log(LogLevel::Warning, message); }
inline void logError(std::string_view message) { log(LogLevel::Error, message); }

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_LOG_H
