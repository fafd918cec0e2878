//===- NNAttrs.td - attributes of the nn dialect ----------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNATTRS
#define MODELPAR_DIALECT_NN_IR_NNATTRS

include "modelpar/Dialect/NN/IR/NNDialect.td"

class NN_I32Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::modelpar::nn";
  let genSpecializedAttr = 0;
}

def NN_InitKind : NN_I32Enum<"InitKind", "distribution of a parameter's first values", [
  I32EnumAttrCase<"zeros", 0>, I32EnumAttrCase<"ones", 1>, I32EnumAttrCase<"constant", 2>,
  I32EnumAttrCase<"normal", 3>, I32EnumAttrCase<"uniform", 4>]>;

def NN_ActivationKind : NN_I32Enum<"ActivationKind", "elementwise non-linearity", [
  I32EnumAttrCase<"relu", 0>, I32EnumAttrCase<"gelu", 1>, I32EnumAttrCase<"gelu_tanh", 2>,
  I32EnumAttrCase<"silu", 3>, I32EnumAttrCase<"tanh", 4>, I32EnumAttrCase<"sigmoid", 5>]>;
def NN_ActivationKindAttr : EnumAttr<NN_Dialect, NN_ActivationKind, "activation"> {
  let assemblyFormat = "`<` $value `>`";
}

def NN_ParameterSlot : NN_I32Enum<"ParameterSlot", "which tensor kept for a parameter", [
  I32EnumAttrCase<"value", 0>, I32EnumAttrCase<"exp_avg", 1>, I32EnumAttrCase<"exp_avg_sq", 2>]>;
def NN_ParameterSlotAttr : EnumAttr<NN_Dialect, NN_ParameterSlot, "slot"> {
  let assemblyFormat = "`<` $value `>`";
}

def NN_Role : NN_I32Enum<"Role", "what a block function computes", [
  I32EnumAttrCase<"forward", 0>, I32EnumAttrCase<"backward_input", 1>,
  I32EnumAttrCase<"backward_weight", 2>, I32EnumAttrCase<"update", 3>]>;
def NN_RoleAttr : EnumAttr<NN_Dialect, NN_Role, "role"> {
  let assemblyFormat = "`<` $value `>`";
}

// A double that can be hashed; equal means the same bits' value.
def NN_NumberParameter : AttrOrTypeParameter<"::modelpar::nn::Number", "a number", "double">;

def NN_InitAttr : AttrDef<NN_Dialect, "Init"> {
  let mnemonic = "init";
  let summary = "how a parameter starts";
  let description = [{
    A function of seed, parameter name and global element index alone (docs/Rationale/Randomness.md).
    `a`, `b`: constant: value; normal: mean, standard deviation; uniform: low, high. Exactly the numbers
    that the kind takes are written: `<zeros>`, `<ones>`, `<constant, 0.5>`, `<normal, 0.0, 0.02>`, `<uniform, -0.1, 0.1>`.
  }];
  let parameters = (ins EnumParameter<NN_InitKind>:$kind,
                        NN_NumberParameter:$a, NN_NumberParameter:$b);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

#endif // MODELPAR_DIALECT_NN_IR_NNATTRS
