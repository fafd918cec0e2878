//===- ThreadPool.cpp - one parallel loop at a time -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Workers take chunks from a shared counter, spin briefly for the next loop and then sleep, so that ranks that share
// cores do not burn each other's time.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/ThreadPool.h"

#include "runtime/base/Thread.h"

#include <algorithm>

using namespace modelpar::runtime;

namespace {

/// Rounds of spinning before a thread sleeps: a few microseconds, less than a wake-up costs.
constexpr int kSpins = 256;
/// Chunks per thread: enough to even out threads that lose their core, few enough to keep the counter cheap.
constexpr int64_t kChunksPerThread = 4;

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

template <typename Predicate> bool spinUntil(Predicate predicate) {
  for (int i = 0; i < kSpins; ++i) {
    if (predicate())
      return true;
    pause();
  }
  return predicate();
}

} // namespace

ThreadPool::ThreadPool(int numThreads) {
  workers_.reserve(static_cast<size_t>(std::max(numThreads, 1))); // A thread that runs must not be lost.
  for (int i = 1; i < numThreads && status_.ok(); ++i) {
    std::thread worker;
    status_ = startThread([this] { work(); }, worker);
    if (status_.ok())
      workers_.push_back(std::move(worker));
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  start_.notify_all();
  for (std::thread &worker : workers_)
    worker.join();
}

void ThreadPool::takeChunks() {
  for (;;) {
    int64_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
    if (begin >= count_)
      return;
    function_(context_, begin, std::min(begin + chunk_, count_));
  }
}

void ThreadPool::run(int64_t count, int64_t grain, Function function, void *context) {
  if (count <= 0)
    return;
  grain = std::max<int64_t>(grain, 1);
  std::unique_lock caller(caller_, std::defer_lock);
  if (workers_.empty() || count <= grain || !caller.try_lock())
    return function(context, 0, count);
  int64_t grains = (count + grain - 1) / grain;
  int64_t pieces = kChunksPerThread * numThreads();
  function_ = function;
  context_ = context;
  count_ = count;
  chunk_ = (grains + pieces - 1) / pieces * grain;
  next_.store(0, std::memory_order_relaxed);
  pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  {
    // Under the lock, so that a worker about to sleep either sees the new generation or gets the notification.
    std::lock_guard lock(mutex_);
    generation_.fetch_add(1, std::memory_order_release);
  }
  start_.notify_all();
  takeChunks();
  auto finished = [this] { return pending_.load(std::memory_order_acquire) == 0; };
  if (!spinUntil(finished)) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, finished);
  }
}

void ThreadPool::work() {
  uint64_t seen = 0;
  auto started = [&] { return generation_.load(std::memory_order_acquire) != seen || stop_.load(); };
  for (;;) {
    if (!spinUntil(started)) {
      std::unique_lock lock(mutex_);
      start_.wait(lock, started);
    }
    if (stop_.load())
      return;
    ++seen; // The caller waits for every worker, so generations are seen one by one.
    takeChunks();
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}
