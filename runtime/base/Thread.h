//===- Thread.h - the one place where threads start -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_THREAD_H
#define MODELPAR_RUNTIME_BASE_THREAD_H

#include "runtime/base/Status.h"

#include <functional>
#include <thread>

namespace modelpar::runtime {

/// Starts a thread; it is a member of the same Activity as the calling one. OutOfThreads when the system refuses,
/// with its reason; `thread` is as it was then.
Status startThread(std::function<void()> body, std::thread &thread);

/// What bounds the number of threads here: "the user's limit of processes (ulimit -u) is 4096, the control group's
/// (pids.max) is 512". Empty: no bound is known. `root` is for tests.
std::string describeThreadLimits(const std::string &root = "");

/// For tests: after `count` more threads the system refuses; a negative one takes that back.
void refuseThreadsAfter(int64_t count);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_THREAD_H
