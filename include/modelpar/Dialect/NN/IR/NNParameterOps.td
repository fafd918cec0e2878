//===- NNParameterOps.td - nn ops on parameters -----------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_NN_IR_NNPARAMETEROPS
#define MODELPAR_DIALECT_NN_IR_NNPARAMETEROPS

include "modelpar/Dialect/NN/IR/NNOpBase.td"

def NN_ParameterOp : NN_Op<"parameter", [Symbol, DeclareOpInterfaceMethods<ParameterOpInterface>]> {
  let summary = "a trained tensor and its optimizer state";
  let description = [{
    Declares a parameter of the model: its type, its first values, and where a Hugging Face checkpoint keeps it. The checkpoint's tensor
    is a row-major reshape of the parameter, under `checkpoint_name` or, where a file lacks that, under one of `checkpoint_aliases`.
    `zero_row` is an index of the first dimension whose elements start as zeros, whatever `init` gives the others. `weight_decay` says
    whether the optimizer decays it. AdamW's moments (slots `exp_avg` and `exp_avg_sq`) start at zero and have f32 elements (f64 for an
    f64 parameter).

    - C1: the extents of `checkpoint_shape` are positive and have the product of those of `type`.
    - C2: `zero_row` is an index of the first dimension.

    ```mlir
    nn.parameter @h.qkv : tensor<768x3x12x64xf32> init <normal, 0.0, 2.0e-02> checkpoint "h.c_attn.weight" [768, 2304]
    nn.parameter @h.bias : tensor<768xf32> init <zeros> checkpoint "h.bias" [768] {weight_decay = false}
    nn.parameter @wte : tensor<96x8xf32> init <normal, 0.0, 2.0e-02> checkpoint "wte.weight" [96, 8] or ["lm_head.weight"] {zero_row = 3 : i64}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<NN_Tensor>:$type, NN_InitAttr:$init,
                       StrAttr:$checkpoint_name, DenseI64ArrayAttr:$checkpoint_shape,
                       OptionalAttr<StrArrayAttr>:$checkpoint_aliases, OptionalAttr<I64Attr>:$zero_row,
                       DefaultValuedAttr<BoolAttr, "true">:$weight_decay);
  let assemblyFormat = [{
    $sym_name `:` $type `init` $init `checkpoint` $checkpoint_name $checkpoint_shape (`or` $checkpoint_aliases^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::mlir::RankedTensorType $cppClass::getParameterType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
  }];
}

// getParameter is each op's own accessor.
def NN_ParameterUse : DeclareOpInterfaceMethods<ParameterUseOpInterface>;
def NN_ParameterGradient : DeclareOpInterfaceMethods<ParameterUseOpInterface, ["isGradient"]>;

def NN_ReadParameterOp : NN_Op<"read_parameter", [MemoryEffects<[MemRead<NN_ParameterMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterUse]> {
  let summary = "the value of a parameter, or of its optimizer state";
  let description = [{
    Two reads of one parameter may merge; no read moves over an `nn.write_parameter`.

    - C1: `parameter` names an `nn.parameter`.
    - C2: the shape is the parameter's, the element type that of the slot.

    ```mlir
    %w = nn.read_parameter @w : tensor<64x256xf32>
    %m = nn.read_parameter @w {slot = #nn.slot<exp_avg>} : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter,
                       DefaultValuedAttr<NN_ParameterSlotAttr, "ParameterSlot::value">:$slot);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getResult(); }
    ::llvm::StringRef $cppClass::getTensorName() { return stringifyParameterSlot(getSlot()); }
  }];
}

def NN_WriteParameterOp : NN_Op<"write_parameter", [MemoryEffects<[MemWrite<NN_ParameterMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterUse]> {
  let summary = "replace the value of a parameter, or of its optimizer state";
  let description = [{
    - C1: `parameter` names an `nn.parameter`.
    - C2: the shape is the parameter's, the element type that of the slot.

    ```mlir
    nn.write_parameter @w, %new : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, NN_Tensor:$value,
                       DefaultValuedAttr<NN_ParameterSlotAttr, "ParameterSlot::value">:$slot);
  let assemblyFormat = "$parameter `,` $value attr-dict `:` type($value)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getValue(); }
    ::llvm::StringRef $cppClass::getTensorName() { return stringifyParameterSlot(getSlot()); }
  }];
}

def NN_GradientOp : NN_Op<"gradient", [MemoryEffects<[MemWrite<NN_GradientMemory>]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, NN_ParameterGradient]> {
  let summary = "name a value as the gradient of a parameter, whole and before clipping";
  let description = [{
    Marks which buffer `--dump-grads` and the update read.

    - C1: `parameter` names an `nn.parameter`.
    - C2: shape and element type are the parameter's.

    ```mlir
    nn.gradient @w, %g : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, NN_Tensor:$value);
  let assemblyFormat = "$parameter `,` $value attr-dict `:` type($value)";
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::getParameterValue() { return getValue(); }
    bool $cppClass::isGradient() { return true; }
    ::llvm::StringRef $cppClass::getTensorName() { return "gradient"; }
  }];
}

#endif // MODELPAR_DIALECT_NN_IR_NNPARAMETEROPS
