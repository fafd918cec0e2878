//===- DataMovement.h - what a member of a collective computes ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pure functions on the members' tensors, shared by the communicators whose ranks see or receive plain host memory.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_DATAMOVEMENT_H
#define MODELPAR_RUNTIME_COMM_DATAMOVEMENT_H

#include "runtime/comm/Communicator.h"

namespace modelpar::runtime {

int64_t total(const std::vector<int64_t> &extents);

/// target[i] = sources[0][i] joined with sources[1][i], ... in this order, for `count` elements after `offset`
/// (elements, in the sources alone). f32 and bf16 in fp32, f64 in f64. `target` may be the very place in one of the
/// sources.
void reduce(sharding::ReduceKind kind, planformat::DType dtype, std::span<const std::byte *const> sources,
            int64_t offset, int64_t count, std::byte *target);

/// This member's output of a reduce_scatter from all members' inputs.
void reduceScatter(sharding::ReduceKind kind, const CollectivePart &part, int64_t member,
                   std::span<const std::byte *const> inputs, std::byte *output);
/// Copies the input of `source` to its place in an all_gather's output.
void gatherFrom(const CollectivePart &part, int64_t source, const std::byte *input, std::byte *output);
/// Copies what `source` has for this member to its place in an all_to_all's output.
void exchangeFrom(const CollectivePart &part, int64_t member, int64_t source, const std::byte *input,
                  std::byte *output);

/// The part of [0, count) that member `member` of `size` reduces in an all_reduce.
struct Chunk {
  int64_t offset, count;
};
Chunk chunkOf(int64_t count, int64_t member, int64_t size);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_DATAMOVEMENT_H
