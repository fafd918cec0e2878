//===- Spin.h - a thread that computes ------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_RUNTIME_SPIN_H
#define MODELPAR_TEST_RUNTIME_SPIN_H

#include <cstdint>
#include <ctime>

namespace modelpar::runtime::test {

/// Computes until the calling thread has used so much processor time, however long the machine takes for it.
inline void spin(int64_t milliseconds) {
  auto used = [] {
    timespec time = {};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
  };
  for (const int64_t end = used() + milliseconds + 1; used() < end;) {
  }
}

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_RUNTIME_SPIN_H
