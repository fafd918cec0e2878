//===- DifferentiableOpInterface.h ------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interface of ops that build their own gradients; see the .td file of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
#define MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

#include "modelpar/Interfaces/DifferentiableOpInterface.h.inc"

#endif // MODELPAR_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
