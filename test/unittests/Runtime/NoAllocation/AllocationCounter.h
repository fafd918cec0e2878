//===- AllocationCounter.h - allocations of a process, counted ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Linked into a test binary it takes the place of the allocation functions of the C library (operator new calls them),
// for all threads.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_RUNTIME_NOALLOCATION_ALLOCATIONCOUNTER_H
#define MODELPAR_TEST_UNITTESTS_RUNTIME_NOALLOCATION_ALLOCATIONCOUNTER_H

#include <cstdint>

namespace modelpar::runtime::test {

struct AllocationCount {
  int64_t calls = 0; ///< malloc, calloc, realloc, posix_memalign, aligned_alloc, memalign, mmap.
  int64_t bytes = 0;
  const void *firstCaller = nullptr; ///< Return address of the first one: addr2line tells where.
};

void startCountingAllocations();
AllocationCount stopCountingAllocations();

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_UNITTESTS_RUNTIME_NOALLOCATION_ALLOCATIONCOUNTER_H
