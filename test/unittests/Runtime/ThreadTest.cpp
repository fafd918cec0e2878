//===- ThreadTest.cpp - what happens when there are no more threads -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Thread.h"

#include "runtime/base/ThreadPool.h"
#include "runtime/comm/local/LocalCommunicator.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <atomic>
#include <gmock/gmock.h>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

/// Lets so many threads start.
struct Allowance {
  explicit Allowance(int64_t count) { refuseThreadsAfter(count); }
  ~Allowance() { refuseThreadsAfter(-1); }
};

TEST(Thread, ARefusedOneIsAnError) {
  Allowance allowance(1);
  std::thread first, second;
  std::atomic<int> ran{0};
  EXPECT_TRUE(startThread([&] { ++ran; }, first).ok());
  const Status status = startThread([&] { ++ran; }, second);
  first.join();
  EXPECT_EQ(status.code(), StatusCode::OutOfThreads);
  EXPECT_THAT(status.message(), HasSubstr("cannot start a thread: "));
  EXPECT_FALSE(second.joinable());
  EXPECT_EQ(ran, 1);
}

TEST(Thread, APoolWorksWithThoseItHas) {
  for (int64_t allowed : {0, 2}) {
    Allowance allowance(allowed);
    ThreadPool pool(5);
    EXPECT_EQ(pool.status().code(), StatusCode::OutOfThreads);
    EXPECT_EQ(pool.numThreads(), allowed + 1);
    std::atomic<int64_t> sum{0};
    pool.parallelFor(100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    EXPECT_EQ(sum, 100);
  }
  EXPECT_TRUE(ThreadPool(3).status().ok());
}

TEST(Thread, AStreamWithoutAThreadIsNone) {
  Allowance allowance(0);
  std::unique_ptr<Device> device = createCpuDevice();
  std::unique_ptr<Stream> stream;
  const Status status = device->createStream("compute", 4, stream);
  EXPECT_EQ(status.code(), StatusCode::OutOfThreads);
  EXPECT_THAT(status.message(), HasSubstr("stream compute: cannot start a thread"));
  EXPECT_EQ(stream, nullptr);
}

TEST(Thread, RanksThatStartedEndWhenOneCannot) {
  for (int64_t allowed : {0, 1, 3}) {
    Allowance allowance(allowed);
    std::atomic<int64_t> started{0};
    // Without a timeout: only the abort ends them.
    const Status status = runLocalRanks(4, std::chrono::seconds(0), [&](Communicator &communicator) {
      ++started;
      return communicator.barrier("start");
    });
    EXPECT_EQ(status.code(), StatusCode::OutOfThreads);
    EXPECT_THAT(status.message(), HasSubstr("rank " + std::to_string(allowed) + ": cannot start a thread"));
    EXPECT_EQ(started, allowed);
  }
}

TEST(Thread, LimitsOfControlGroupsAreNamed) {
  TemporaryDirectory directory;
  auto file = [&](const std::string &name, const std::string &text) {
    std::filesystem::create_directories(std::filesystem::path(directory / name).parent_path());
    writeFile(directory / name, text);
  };
  file("proc/self/cgroup", "4:pids:/a/b\n0::/job/step\n");
  file("sys/fs/cgroup/job/step/pids.max", "max\n");
  file("sys/fs/cgroup/job/pids.max", "512\n");
  file("sys/fs/cgroup/pids/a/pids.max", "700\n");
  file("proc/sys/kernel/threads-max", "9999\n");
  EXPECT_THAT(describeThreadLimits(directory.path()), HasSubstr("the control group's (pids.max) is 512"));
  EXPECT_THAT(describeThreadLimits(directory.path()), HasSubstr("the system's (kernel.threads-max) is 9999"));
  EXPECT_THAT(describeThreadLimits(directory / "nowhere"), testing::Not(HasSubstr("pids.max")));
}

TEST(Memory, WhatARankCannotAllocateIsAnError) {
  const Status status = runLocalRanks(2, std::chrono::seconds(0), [&](Communicator &communicator) -> Status {
    if (communicator.rank() == 1)
      throw std::bad_alloc();
    return communicator.barrier("start");
  });
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_EQ(status.message(), "rank 1: no memory");
}

TEST(Memory, WhatATaskCannotAllocateIsAnError) {
  std::unique_ptr<Device> device = createCpuDevice();
  std::unique_ptr<Stream> stream;
  ASSERT_TRUE(device->createStream("compute", 4, stream).ok());
  stream->enqueue({[](void *, int64_t, void *) -> Status { throw std::bad_alloc(); }, nullptr, 0});
  EXPECT_EQ(stream->synchronize().message(), "no memory");
  stream.reset();
}

} // namespace
