//===- CpuDevice.cpp - the CPU as a device with streams -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queues are rings under a mutex: an item is a few words, kernels take microseconds and more.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cpu/CpuDevice.h"

#include "runtime/base/Arena.h"
#include "runtime/base/Philox.h"
#include "runtime/base/Thread.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

using namespace modelpar::runtime;

namespace {

class HostMemory final : public DeviceMemory {
public:
  explicit HostMemory(Arena arena) : arena_(std::move(arena)) {}
  std::byte *data() const override { return arena_.data(); }
  int64_t size() const override { return arena_.size(); }
  int64_t residentBytes() const override { return arena_.residentBytes(); }

private:
  Arena arena_;
};

/// Counts its records: `issued` where they are enqueued, `completed` where they run, so that a wait can mean the last
/// record issued before it although the event is used again and again.
class CpuEvent final : public Event {
public:
  uint64_t issue() { return ++issued_; }
  uint64_t issued() const { return issued_; }
  void complete(uint64_t record) {
    std::lock_guard lock(mutex_);
    completed_ = std::max(completed_, record);
    reached_.notify_all();
  }
  void waitFor(uint64_t record) {
    std::unique_lock lock(mutex_);
    reached_.wait(lock, [&] { return completed_ >= record; });
  }

private:
  uint64_t issued_ = 0; ///< The issuing thread's alone.
  std::mutex mutex_;
  std::condition_variable reached_;
  uint64_t completed_ = 0;
};

/// The first error of a device.
class Failure {
public:
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Status status() const {
    if (!failed())
      return {};
    std::lock_guard lock(mutex_);
    return status_;
  }
  void set(const Status &status) {
    std::lock_guard lock(mutex_);
    if (!failed_.load(std::memory_order_relaxed)) {
      status_ = status;
      failed_.store(true, std::memory_order_release);
    }
  }

private:
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  Status status_;
};

/// Delays that depend on the seed, the stream and the count of its items alone: none for half of the items, else a
/// yield or a sleep.
class Fuzz {
public:
  Fuzz(std::optional<uint64_t> seed, uint32_t rank, uint32_t stream) : seed_(seed), rank_(rank), stream_(stream) {}
  void delay() {
    if (!seed_)
      return;
    constexpr uint32_t kLongest = 200; // Microseconds: longer than most kernels of the test models.
    PhiloxCounter words = philox4x32(philoxCounter(count_++, rank_, stream_), philoxKey(*seed_));
    if (words[0] % 4 < 2)
      return;
    if (words[0] % 4 == 2)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(words[1] % (kLongest + 1)));
  }

private:
  std::optional<uint64_t> seed_;
  uint32_t rank_, stream_;
  uint64_t count_ = 0;
};

class CpuStream final : public Stream {
public:
  CpuStream(int64_t capacity, Failure &failure, Fuzz fuzz)
      : failure_(failure), fuzz_(fuzz), ring_(static_cast<size_t>(std::max<int64_t>(capacity, 2))),
        started_(startThread([this] { work(); }, worker_)) {}

  /// OutOfThreads: there is no worker, and nothing may be issued.
  const Status &started() const { return started_; }

  ~CpuStream() override {
    if (!started_.ok())
      return;
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    issued_.notify_all();
    worker_.join();
  }

  void enqueue(const Task &task) override { push({.kind = Item::Run, .task = task}); }
  void record(Event &event) override {
    auto &cpuEvent = static_cast<CpuEvent &>(event);
    push({.kind = Item::Record, .event = &cpuEvent, .count = cpuEvent.issue()});
  }
  void wait(Event &event) override {
    auto &cpuEvent = static_cast<CpuEvent &>(event);
    if (cpuEvent.issued() > 0)
      push({.kind = Item::Wait, .event = &cpuEvent, .count = cpuEvent.issued()});
  }
  void fillZero(void *data, int64_t bytes) override {
    push({.kind = Item::Zero, .data = data, .count = static_cast<uint64_t>(bytes)});
  }
  Status copyToDevice(void *target, const void *source, int64_t bytes) override { return copy(target, source, bytes); }
  Status copyToHost(void *target, const void *source, int64_t bytes) override { return copy(target, source, bytes); }
  Status synchronize() override {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [this] { return done_ == tail_; });
    return failure_.status();
  }

private:
  struct Item {
    enum Kind { Run, Record, Wait, Zero } kind = Run;
    Task task = {};
    CpuEvent *event = nullptr;
    void *data = nullptr;
    uint64_t count = 0; ///< The event's record, or bytes.
  };

  Status copy(void *target, const void *source, int64_t bytes) {
    MODELPAR_RETURN_IF_ERROR(synchronize());
    if (bytes > 0)
      std::memcpy(target, source, static_cast<size_t>(bytes));
    return {};
  }

  void push(const Item &item) {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [this] { return tail_ - done_ < ring_.size(); });
    ring_[tail_++ % ring_.size()] = item;
    issued_.notify_one();
  }

  void work() {
    for (;;) {
      Item item;
      {
        std::unique_lock lock(mutex_);
        issued_.wait(lock, [this] { return done_ != tail_ || stop_; });
        if (done_ == tail_)
          return;
        item = ring_[done_ % ring_.size()];
      }
      fuzz_.delay();
      execute(item);
      std::lock_guard lock(mutex_);
      ++done_;
      drained_.notify_all();
    }
  }

  /// Records count as reached on a poisoned device too, or the streams that wait for them would never drain.
  void execute(const Item &item) {
    switch (item.kind) {
    case Item::Run:
      if (failure_.failed())
        return;
      if (Status status =
              withoutExceptions([&] { return item.task.function(item.task.context, item.task.argument, nullptr); });
          !status.ok())
        failure_.set(status);
      return;
    case Item::Record:
      return item.event->complete(item.count);
    case Item::Wait:
      return item.event->waitFor(item.count);
    case Item::Zero:
      if (!failure_.failed() && item.count > 0)
        std::memset(item.data, 0, item.count);
      return;
    }
  }

  Failure &failure_;
  Fuzz fuzz_;
  std::mutex mutex_;
  std::condition_variable issued_, drained_;
  std::vector<Item> ring_;
  uint64_t tail_ = 0, done_ = 0; ///< Items ever issued, and executed or skipped.
  bool stop_ = false;
  std::thread worker_;
  Status started_; ///< Last: the worker uses the others.
};

class CpuDevice final : public Device {
public:
  explicit CpuDevice(const CpuDeviceOptions &options) : options_(options) {}

  std::string_view kind() const override { return "cpu"; }
  bool hostAccessible() const override { return true; }
  Status allocate(int64_t bytes, std::unique_ptr<DeviceMemory> &memory) override {
    Arena arena;
    MODELPAR_RETURN_IF_ERROR(Arena::map(bytes, arena));
    memory = std::make_unique<HostMemory>(std::move(arena));
    return {};
  }
  Status createStream(const std::string &name, int64_t capacity, std::unique_ptr<Stream> &stream) override {
    Fuzz fuzz(options_.fuzzSeed, static_cast<uint32_t>(options_.rank), numStreams_++);
    auto created = std::make_unique<CpuStream>(capacity, failure_, fuzz);
    MODELPAR_RETURN_IF_ERROR(created->started().in("stream " + name));
    stream = std::move(created);
    return {};
  }
  Status createEvent(std::unique_ptr<Event> &event) override {
    event = std::make_unique<CpuEvent>();
    return {};
  }
  Status status() const override { return failure_.status(); }
  void fail(const Status &status) override { failure_.set(status); }

private:
  CpuDeviceOptions options_;
  Failure failure_;
  uint32_t numStreams_ = 0;
};

} // namespace

std::unique_ptr<Device> modelpar::runtime::createCpuDevice(const CpuDeviceOptions &options) {
  return std::make_unique<CpuDevice>(options);
}
