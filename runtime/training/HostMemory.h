//===- HostMemory.h - what this machine can still give --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_TRAINING_HOSTMEMORY_H
#define MODELPAR_RUNTIME_TRAINING_HOSTMEMORY_H

#include "modelpar/PlanFormat/Plan.h"
#include "runtime/base/Status.h"

#include <limits>

namespace modelpar::runtime {

struct HostMemory {
  int64_t availableBytes = 0; ///< The least of the bounds below.
  std::string bound;          ///< Which: "MemAvailable" or "the limit of control group /x".
};
/// From <root>/proc/meminfo and the control groups of this process below <root>/sys/fs/cgroup (versions 1 and 2);
/// `root` is for tests.
Status readHostMemory(HostMemory &memory, const std::string &root = "");

/// A number of bytes that int64 does not hold.
inline constexpr int64_t kTooManyBytes = std::numeric_limits<int64_t>::max();
/// What all ranks of the plan take on one host: their arenas and what is reserved beside them. At most kTooManyBytes.
int64_t plannedHostBytes(const planformat::Plan &plan);
/// InvalidInput when the ranks do not fit, with both sizes.
Status checkHostMemory(const planformat::Plan &plan, const HostMemory &memory);

/// "1.5 GiB"
std::string formatBytes(int64_t bytes);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_TRAINING_HOSTMEMORY_H
