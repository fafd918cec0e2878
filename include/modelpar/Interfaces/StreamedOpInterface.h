//===- StreamedOpInterface.h ------------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interface of ops that are computed part by part of an operand; see the .td file of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_STREAMEDOPINTERFACE_H
#define MODELPAR_INTERFACES_STREAMEDOPINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

#include "modelpar/Interfaces/StreamedOpInterface.h.inc"

#endif // MODELPAR_INTERFACES_STREAMEDOPINTERFACE_H
