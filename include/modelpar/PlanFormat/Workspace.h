//===- Workspace.h - scratch that kernels may use -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_WORKSPACE_H
#define MODELPAR_PLANFORMAT_WORKSPACE_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

/// Bytes of scratch that the kernel `op` gets on `deviceKind` for shards of these types (largest shards), whatever the
/// number of threads: the compiler plans it, the kernels live within it. 0 for most.
int64_t workspaceBytes(std::string_view op, std::string_view deviceKind, const Attributes &attributes,
                       const std::vector<TensorType> &inputs, const std::vector<TensorType> &outputs);

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_WORKSPACE_H
