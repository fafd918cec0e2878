//===- DeviceMemory.h - whether a plan fits its devices -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_DEVICEMEMORY_H
#define MODELPAR_PIPELINES_DEVICEMEMORY_H

#include "modelpar/CostModel/Cluster.h"
#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::pipelines {

/// Empty when the arena and what is reserved beside it fit a device's memory on every stage; else a message that names
/// both figures, the stage that needs most and what takes it there.
std::string checkDeviceMemory(const planformat::Plan &plan, const costmodel::Cluster &cluster);

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_DEVICEMEMORY_H
