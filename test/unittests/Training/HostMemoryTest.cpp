//===- HostMemoryTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/HostMemory.h"

#include "test/unittests/Checkpoint/TestFiles.h"

#include <gmock/gmock.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

constexpr int64_t kMiB = 1 << 20;

/// The files of a machine, below a directory.
class Machine {
public:
  Machine() { file("proc/meminfo", "MemTotal: 999999 kB\nMemAvailable:   102400 kB\n"); }
  void file(const std::string &name, const std::string &text) {
    std::filesystem::create_directories(std::filesystem::path(directory_ / name).parent_path());
    writeFile(directory_ / name, text);
  }
  HostMemory read() {
    HostMemory memory;
    EXPECT_TRUE(readHostMemory(memory, directory_.path()).ok());
    return memory;
  }

private:
  TemporaryDirectory directory_;
};

TEST(HostMemory, WithoutGroupsIsWhatIsAvailable) {
  Machine machine;
  EXPECT_EQ(machine.read().availableBytes, 100 * kMiB);
  EXPECT_EQ(machine.read().bound, "MemAvailable");
}

TEST(HostMemory, GroupsOfVersion2BoundItAndSoDoTheirParents) {
  Machine machine;
  machine.file("proc/self/cgroup", "0::/job/step\n");
  machine.file("sys/fs/cgroup/job/step/memory.max", "max\n");
  machine.file("sys/fs/cgroup/job/memory.max", std::to_string(50 * kMiB));
  machine.file("sys/fs/cgroup/job/memory.current", std::to_string(30 * kMiB));
  machine.file("sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file " + std::to_string(10 * kMiB) + "\n");
  EXPECT_EQ(machine.read().availableBytes, 30 * kMiB); // 50 - 30 + 10 of cache
  EXPECT_THAT(machine.read().bound, HasSubstr("'/job'"));
}

TEST(HostMemory, AContainerSeesItsGroupAsTheRoot) {
  Machine machine;
  machine.file("proc/self/cgroup", "0::/not/visible\n");
  machine.file("sys/fs/cgroup/memory.max", std::to_string(40 * kMiB));
  EXPECT_EQ(machine.read().availableBytes, 40 * kMiB);
}

TEST(HostMemory, GroupsOfVersion1) {
  Machine machine;
  machine.file("proc/self/cgroup", "3:cpu:/x\n4:memory:/job\n");
  machine.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(20 * kMiB));
  machine.file("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(5 * kMiB));
  EXPECT_EQ(machine.read().availableBytes, 15 * kMiB);
}

TEST(HostMemory, AFullGroupLeavesNothing) {
  Machine machine;
  machine.file("sys/fs/cgroup/memory.max", "4096");
  machine.file("sys/fs/cgroup/memory.current", "8192");
  EXPECT_EQ(machine.read().availableBytes, 0);
}

TEST(HostMemory, AllRanksMustFit) {
  planformat::Plan plan;
  plan.mesh = sharding::Mesh({{"dp", 4}});
  plan.stages.resize(1);
  plan.stages[0].arenaBytes = 10 * kMiB;
  plan.stages[0].reserved = {{"communicator", kMiB}};
  EXPECT_EQ(plannedHostBytes(plan), 44 * kMiB);
  EXPECT_TRUE(checkHostMemory(plan, {44 * kMiB, "x"}).ok());
  Status status = checkHostMemory(plan, {44 * kMiB - 1, "MemAvailable"});
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_THAT(status.message(), HasSubstr("4 ranks need 44.0 MiB on this host, 44.0 MiB are left by MemAvailable"));
}

TEST(HostMemory, StagesDiffer) {
  planformat::Plan plan;
  plan.mesh = sharding::Mesh({{"mb", 8}, {"pp", 2}, {"dp", 3}});
  plan.stages.resize(2);
  plan.stages[0].arenaBytes = 10 * kMiB;
  plan.stages[1].arenaBytes = 4 * kMiB;
  plan.stages[1].reserved = {{"communicator", kMiB}};
  EXPECT_EQ(plannedHostBytes(plan), 3 * (10 + 4 + 1) * kMiB);
}

TEST(HostMemory, SumsOverManyRanksDoNotWrap) {
  planformat::Plan plan;
  plan.mesh = sharding::Mesh({{"pp", 2}, {"dp", 16384}});
  plan.stages.resize(2);
  // 2 · 16384 · 2^48 is 2^63, one more than int64 holds.
  plan.stages[0].arenaBytes = plan.stages[1].arenaBytes = int64_t{1} << 48;
  EXPECT_EQ(plannedHostBytes(plan), kTooManyBytes);
  Status status = checkHostMemory(plan, {44 * kMiB, "MemAvailable"});
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_THAT(status.message(), HasSubstr("32768 ranks need at least 8.0 EiB on this host, 44.0 MiB are left"));
  // A machine whose memory is not known is no exception.
  EXPECT_FALSE(checkHostMemory(plan, {std::numeric_limits<int64_t>::max(), "nothing"}).ok());

  plan.stages[1].arenaBytes -= 1;
  EXPECT_EQ(plannedHostBytes(plan), std::numeric_limits<int64_t>::max() - 16383);
  plan.stages[1].reserved = {{"communicator", int64_t{1} << 62}, {"library", int64_t{1} << 62}};
  EXPECT_EQ(plannedHostBytes(plan), kTooManyBytes);
  // Without a sum over stages: one product.
  plan.stages.resize(1);
  plan.mesh = sharding::Mesh({{"dp", int64_t{1} << 31}});
  plan.stages[0].arenaBytes = (int64_t{1} << 62) + 1;
  EXPECT_EQ(plannedHostBytes(plan), kTooManyBytes);
}

} // namespace
