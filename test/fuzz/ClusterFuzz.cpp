//===- ClusterFuzz.cpp - cluster files from strangers --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/CostModel/Cluster.h"

#include <cstdlib>

using namespace modelpar::costmodel;

/// What is accepted must be usable: every group of ranks has a link, every link a bandwidth.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Cluster cluster;
  std::string error;
  if (!readCluster({reinterpret_cast<const char *>(data), size}, cluster, error)) {
    if (error.empty())
      std::abort();
    return 0;
  }
  for (int64_t span = 2; span <= cluster.numDevices(); span *= 2)
    if (const Link *link = cluster.linkFor(span); !link || link->ranks < span || !(link->bandwidth > 0))
      std::abort();
  if (!(cluster.peak("f32") > 0) || !(cluster.peak("bf16") > 0) || cluster.memoryBytes < 1)
    std::abort();
  return 0;
}
