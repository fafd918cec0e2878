//===- HostMemory.cpp - what this machine can still give ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/HostMemory.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

using namespace modelpar;
using namespace modelpar::runtime;

static std::optional<int64_t> readNumber(const std::string &path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  int64_t value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc() || end != word.data() + word.size())
    return std::nullopt; // No file, or "max".
  return value;
}

/// The number behind a word at the start of a line ("inactive_file 4096", "MemAvailable: 12 kB").
static std::optional<int64_t> readField(const std::string &path, const std::string &field) {
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string name;
    int64_t value = 0;
    if (words >> name >> value && name == field)
      return value;
  }
  return std::nullopt;
}

namespace {
/// The files of one version of control groups.
struct GroupFiles {
  const char *limit, *usage, *cache;
};
constexpr GroupFiles kVersion1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2 = {"/memory.max", "/memory.current", "inactive_file"};
} // namespace

/// Lowers `memory` to what the group and those above it leave.
static void applyGroups(HostMemory &memory, const std::string &mount, std::string group, const GroupFiles &files) {
  while (true) {
    const std::string directory = mount + (group == "/" ? "" : group);
    std::optional<int64_t> limit = readNumber(directory + files.limit);
    if (limit) {
      // Pages of files that nobody used lately are given back when memory is short.
      int64_t used = readNumber(directory + files.usage).value_or(0) -
                     readField(directory + "/memory.stat", files.cache).value_or(0);
      int64_t left = std::max<int64_t>(0, *limit - std::max<int64_t>(0, used));
      if (left < memory.availableBytes)
        memory = {left, "the limit of control group '" + group + "'"};
    }
    if (group == "/" || group.empty())
      return;
    size_t slash = group.rfind('/');
    group = slash == 0 || slash == std::string::npos ? "/" : group.substr(0, slash);
  }
}

Status runtime::readHostMemory(HostMemory &memory, const std::string &root) {
  std::optional<int64_t> available = readField(root + "/proc/meminfo", "MemAvailable:");
  memory = available ? HostMemory{*available * 1024, "MemAvailable"}
                     : HostMemory{std::numeric_limits<int64_t>::max(), "nothing"};
  // Inside a container the group of the process may not be visible; the mount is then the container's own group.
  applyGroups(memory, root + "/sys/fs/cgroup", "/", kVersion2);
  applyGroups(memory, root + "/sys/fs/cgroup/memory", "/", kVersion1);
  std::ifstream stream(root + "/proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (group.find("..") != std::string::npos)
      continue;
    if (controllers.empty())
      applyGroups(memory, root + "/sys/fs/cgroup", group, kVersion2);
    else if (controllers == "memory")
      applyGroups(memory, root + "/sys/fs/cgroup/memory", group, kVersion1);
  }
  return {};
}

int64_t runtime::plannedHostBytes(const planformat::Plan &plan) {
  const int64_t ranksPerStage = plan.mesh.numRanks() / std::max<int64_t>(1, static_cast<int64_t>(plan.stages.size()));
  int64_t total = 0;
  for (const planformat::Stage &stage : plan.stages) {
    int64_t bytes = 0;
    if (__builtin_mul_overflow(planformat::bytesPerRank(stage), ranksPerStage, &bytes) ||
        __builtin_add_overflow(total, bytes, &total))
      return kTooManyBytes;
  }
  return total;
}

std::string runtime::formatBytes(int64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

Status runtime::checkHostMemory(const planformat::Plan &plan, const HostMemory &memory) {
  const int64_t needed = plannedHostBytes(plan);
  // No machine has what cannot be counted, even one whose memory is not known.
  if (needed <= memory.availableBytes && needed < kTooManyBytes)
    return {};
  return Status::invalid("the plan's " + std::to_string(plan.mesh.numRanks()) + " ranks need " +
                         (needed == kTooManyBytes ? "at least " : "") + formatBytes(needed) + " on this host, " +
                         formatBytes(memory.availableBytes) + " are left by " + memory.bound);
}
