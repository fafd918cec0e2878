//===- NNOpBase.td - types and classes of the nn ops ------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNOPBASE
#define MODELPAR_DIALECT_NN_IR_NNOPBASE

include "modelpar/Dialect/NN/IR/NNAttrs.td"
include "modelpar/Interfaces/ShardingRuleOpInterface.td"
include "modelpar/Interfaces/CostOpInterface.td"
include "modelpar/Interfaces/DifferentiableOpInterface.td"
include "modelpar/Interfaces/InPlaceOpInterface.td"
include "modelpar/Interfaces/ParameterOpInterface.td"
include "modelpar/Interfaces/StreamedOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

// Tensors of floats, of 32-bit integers (tokens, labels, positions), and the scalars of a step.
def NN_Tensor : RankedTensorOf<[F32, F64, BF16, F16], [HasStaticShapePred], "statically shaped tensor">;
def NN_IntTensor : RankedTensorOf<[I32], [HasStaticShapePred], "statically shaped tensor">;
def NN_Scalars : RankedTensorOf<[F64], [HasStaticShapePred], "statically shaped tensor">;

// What parameter ops read and write. Reads of one parameter may merge, but none moves over a write.
def NN_ParameterMemory : Resource<"::modelpar::nn::ParameterMemory">;
def NN_GradientMemory : Resource<"::modelpar::nn::GradientMemory">;

class NN_Op<string mnemonic, list<Trait> traits = []> : Op<NN_Dialect, mnemonic, traits>;

// A pure computation on tensors with a sharding rule and a cost.
class NN_ComputeOp<string mnemonic, list<Trait> traits = [],
                   Trait cost = DeclareOpInterfaceMethods<CostOpInterface>,
                   Trait rule = DeclareOpInterfaceMethods<ShardingRuleOpInterface>>
    : NN_Op<mnemonic, !listconcat([Pure, rule, cost], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
defvar NN_Differentiable = DeclareOpInterfaceMethods<DifferentiableOpInterface>;
defvar NN_Loss = DeclareOpInterfaceMethods<DifferentiableOpInterface, ["isLoss"]>;
defvar NN_MatrixCost = DeclareOpInterfaceMethods<CostOpInterface, ["isMatrixOp"]>;
// Result 0 may take the bytes of operand 0; ops that differ define getInPlaceOperands.
def NN_InPlace : DeclareOpInterfaceMethods<InPlaceOpInterface>;
def NN_InPlaceOf : DeclareOpInterfaceMethods<InPlaceOpInterface, ["getInPlaceOperands"]>;
defvar NN_Streamed = DeclareOpInterfaceMethods<StreamedOpInterface>;
defvar NN_SumOverOperands = DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["isSumOverOperands", "buildSumOfResults"]>;

#endif // MODELPAR_DIALECT_NN_IR_NNOPBASE
