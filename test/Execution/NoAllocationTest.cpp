//===- NoAllocationTest.cpp - a step allocates nothing --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interposes the allocator of the process and counts what any thread asks for between the second and the last step of
// real plans with the real kernels (the first step may fill kernels' caches).
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <dlfcn.h>
#include <sys/mman.h>

namespace {
std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};
void note() {
  if (counting.load(std::memory_order_relaxed))
    allocations.fetch_add(1, std::memory_order_relaxed);
}
} // namespace

// glibc's own entry points: the interposed names below replace them for the whole process, operator new included.
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  note();
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  note();
  return __libc_calloc(count, size);
}
void *realloc(void *pointer, size_t size) {
  note();
  return __libc_realloc(pointer, size);
}
void *memalign(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **pointer, size_t alignment, size_t size) {
  note();
  *pointer = __libc_memalign(alignment, size);
  return *pointer ? 0 : ENOMEM;
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  note();
  using Function = void *(*)(void *, size_t, int, int, int, off_t);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "mmap"));
  return next(address, length, protection, flags, fd, offset);
}
}

using namespace modelpar;
using namespace modelpar::test;

namespace {

constexpr int kSteps = 6;

class NoAllocation : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t>> {};

TEST(Interposer, Counts) {
  counting = true;
  allocations = 0;
  std::vector<int> *volatile kept = new std::vector<int>(100);
  counting = false;
  delete kept;
  EXPECT_GE(allocations.load(), 2);
}

TEST_P(NoAllocation, BetweenTheSecondAndTheLastStep) {
  auto [tp, dp, cp] = GetParam();
  for (const char *model : {"mlp.json", "gpt2-tiny.json", "llama-tiny.json"}) {
    const int64_t numRanks = tp * dp * cp;
    pipelines::CompileOptions options = compileOptions(model, numRanks);
    options.tp = tp;
    options.dp = dp;
    options.cp = cp;
    options.microBatch = 2;
    if (std::string(model) != "mlp.json")
      options.sequence = 16;
    pipelines::CompileResult compiled = compileModel(options);
    ASSERT_TRUE(compiled.ok);
    std::atomic<int64_t> warm{0};
    RunOptions runOptions;
    runOptions.steps = kSteps;
    runOptions.keepTensors = false;
    runOptions.afterStep = [&warm, numRanks](int64_t, int64_t step) {
      if (step == 2 && warm.fetch_add(1) + 1 == numRanks)
        counting = true; // All ranks are through two steps.
      if (step == kSteps)
        counting = false;
    };
    allocations = 0;
    RunResult result = run(compiled.plan, runOptions);
    counting = false;
    ASSERT_EQ(result.error, "");
    EXPECT_EQ(allocations.load(), 0) << model;
  }
}
INSTANTIATE_TEST_SUITE_P(Meshes, NoAllocation,
                         ::testing::Values(std::tuple(1, 1, 1), std::tuple(2, 2, 1), std::tuple(1, 1, 4),
                                           std::tuple(2, 1, 2)),
                         [](const auto &info) {
                           return "tp" + std::to_string(std::get<0>(info.param)) + "_dp" +
                                  std::to_string(std::get<1>(info.param)) + "_cp" +
                                  std::to_string(std::get<2>(info.param));
                         });

} // namespace
