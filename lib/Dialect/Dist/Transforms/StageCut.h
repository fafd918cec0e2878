//===- StageCut.h - which pipeline stage each call runs in -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Forward calls of @step are cut into contiguous runs of even time; a backward call goes
// where its forward call is, an update where its parameters are used first. The decision is
// the attribute dist.stage on every call, which may be edited by hand.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_STAGECUT_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_STAGECUT_H

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

#include <set>

namespace modelpar::dist {

/// What a call of @step computes of its block, by its callee's name (`@b.backward_input`; docs/Pipeline.md).
enum class CallRole { Forward, BackwardInput, BackwardWeight, Update };
struct BlockCall {
  mlir::func::CallOp op;
  CallRole role = CallRole::Forward;
  llvm::StringRef block;
  int64_t instance = 0;
};
/// The calls in their order. Emits an error for a callee without such a name.
mlir::FailureOr<std::vector<BlockCall>> readCalls(mlir::func::FuncOp step);

/// The number of stages: the size of the axis "pp", 1 without one.
int64_t numStages(const sharding::Mesh &mesh);
/// The stage of a call of @step; 0 when it has none.
int64_t stageOf(mlir::Operation *call);

/// Stages whose forward calls use each parameter, by its symbol, in the order of first use. The first of a set owns the
/// parameter; the others hold replicas.
llvm::MapVector<llvm::StringRef, std::set<int64_t>> parameterStages(llvm::ArrayRef<BlockCall> calls);

/// Writes dist.stage on all calls of @step. The time of a call is that of its ops under their placements, forward and
/// backward: for each the longer of its operations and `flopsPerByte` times its bytes. Emits an error when there are
/// fewer forward calls than stages.
mlir::LogicalResult assignStages(mlir::func::FuncOp step, const sharding::Mesh &mesh, double flopsPerByte);

/// The stages of @step, as decided or edited by hand: every call has one in range, every stage has a forward call,
/// activations flow to the same or later stages, backward calls run where their forward call does and updates in the
/// first stage that uses their parameters.
mlir::LogicalResult verifyStages(mlir::func::FuncOp step, const sharding::Mesh &mesh);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_STAGECUT_H
