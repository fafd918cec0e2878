//===- CollectiveGeometry.h - a plan's collective for one rank ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns types and axes into the extents of every member's shard.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_COLLECTIVEGEOMETRY_H
#define MODELPAR_RUNTIME_EXECUTOR_COLLECTIVEGEOMETRY_H

#include "runtime/comm/Communicator.h"

namespace modelpar::runtime {

/// True when the parts of a dimension that is sharded like this differ between micro-batches.
bool dependsOnMicroBatch(const sharding::DimSharding &dim);

/// The collective of `instruction` (of `body`) in a micro-batch, as a member of `group` sees it. Internal when the
/// types do not fit: shards that should be equal are not, or parts do not join to the whole.
Status describeCollective(const planformat::Plan &plan, const planformat::Body &body,
                          const planformat::Instruction &instruction, const Group &group, int64_t microBatch,
                          Collective &collective);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_COLLECTIVEGEOMETRY_H
