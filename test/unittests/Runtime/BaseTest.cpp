//===- BaseTest.cpp - thread pool, arena, Philox --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The known answers of Philox are those of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Arena.h"
#include "runtime/base/Philox.h"
#include "runtime/base/ThreadPool.h"

#include <gtest/gtest.h>
#include <unistd.h>

using namespace modelpar::runtime;

namespace {

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformIsBelowOne) {
  EXPECT_EQ(uniformFloat(0), 0.0f);
  EXPECT_LT(uniformFloat(~0u), 1.0f);
  EXPECT_LT(uniformDouble(~0u, ~0u), 1.0);
}

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.numThreads(), threads);
    for (int64_t count : {0, 1, 7, 64, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      for (int round = 0; round < 20; ++round)
        pool.parallelFor(count, 8, [&](int64_t begin, int64_t end) {
          EXPECT_EQ(begin % 8, 0);
          EXPECT_TRUE(end == count || end % 8 == 0);
          for (int64_t i = begin; i < end; ++i)
            ++seen[static_cast<size_t>(i)];
        });
      for (auto &times : seen)
        EXPECT_EQ(times, 20);
    }
  }
}

TEST(ThreadPool, TwoCallersAtOnce) {
  ThreadPool pool(3);
  auto sum = [&](int64_t &result) {
    for (int round = 0; round < 200; ++round) {
      std::atomic<int64_t> total{0};
      pool.parallelFor(100, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          total += i;
      });
      result += total;
    }
  };
  int64_t first = 0, second = 0;
  std::thread other([&] { sum(second); });
  sum(first);
  other.join();
  EXPECT_EQ(first, 200 * 4950);
  EXPECT_EQ(second, 200 * 4950);
}

TEST(Arena, ResidentBytesArePagesTouched) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  Arena arena;
  ASSERT_TRUE(Arena::map(10 * page + 1, arena).ok());
  EXPECT_EQ(arena.size(), 10 * page + 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.data()) % page, 0u);
  EXPECT_EQ(arena.residentBytes(), 0);
  arena.data()[0] = arena.data()[3 * page] = std::byte{1};
  EXPECT_EQ(arena.residentBytes(), 2 * page);
  Arena moved = std::move(arena);
  EXPECT_EQ(arena.data(), nullptr);
  for (int64_t i = 0; i < moved.size(); i += page)
    moved.data()[i] = std::byte{1};
  EXPECT_EQ(moved.residentBytes(), moved.size());
}

TEST(Arena, RefusesWhatTheSystemRefuses) {
  Arena arena;
  Status status = Arena::map(int64_t{1} << 60, arena);
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_NE(status.message().find("1152921504606846976 bytes"), std::string::npos) << status.message();
}

} // namespace
