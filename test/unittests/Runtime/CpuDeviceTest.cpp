//===- CpuDeviceTest.cpp - streams and events of the CPU device -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Order within a stream, across streams by events alone, poisoning, and full queues.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cpu/CpuDevice.h"

#include <chrono>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using namespace modelpar::runtime;

namespace {

struct Streams {
  std::unique_ptr<Device> device;
  std::unique_ptr<Event> event;
  std::unique_ptr<Stream> compute, communication;

  explicit Streams(std::optional<uint64_t> seed = {}, int64_t capacity = 16)
      : device(createCpuDevice({.fuzzSeed = seed})) {
    EXPECT_TRUE(device->createEvent(event).ok());
    EXPECT_TRUE(device->createStream("compute", capacity, compute).ok());
    EXPECT_TRUE(device->createStream("communication", capacity, communication).ok());
  }
};

Status append(void *context, int64_t argument, void *) {
  static_cast<std::vector<int64_t> *>(context)->push_back(argument);
  return {};
}

TEST(CpuDevice, StreamRunsInOrderThroughASmallQueue) {
  Streams streams({}, 4);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < 100; ++i)
    streams.compute->enqueue({append, &order, i});
  ASSERT_TRUE(streams.compute->synchronize().ok());
  ASSERT_EQ(order.size(), 100u);
  for (int64_t i = 0; i < 100; ++i)
    EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

// A producer on one stream and a consumer on the other, reusing one event: every wait means the last record issued
// before it.
TEST(CpuDevice, EventsOrderStreamsUnderFuzz) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Streams streams(seed);
    int64_t value = 0; // Unguarded: events are the only order (the thread sanitizer sees it too).
    std::vector<int64_t> seen;
    std::unique_ptr<Event> consumed;
    ASSERT_TRUE(streams.device->createEvent(consumed).ok());
    struct Context {
      int64_t &value;
      std::vector<int64_t> &seen;
    } context{value, seen};
    for (int64_t i = 1; i <= 20; ++i) {
      streams.compute->wait(*consumed);
      streams.compute->enqueue({[](void *c, int64_t n, void *) {
                                  static_cast<Context *>(c)->value = n;
                                  return Status();
                                },
                                &context, i});
      streams.compute->record(*streams.event);
      streams.communication->wait(*streams.event);
      streams.communication->enqueue({[](void *c, int64_t, void *) {
                                        auto *context = static_cast<Context *>(c);
                                        context->seen.push_back(context->value);
                                        return Status();
                                      },
                                      &context, 0});
      streams.communication->record(*consumed);
    }
    ASSERT_TRUE(streams.compute->synchronize().ok());
    ASSERT_TRUE(streams.communication->synchronize().ok());
    for (int64_t i = 1; i <= 20; ++i)
      EXPECT_EQ(seen.at(static_cast<size_t>(i - 1)), i);
  }
}

TEST(CpuDevice, EventNeverRecordedHoldsNobody) {
  Streams streams;
  streams.compute->wait(*streams.event);
  EXPECT_TRUE(streams.compute->synchronize().ok());
}

TEST(CpuDevice, FailingTaskPoisonsTheDevice) {
  Streams streams;
  std::vector<int64_t> order;
  auto fail = [](void *, int64_t n, void *) { return Status::internal("task " + std::to_string(n)); };
  streams.compute->enqueue({append, &order, 1});
  streams.compute->enqueue({fail, nullptr, 2});
  streams.compute->enqueue({append, &order, 3});
  streams.compute->enqueue({fail, nullptr, 4});
  streams.compute->record(*streams.event);
  streams.communication->wait(*streams.event);
  streams.communication->enqueue({append, &order, 5});
  EXPECT_FALSE(streams.communication->synchronize().ok());
  EXPECT_EQ(streams.compute->synchronize().message(), "task 2");
  EXPECT_EQ(streams.device->status().message(), "task 2");
  EXPECT_EQ(order, std::vector<int64_t>{1});
}

TEST(CpuDevice, CopiesAndZeroesKeepTheOrderOfTheStream) {
  Streams streams(7);
  std::unique_ptr<DeviceMemory> memory;
  ASSERT_TRUE(streams.device->allocate(64, memory).ok());
  std::vector<std::byte> ones(64, std::byte{1}), back(64, std::byte{9});
  ASSERT_TRUE(streams.compute->copyToDevice(memory->data(), ones.data(), 64).ok());
  streams.compute->fillZero(memory->data(), 32);
  ASSERT_TRUE(streams.compute->copyToHost(back.data(), memory->data(), 64).ok());
  EXPECT_EQ(back[31], std::byte{0});
  EXPECT_EQ(back[32], std::byte{1});
}

} // namespace
