//===- NNOps.td - ops of the nn dialect -------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNOPS
#define MODELPAR_DIALECT_NN_IR_NNOPS

include "modelpar/Dialect/NN/IR/NNParameterOps.td"
include "modelpar/Dialect/NN/IR/NNLinearOps.td"
include "modelpar/Dialect/NN/IR/NNLayerOps.td"
include "modelpar/Dialect/NN/IR/NNLossOps.td"
include "modelpar/Dialect/NN/IR/NNUpdateOps.td"

#endif // MODELPAR_DIALECT_NN_IR_NNOPS
