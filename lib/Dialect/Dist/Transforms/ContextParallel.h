//===- ContextParallel.h - the sequence over cp -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Context parallelism splits the sequence everywhere, as data parallelism splits the
// batch. What an op needs of the whole sequence must be streamed to it; under a causal mask the
// sequence is dealt out so that all ranks have equal work.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_CONTEXTPARALLEL_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_CONTEXTPARALLEL_H

#include "FactorClasses.h"

#include <set>

namespace modelpar::dist {

/// The axis that context parallelism splits the sequence over.
inline constexpr llvm::StringLiteral kContextAxis = "cp";

/// The factor classes of the inputs' sequence dimensions (nn.seq_dim); none without one.
mlir::FailureOr<std::set<int>> findSequence(mlir::func::FuncOp step, const FactorClasses &classes);

/// Emits an error when the sequence cannot be split over the axis: an op needs it whole, or has it as a streamed factor
/// without the factor that this is streamed along.
mlir::LogicalResult checkSequenceSplits(mlir::func::FuncOp step, const FactorClasses &classes,
                                        const std::set<int> &sequence, const sharding::AxisRef &axis);

/// The classes of the sequence that are dealt out for equal work (AxisRef::balanced): those along which work grows
/// under a causal mask. Emits a remark for one that cannot be dealt out and stays in its natural order.
std::set<int> chooseBalanced(mlir::func::FuncOp step, const FactorClasses &classes, const std::set<int> &sequence,
                             const sharding::AxisRef &axis);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_CONTEXTPARALLEL_H
