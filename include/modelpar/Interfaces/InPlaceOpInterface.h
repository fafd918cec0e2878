//===- InPlaceOpInterface.h --------------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interface of ops that may write a result over an operand; see the .td file of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_INPLACEOPINTERFACE_H
#define MODELPAR_INTERFACES_INPLACEOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"

#include "modelpar/Interfaces/InPlaceOpInterface.h.inc"

#endif // MODELPAR_INTERFACES_INPLACEOPINTERFACE_H
