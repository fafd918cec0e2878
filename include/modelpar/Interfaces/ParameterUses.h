//===- ParameterUses.h - reads, writes, gradients that match ----*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_PARAMETERUSES_H
#define MODELPAR_INTERFACES_PARAMETERUSES_H

#include "modelpar/Interfaces/ParameterOpInterface.h"

namespace modelpar {

/// Checks the uses of parameters in the bodies that one rank runs in a step (of `@step`, or of a stage's programs):
/// every tensor that is written or has a gradient is read too, every one that is read is written, once; a state is read
/// once. Buffers follow from reads, so a tensor that is only written would have none.
mlir::LogicalResult verifyParameterUses(llvm::ArrayRef<mlir::Block *> bodies);

} // namespace modelpar

#endif // MODELPAR_INTERFACES_PARAMETERUSES_H
