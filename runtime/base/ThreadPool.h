//===- ThreadPool.h - the threads of one rank -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_BASE_THREADPOOL_H
#define MODELPAR_RUNTIME_BASE_THREADPOOL_H

#include "runtime/base/Status.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace modelpar::runtime {

/// A fixed set of threads that run one parallel loop at a time, the calling thread among them. No call allocates. A
/// call made while another one runs (two streams of a rank share the pool) is done by its caller alone. Every kernel
/// that runs on the CPU divides its work by `parallelFor` with a partition that depends on the sizes alone, so results
/// do not depend on the number of threads.
class ThreadPool {
public:
  /// `numThreads` >= 1, the caller counted. See status().
  explicit ThreadPool(int numThreads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  /// OutOfThreads when the system refused some of the threads; the pool works with those that there are.
  const Status &status() const { return status_; }
  int numThreads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(begin, end) on disjoint ranges that cover [0, count), each a multiple of `grain` long but the last.
  /// Returns when all are done.
  template <typename Body> void parallelFor(int64_t count, int64_t grain, Body &&body) {
    run(
        count, grain, [](void *context, int64_t begin, int64_t end) { (*static_cast<Body *>(context))(begin, end); },
        const_cast<void *>(static_cast<const void *>(&body)));
  }

private:
  using Function = void (*)(void *context, int64_t begin, int64_t end);
  void run(int64_t count, int64_t grain, Function function, void *context);
  void work();
  void takeChunks();

  std::vector<std::thread> workers_;
  Status status_;
  std::mutex caller_; ///< Held by the call that owns the workers.
  std::mutex mutex_;  ///< Guards sleeping and waking.
  std::condition_variable start_, done_;
  // The loop in progress: written by the caller before generation_ is raised, read by the workers after they saw it.
  Function function_ = nullptr;
  void *context_ = nullptr;
  int64_t count_ = 0, chunk_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> pending_{0}; ///< Workers that have not finished this generation.
  std::atomic<bool> stop_{false};
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_BASE_THREADPOOL_H
