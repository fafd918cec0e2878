//===- Thread.cpp - the one place where threads start ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// std::thread says by an exception that there are no more threads.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Thread.h"

#include "runtime/base/Activity.h"

#include <atomic>
#include <charconv>
#include <fstream>
#include <optional>
#include <sys/resource.h>
#include <system_error>

using namespace modelpar::runtime;

/// Threads that may still start; negative: as many as the system allows.
static std::atomic<int64_t> allowance{-1};

void modelpar::runtime::refuseThreadsAfter(int64_t count) { allowance.store(count); }

/// False when a test has used up what it allows.
static bool allowed() {
  int64_t left = allowance.load();
  while (left > 0 && !allowance.compare_exchange_weak(left, left - 1)) {
  }
  return left != 0;
}

Status modelpar::runtime::startThread(std::function<void()> body, std::thread &thread) {
  Activity *activity = Activity::current();
  try {
    if (!allowed())
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    thread = std::thread([activity, body = std::move(body)] {
      Activity::Member member(activity);
      body();
    });
  } catch (const std::system_error &error) {
    return {StatusCode::OutOfThreads, "cannot start a thread: " + error.code().message()};
  } catch (const std::bad_alloc &) {
    return {StatusCode::OutOfThreads, "cannot start a thread: no memory"};
  }
  return {};
}

static std::optional<int64_t> readLimit(const std::string &path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc() || end != word.data() + word.size())
    return std::nullopt; // No file, or "max".
  return value;
}

/// The least pids.max of the groups of this process and those above them.
static std::optional<int64_t> groupLimit(const std::string &root) {
  std::optional<int64_t> least;
  auto apply = [&](const std::string &mount, std::string group) {
    while (true) {
      if (std::optional<int64_t> limit = readLimit(mount + group + "/pids.max"))
        least = std::min(least.value_or(*limit), *limit);
      if (group.empty())
        return;
      const size_t slash = group.rfind('/');
      group = slash == std::string::npos ? "" : group.substr(0, slash);
    }
  };
  // Inside a container the mount is its own group.
  apply(root + "/sys/fs/cgroup", "");
  apply(root + "/sys/fs/cgroup/pids", "");
  std::ifstream stream(root + "/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.find("..", second) != std::string::npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || controllers == "pids")
      apply(root + "/sys/fs/cgroup" + (controllers.empty() ? "" : "/pids"), line.substr(second + 1));
  }
  return least;
}

std::string modelpar::runtime::describeThreadLimits(const std::string &root) {
  std::string text;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    text = "the user's limit of processes (ulimit -u) is " + std::to_string(limit.rlim_cur);
  if (std::optional<int64_t> group = groupLimit(root))
    text += (text.empty() ? "" : ", ") + ("the control group's (pids.max) is " + std::to_string(*group));
  if (std::optional<int64_t> system = readLimit(root + "/proc/sys/kernel/threads-max"))
    text += (text.empty() ? "" : ", ") + ("the system's (kernel.threads-max) is " + std::to_string(*system));
  return text;
}
