//===- ParameterOpInterface.h -----------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interfaces of ops that declare, read and write parameters; see the .td file of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_PARAMETEROPINTERFACE_H
#define MODELPAR_INTERFACES_PARAMETEROPINTERFACE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

#include "modelpar/Interfaces/ParameterOpInterface.h.inc"

#endif // MODELPAR_INTERFACES_PARAMETEROPINTERFACE_H
