//===- Status.h - errors without exceptions -------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A Status says what the caller should do (the code) and what happened, where and what was expected (the message).
// Exceptions of libraries are turned into one where the library is called.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_STATUS_H
#define MODELPAR_RUNTIME_BASE_STATUS_H

#include <exception>
#include <new>
#include <string>
#include <utility>

namespace modelpar::runtime {

enum class StatusCode {
  Ok,
  InvalidInput, ///< The user's input is wrong: report it and exit with code 1.
  Unavailable,  ///< This machine or build lacks something that the request needs: exit with code 1.
  OutOfThreads, ///< As Unavailable, for want of threads: who knows how many it takes adds that.
  Internal,     ///< A plan or kernel breaks its contract: a bug.
  Aborted       ///< Another rank failed first; its message is the one to show.
};

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status invalid(std::string message) { return {StatusCode::InvalidInput, std::move(message)}; }
  static Status unavailable(std::string message) { return {StatusCode::Unavailable, std::move(message)}; }
  static Status internal(std::string message) { return {StatusCode::Internal, std::move(message)}; }

  bool ok() const { return code_ == StatusCode::Ok; }
  StatusCode code() const { return code_; }
  const std::string &message() const { return message_; }
  /// The same status with "context: " before its message.
  Status in(const std::string &context) const { return ok() ? *this : Status(code_, context + ": " + message_); }

private:
  StatusCode code_ = StatusCode::Ok;
  std::string message_;
};

/// body(), with what memory and the libraries throw turned into a status, whose message begins with `where`. For the
/// outermost call of a thread.
template <typename Body> Status withoutExceptions(Body &&body, const std::string &where = "") {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return Status::unavailable(where + "no memory");
  } catch (const std::exception &error) {
    return Status::internal(where + "exception: " + error.what());
  }
}

} // namespace modelpar::runtime

/// Returns the status of `expression` from the enclosing function unless it is ok.
#define MODELPAR_RETURN_IF_ERROR(expression)                                                                           \
  do {                                                                                                                 \
    if (::modelpar::runtime::Status status_ = (expression); !status_.ok())                                             \
      return status_;                                                                                                  \
  } while (false)

#endif // MODELPAR_RUNTIME_BASE_STATUS_H
