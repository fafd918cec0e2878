//===- ShardingRuleOpInterface.h --------------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interface of ops that state how their dimensions map to factors; see the .td file of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE_H
#define MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "modelpar/Sharding/ShardingRule.h"

#include "modelpar/Interfaces/ShardingRuleOpInterface.h.inc"

#endif // MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE_H
