//===- AllocationCounter.cpp - allocations of a process, counted ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function counts and hands on to glibc's own.
//
//===----------------------------------------------------------------------===//

#include "AllocationCounter.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
void *__libc_malloc(size_t size) noexcept;
void *__libc_calloc(size_t count, size_t size) noexcept;
void *__libc_realloc(void *pointer, size_t size) noexcept;
void *__libc_memalign(size_t alignment, size_t size) noexcept;
}

namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> calls{0}, bytes{0};
std::atomic<const void *> firstCaller{nullptr};

void count(size_t size, const void *caller) {
  if (!counting.load(std::memory_order_relaxed))
    return;
  calls.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
  const void *none = nullptr;
  firstCaller.compare_exchange_strong(none, caller);
}

} // namespace

extern "C" {

void *malloc(size_t size) noexcept {
  count(size, __builtin_return_address(0));
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) noexcept {
  count(number * size, __builtin_return_address(0));
  return __libc_calloc(number, size);
}

void *realloc(void *pointer, size_t size) noexcept {
  count(size, __builtin_return_address(0));
  return __libc_realloc(pointer, size);
}

void *memalign(size_t alignment, size_t size) noexcept {
  count(size, __builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) noexcept {
  count(size, __builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **target, size_t alignment, size_t size) noexcept {
  count(size, __builtin_return_address(0));
  void *memory = __libc_memalign(alignment, size);
  if (!memory)
    return ENOMEM;
  *target = memory;
  return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) noexcept {
  count(length, __builtin_return_address(0));
  long result = syscall(SYS_mmap, address, length, protection, flags, file, offset);
  return result == -1 ? MAP_FAILED : reinterpret_cast<void *>(result);
}
}

namespace modelpar::runtime::test {

void startCountingAllocations() {
  calls = 0;
  bytes = 0;
  firstCaller = nullptr;
  counting = true;
}

AllocationCount stopCountingAllocations() {
  counting = false;
  return {calls.load(), bytes.load(), firstCaller.load()};
}

} // namespace modelpar::runtime::test
