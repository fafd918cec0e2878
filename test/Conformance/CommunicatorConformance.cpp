//===- CommunicatorConformance.cpp - one suite for every communicator -----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Data first (each collective, types, uneven and empty shards, groups of a mesh), then failures.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorConformance.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

namespace modelpar::runtime {

using planformat::DType;
using sharding::ReduceKind;

namespace {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CommunicatorConformance);

/// Groups as the axes of a mesh give them: rank = a · inner + b.
struct GroupCase {
  std::string axes;
  int64_t worldSize;
  std::function<std::vector<int64_t>(int64_t rank)> members;
};

std::vector<int64_t> range(int64_t begin, int64_t end, int64_t step = 1) {
  std::vector<int64_t> result;
  for (int64_t i = begin; i < end; i += step)
    result.push_back(i);
  return result;
}

std::vector<GroupCase> groupCases() {
  return {{"one", 1, [](int64_t) { return range(0, 1); }},
          {"all", 2, [](int64_t) { return range(0, 2); }},
          {"all", 5, [](int64_t) { return range(0, 5); }},
          {"minor", 4, [](int64_t rank) { return range(rank / 2 * 2, rank / 2 * 2 + 2); }},
          {"major", 6, [](int64_t rank) { return range(rank % 2, 6, 2); }},
          {"backwards", 3, [](int64_t) { return std::vector<int64_t>{2, 1, 0}; }}};
}

/// The value of an element of a rank's input: an integer below 64, sums of a few are exact in bf16 too.
double valueOf(int64_t rank, int64_t index) { return static_cast<double>((index * 7 + rank * 11 + 3) % 31); }

/// Shards with extents that differ, some of them empty.
std::vector<int64_t> unevenExtents(int64_t size) {
  std::vector<int64_t> extents;
  for (int64_t i = 0; i < size; ++i)
    extents.push_back(i % 3 == 2 ? 0 : 3 - i % 2);
  return extents;
}
int64_t sum(const std::vector<int64_t> &values) { return std::accumulate(values.begin(), values.end(), int64_t{0}); }
int64_t offsetOf(const std::vector<int64_t> &extents, int64_t member) {
  return std::accumulate(extents.begin(), extents.begin() + member, int64_t{0});
}

template <typename T>
Status runOne(Communicator &communicator, Group &group, Collective collective, std::vector<T> &input,
              std::vector<T> &output) {
  collective.label = "test";
  MODELPAR_RETURN_IF_ERROR(validate(collective, group));
  void *in = input.data(), *out = output.data();
  return communicator.run(group, collective, std::span<void *const>(&in, 1), std::span<void *const>(&out, 1));
}

template <typename T>
Status expectEqual(const std::vector<T> &found, const std::vector<T> &expected, const std::string &what) {
  if (found.size() != expected.size())
    return Status::internal(what + ": wrong size");
  for (size_t i = 0; i < found.size(); ++i)
    if (!(found[i] == expected[i]))
      return Status::internal(what + ": element " + std::to_string(i) + " is " + std::to_string(found[i]) +
                              ", expected " + std::to_string(expected[i]));
  return {};
}

template <typename T> std::vector<T> inputOf(int64_t rank, int64_t count) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<T>(valueOf(rank, i)));
  return values;
}

/// Runs `check(communicator, group)` on every rank of every group case.
template <typename Check>
void forGroups(const std::function<Status(int64_t, const std::function<Status(Communicator &)> &)> &run, Check check) {
  for (const GroupCase &groupCase : groupCases()) {
    Status status = run(groupCase.worldSize, [&](Communicator &communicator) {
      std::unique_ptr<Group> group;
      MODELPAR_RETURN_IF_ERROR(
          communicator.createGroup(groupCase.members(communicator.rank()), groupCase.axes, 0, group));
      return check(communicator, *group);
    });
    EXPECT_TRUE(status.ok()) << groupCase.axes << " of " << groupCase.worldSize << ": " << status.message();
  }
}

template <typename T>
Status checkAllReduce(Communicator &communicator, Group &group, DType dtype, int64_t count, bool inPlace) {
  for (ReduceKind kind : {ReduceKind::Sum, ReduceKind::Max}) {
    std::vector<T> input = inputOf<T>(communicator.rank(), count), output(static_cast<size_t>(count), T(-1)), expected;
    for (int64_t i = 0; i < count; ++i) {
      double value = kind == ReduceKind::Sum ? 0 : -1;
      for (int64_t rank : group.ranks())
        value = kind == ReduceKind::Sum ? value + valueOf(rank, i) : std::max(value, valueOf(rank, i));
      expected.push_back(static_cast<T>(value));
    }
    Collective collective{
        .kind = CollectiveKind::AllReduce, .reduce = kind, .parts = {{.dtype = dtype, .outer = count}}};
    MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, input, inPlace ? input : output));
    MODELPAR_RETURN_IF_ERROR(expectEqual(inPlace ? input : output, expected, "all_reduce"));
  }
  return {};
}

} // namespace

#define RUNNER [this](int64_t n, const std::function<Status(Communicator &)> &body) { return run(n, body); }

TEST_P(CommunicatorConformance, AllReduce) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    for (int64_t count : {0, 1, 5, 100, 5000})
      for (bool inPlace : {false, true}) {
        MODELPAR_RETURN_IF_ERROR(checkAllReduce<float>(communicator, group, DType::F32, count, inPlace));
        MODELPAR_RETURN_IF_ERROR(checkAllReduce<double>(communicator, group, DType::F64, count, inPlace));
      }
    return Status();
  });
}

TEST_P(CommunicatorConformance, AllReduceOfBf16SumsInFloat) {
  Status status = run(4, [](Communicator &communicator) {
    std::unique_ptr<Group> group;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2, 3}, "all", 0, group));
    // 256 + 0.75 four times over: each bf16 partial sum would drop the fractions, their fp32 sum does not.
    std::vector<uint16_t> data{communicator.rank() == 0 ? uint16_t{0x4380} : uint16_t{0x3f40}}; // 256, 0.75
    Collective collective{.kind = CollectiveKind::AllReduce, .parts = {{.dtype = DType::BF16}}};
    MODELPAR_RETURN_IF_ERROR(runOne(communicator, *group, collective, data, data));
    return expectEqual(data, {uint16_t{0x4381}}, "bf16 sum"); // 258.25 to nearest: 258.
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(CommunicatorConformance, AllReduceLse) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kTolerance = 1e-12; // A few roundings of exp and log in double.
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    std::vector<double> data{static_cast<double>(communicator.rank()) * 50, -kInfinity, 1,
                             communicator.rank() == group.ranks()[0] ? 2 : -kInfinity};
    double expected = 0;
    for (int64_t rank : group.ranks())
      expected += std::exp(static_cast<double>(rank) * 50 - 250);
    expected = std::log(expected) + 250;
    Collective collective{
        .kind = CollectiveKind::AllReduce, .reduce = ReduceKind::Lse, .parts = {{.dtype = DType::F64, .outer = 4}}};
    MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, data, data));
    bool right = std::abs(data[0] - expected) <= kTolerance * 300 && data[1] == -kInfinity &&
                 std::abs(data[2] - 1 - std::log(static_cast<double>(group.size()))) <= kTolerance && data[3] == 2;
    return right ? Status() : Status::internal("wrong log-sum-exp");
  });
}

TEST_P(CommunicatorConformance, SumsAreInRankOrder) {
  // (1e8 + 1) - 1e8 + 1 in fp32, in this order, is 1: 1e8 + 1 rounds to 1e8. Any other order or a wider sum gives 0
  // or 2.
  Status status = run(4, [](Communicator &communicator) {
    const float terms[] = {1e8f, 1, -1e8f, 1};
    std::unique_ptr<Group> group;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2, 3}, "all", 0, group));
    Collective collective{.kind = CollectiveKind::AllReduce, .parts = {{.outer = 777}}};
    for (int round = 0; round < 10; ++round) {
      std::vector<float> data(777, terms[communicator.rank()]);
      std::this_thread::sleep_for(std::chrono::microseconds((communicator.rank() * 37 + round * 91) % 200));
      MODELPAR_RETURN_IF_ERROR(runOne(communicator, *group, collective, data, data));
      MODELPAR_RETURN_IF_ERROR(expectEqual(data, std::vector<float>(777, 1), "sum"));
    }
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(CommunicatorConformance, AllGatherUneven) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    for (int64_t outer : {1, 4})
      for (int64_t inner : {1, 6}) {
        std::vector<int64_t> extents = unevenExtents(group.size());
        int64_t whole = sum(extents), mine = extents[static_cast<size_t>(group.index())];
        std::vector<float> input = inputOf<float>(communicator.rank(), outer * mine * inner);
        std::vector<float> output(static_cast<size_t>(outer * whole * inner), -1), expected(output);
        for (int64_t member = 0; member < group.size(); ++member)
          for (int64_t o = 0; o < outer; ++o)
            for (int64_t e = 0; e < extents[static_cast<size_t>(member)]; ++e)
              for (int64_t i = 0; i < inner; ++i)
                expected[static_cast<size_t>((o * whole + offsetOf(extents, member) + e) * inner + i)] =
                    static_cast<float>(valueOf(group.ranks()[static_cast<size_t>(member)],
                                               (o * extents[static_cast<size_t>(member)] + e) * inner + i));
        Collective collective{.kind = CollectiveKind::AllGather,
                              .parts = {{.outer = outer, .inner = inner, .extents = extents}}};
        MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, input, output));
        MODELPAR_RETURN_IF_ERROR(expectEqual(output, expected, "all_gather"));
      }
    return Status();
  });
}

TEST_P(CommunicatorConformance, ReduceScatterUneven) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    for (int64_t outer : {1, 4})
      for (int64_t inner : {1, 6}) {
        std::vector<int64_t> extents = unevenExtents(group.size());
        int64_t whole = sum(extents), mine = extents[static_cast<size_t>(group.index())];
        std::vector<float> input = inputOf<float>(communicator.rank(), outer * whole * inner);
        std::vector<float> output(static_cast<size_t>(outer * mine * inner), -1), expected;
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t e = 0; e < mine * inner; ++e) {
            double value = 0;
            for (int64_t rank : group.ranks())
              value += valueOf(rank, (o * whole + offsetOf(extents, group.index())) * inner + e);
            expected.push_back(static_cast<float>(value));
          }
        Collective collective{.kind = CollectiveKind::ReduceScatter,
                              .parts = {{.outer = outer, .inner = inner, .extents = extents}}};
        MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, input, output));
        MODELPAR_RETURN_IF_ERROR(expectEqual(output, expected, "reduce_scatter"));
      }
    return Status();
  });
}

// A global tensor [outer, A, middle, B, inner] of distinct values: before, members hold parts of one of A and B, after
// of the other.
TEST_P(CommunicatorConformance, AllToAllUneven) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    for (bool splitFirst : {true, false}) {
      const int64_t outer = 2, middle = 3, inner = 2, me = group.index();
      std::vector<int64_t> split = unevenExtents(group.size()), gathered(split.rbegin(), split.rend());
      int64_t wholeA = sum(splitFirst ? split : gathered), wholeB = sum(splitFirst ? gathered : split);
      auto part = [&](int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
        std::vector<float> values;
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t a = a0; a < a1; ++a)
            for (int64_t m = 0; m < middle; ++m)
              for (int64_t b = b0; b < b1; ++b)
                for (int64_t i = 0; i < inner; ++i)
                  values.push_back(static_cast<float>((((o * wholeA + a) * middle + m) * wholeB + b) * inner + i));
        return values;
      };
      auto along = [&](const std::vector<int64_t> &extents, bool first) {
        int64_t begin = offsetOf(extents, me), end = begin + extents[static_cast<size_t>(me)];
        return first ? part(begin, end, 0, wholeB) : part(0, wholeA, begin, end);
      };
      std::vector<float> input = along(gathered, !splitFirst), expected = along(split, splitFirst);
      std::vector<float> output(expected.size(), -1);
      Collective collective{.kind = CollectiveKind::AllToAll,
                            .parts = {{.outer = outer,
                                       .inner = inner,
                                       .extents = split,
                                       .middle = middle,
                                       .gathered = gathered,
                                       .splitFirst = splitFirst}}};
      MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, input, output));
      MODELPAR_RETURN_IF_ERROR(expectEqual(output, expected, "all_to_all"));
    }
    return Status();
  });
}

TEST_P(CommunicatorConformance, BroadcastFromEveryRoot) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    for (int64_t root = 0; root < group.size(); ++root) {
      std::vector<float> data = inputOf<float>(communicator.rank(), 9);
      Collective collective{.kind = CollectiveKind::Broadcast, .root = root, .parts = {{.outer = 9}}};
      MODELPAR_RETURN_IF_ERROR(runOne(communicator, group, collective, data, data));
      MODELPAR_RETURN_IF_ERROR(
          expectEqual(data, inputOf<float>(group.ranks()[static_cast<size_t>(root)], 9), "broadcast"));
    }
    return Status();
  });
}

TEST_P(CommunicatorConformance, GroupedTensorsOfTwoTypes) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    std::vector<float> first = inputOf<float>(communicator.rank(), 40);
    std::vector<double> second = inputOf<double>(communicator.rank(), 3);
    void *pointers[] = {first.data(), nullptr, second.data()};
    Collective collective{.kind = CollectiveKind::AllReduce,
                          .parts = {{.outer = 40}, {.outer = 0}, {.dtype = DType::F64, .outer = 3}},
                          .label = "grouped"};
    MODELPAR_RETURN_IF_ERROR(communicator.run(group, collective, pointers, pointers));
    double expected = 0;
    for (int64_t rank : group.ranks())
      expected += valueOf(rank, 2);
    return first[2] == static_cast<float>(expected) && second[2] == expected ? Status() : Status::internal("wrong sum");
  });
}

// Every shift of a group, tensors of several types in one launch, uneven and empty shards.
TEST_P(CommunicatorConformance, CollectivePermute) {
  forGroups(RUNNER, [](Communicator &communicator, Group &group) {
    const int64_t size = group.size(), me = group.index();
    std::vector<int64_t> extents = unevenExtents(size), reversed(extents.rbegin(), extents.rend());
    for (int64_t shift = 0; shift < size; ++shift) {
      const auto source = static_cast<size_t>((me - shift + size) % size);
      std::vector<float> first = inputOf<float>(communicator.rank(), 6 * extents[static_cast<size_t>(me)]),
                         received(static_cast<size_t>(6 * extents[source]), -1);
      std::vector<double> second = inputOf<double>(communicator.rank() + 1, reversed[static_cast<size_t>(me)]),
                          alsoReceived(static_cast<size_t>(reversed[source]), -1);
      void *inputs[] = {first.data(), second.data()}, *outputs[] = {received.data(), alsoReceived.data()};
      Collective collective{
          .kind = CollectiveKind::CollectivePermute,
          .shift = shift,
          .parts = {{.outer = 2, .inner = 3, .extents = extents}, {.dtype = DType::F64, .extents = reversed}},
          .label = "permute"};
      MODELPAR_RETURN_IF_ERROR(validate(collective, group));
      MODELPAR_RETURN_IF_ERROR(communicator.run(group, collective, inputs, outputs));
      const int64_t from = group.ranks()[source];
      MODELPAR_RETURN_IF_ERROR(expectEqual(received, inputOf<float>(from, static_cast<int64_t>(received.size())),
                                           "shift " + std::to_string(shift)));
      MODELPAR_RETURN_IF_ERROR(expectEqual(alsoReceived,
                                           inputOf<double>(from + 1, static_cast<int64_t>(alsoReceived.size())),
                                           "second tensor, shift " + std::to_string(shift)));
    }
    return Status();
  });
}

TEST_P(CommunicatorConformance, PermutedByDifferentShiftsIsAnErrorOnAll) {
  Status status = run(3, [](Communicator &communicator) {
    std::unique_ptr<Group> group;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2}, "cp", 0, group));
    std::vector<float> input(4), output(4);
    return runOne(communicator, *group,
                  {.kind = CollectiveKind::CollectivePermute,
                   .shift = communicator.rank() == 1 ? 2 : 1,
                   .parts = {{.extents = {4, 4, 4}}}},
                  input, output);
  });
  EXPECT_NE(status.message().find("do not run the same collective"), std::string::npos) << status.message();
}

TEST_P(CommunicatorConformance, GroupsOfTwoStreamsDoNotMix) {
  Status status = run(2, [](Communicator &communicator) {
    std::unique_ptr<Group> groups[2];
    for (int64_t tag : {0, 1})
      MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1}, "tp", tag, groups[tag]));
    Status results[2];
    auto work = [&](int tag) {
      std::vector<float> data(8);
      Collective collective{.kind = CollectiveKind::AllReduce, .parts = {{.outer = 8}}};
      for (int round = 0; round < 50 && results[tag].ok(); ++round) {
        data.assign(8, static_cast<float>(tag + 1));
        results[tag] = runOne(communicator, *groups[tag], collective, data, data);
        if (results[tag].ok())
          results[tag] = expectEqual(data, std::vector<float>(8, static_cast<float>(2 * (tag + 1))), "sum");
      }
    };
    std::thread other([&] { work(1); });
    work(0);
    other.join();
    MODELPAR_RETURN_IF_ERROR(results[0]);
    return results[1];
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(CommunicatorConformance, CountsTheBytesOfARing) {
  Status status = run(4, [](Communicator &communicator) {
    std::unique_ptr<Group> dp, tp;
    int64_t rank = communicator.rank();
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({rank % 2, rank % 2 + 2}, "dp", 0, dp));
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({rank / 2 * 2, rank / 2 * 2 + 1}, "tp", 0, tp));
    std::vector<float> data(100), gathered(60);
    MODELPAR_RETURN_IF_ERROR(
        runOne(communicator, *dp, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = 100}}}, data, data));
    MODELPAR_RETURN_IF_ERROR(runOne(
        communicator, *tp, {.kind = CollectiveKind::AllGather, .parts = {{.extents = {40, 20}}}}, data, gathered));
    std::vector<Traffic> traffic = communicator.traffic();
    bool right = traffic.size() == 2 && traffic[0].axes == "dp" && traffic[0].bytes == 400 && traffic[1].axes == "tp" &&
                 traffic[1].bytes == 120;
    return right ? Status() : Status::internal("wrong traffic");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(CommunicatorConformance, CountsWhatAPermuteSends) {
  Status status = run(3, [](Communicator &communicator) {
    std::unique_ptr<Group> group;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2}, "cp", 0, group));
    std::vector<float> input(10), output(10);
    for (int64_t shift : {0, 1, 2}) // The first sends nothing.
      MODELPAR_RETURN_IF_ERROR(runOne(
          communicator, *group,
          {.kind = CollectiveKind::CollectivePermute, .shift = shift, .parts = {{.inner = 2, .extents = {5, 3, 0}}}},
          input, output));
    const int64_t expected[] = {2 * 40, 2 * 24, 0};
    std::vector<Traffic> traffic = communicator.traffic();
    bool right = traffic.size() == 1 && traffic[0].bytes == expected[communicator.rank()];
    return right ? Status() : Status::internal("wrong traffic of rank " + std::to_string(communicator.rank()));
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(CommunicatorConformance, AgreeNamesTheRankThatDiffers) {
  Status status = run(3, [](Communicator &communicator) {
    MODELPAR_RETURN_IF_ERROR(communicator.barrier("start"));
    MODELPAR_RETURN_IF_ERROR(communicator.agree(7, "seed"));
    return communicator.agree(communicator.rank() == 2 ? 8 : 9, "plan");
  });
  EXPECT_EQ(status.code(), StatusCode::InvalidInput);
  EXPECT_NE(status.message().find("ranks 0 and 2 do not have the same plan"), std::string::npos) << status.message();
}

TEST_P(CommunicatorConformance, TimeoutNamesWhoIsMissing) {
  Status status = run(
      3,
      [](Communicator &communicator) {
        std::unique_ptr<Group> group;
        MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2}, "dp", 0, group));
        MODELPAR_RETURN_IF_ERROR(communicator.barrier("start")); // A busy machine starts threads slowly.
        std::vector<float> data(4);
        if (communicator.rank() == 1)
          return communicator.barrier("the wrong place");
        return runOne(communicator, *group, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = 4}}}, data, data);
      },
      1.5);
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  bool inCollective =
      status.message().find(
          "test: all_reduce over {dp} (ranks 0, 1, 2): no arrival of rank 1 within 1.5 s without progress there "
          "(--timeout=1.5); arrived: rank 0, 2") != std::string::npos;
  bool inBarrier = status.message().find("the wrong place over all ranks: no arrival of rank 0, 2 within 1.5 s without "
                                         "progress there (--timeout=1.5); arrived: rank 1") != std::string::npos;
  EXPECT_TRUE(inCollective || inBarrier) << status.message(); // Whichever was first to lose patience.
}

// Without a timeout: only the failure ends the others.
TEST_P(CommunicatorConformance, AFailedRankStopsTheOthers) {
  std::vector<StatusCode> codes(3);
  Status status = run(
      3,
      [&](Communicator &communicator) {
        std::unique_ptr<Group> group;
        MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2}, "dp", 0, group));
        std::vector<float> data(4);
        Status result;
        for (int round = 0; result.ok(); ++round) {
          if (communicator.rank() == 1 && round == 5)
            return Status::internal("rank 1 broke");
          result =
              runOne(communicator, *group, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = 4}}}, data, data);
        }
        codes[static_cast<size_t>(communicator.rank())] = result.code();
        return result;
      },
      0);
  EXPECT_EQ(status.message(), "rank 1 broke");
  EXPECT_EQ(codes[0], StatusCode::Aborted);
  EXPECT_EQ(codes[2], StatusCode::Aborted);
}

TEST_P(CommunicatorConformance, AbortsAtRandomTimesLeaveNoReaderBehind) {
  // Buffers are freed as soon as run() returns: a peer that still read them would be seen by the address sanitizer.
  for (int round = 0; round < 20; ++round) {
    Status status = run(4, [&](Communicator &communicator) {
      std::unique_ptr<Group> group;
      MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1, 2, 3}, "dp", 0, group));
      for (int i = 0;; ++i) {
        std::vector<float> data(20000);
        if (communicator.rank() == 3 && i == 3) {
          std::thread killer([&] { communicator.abort(Status::internal("killed")); });
          Status result = runOne(communicator, *group, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = 20000}}},
                                 data, data);
          killer.join();
          return Status::internal("killed");
        }
        MODELPAR_RETURN_IF_ERROR(
            runOne(communicator, *group, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = 20000}}}, data, data));
      }
    });
    EXPECT_EQ(status.message(), "killed");
  }
}

TEST_P(CommunicatorConformance, DifferentCollectivesAreAnErrorOnAll) {
  Status status = run(2, [](Communicator &communicator) {
    std::unique_ptr<Group> group;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1}, "tp", 0, group));
    std::vector<float> data(8);
    int64_t count = communicator.rank() == 0 ? 8 : 4;
    return runOne(communicator, *group, {.kind = CollectiveKind::AllReduce, .parts = {{.outer = count}}}, data, data);
  });
  EXPECT_EQ(status.code(), StatusCode::Internal);
  EXPECT_NE(status.message().find("do not run the same collective"), std::string::npos) << status.message();
}

TEST_P(CommunicatorConformance, DescriptionsAreChecked) {
  Status status = run(2, [](Communicator &communicator) {
    std::unique_ptr<Group> group, none;
    MODELPAR_RETURN_IF_ERROR(communicator.createGroup({0, 1}, "tp", 0, group));
    EXPECT_FALSE(communicator.createGroup({1 - communicator.rank()}, "tp", 0, none).ok());
    EXPECT_FALSE(communicator.createGroup({0, 1, 2}, "tp", 0, none).ok());
    EXPECT_FALSE(communicator.createGroup({0, 1, 1}, "tp", 0, none).ok());
    EXPECT_FALSE(validate({.parts = {{.dtype = DType::I32}}}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::AllGather, .parts = {{.extents = {1}}}}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::AllGather, .parts = {{.extents = {1, -1}}}}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::AllToAll, .parts = {{.extents = {1, 1}}}}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::Broadcast, .root = 2}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::CollectivePermute, .shift = 2}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::CollectivePermute, .shift = -1}, *group).ok());
    EXPECT_FALSE(validate({.kind = CollectiveKind::CollectivePermute, .parts = {{.extents = {1}}}}, *group).ok());
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

} // namespace modelpar::runtime
