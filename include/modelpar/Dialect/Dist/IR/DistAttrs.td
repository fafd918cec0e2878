//===- DistAttrs.td - attributes of the dist dialect -*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_IR_DISTATTRS
#define MODELPAR_DIALECT_DIST_IR_DISTATTRS

include "modelpar/Dialect/Dist/IR/DistDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"

def Dist_ReduceKind : I32EnumAttr<"ReduceKind", "how partial values join", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">, I32EnumAttrCase<"Lse", 2, "lse">]> {
  let cppNamespace = "::modelpar::dist";
  let genSpecializedAttr = 0;
}
def Dist_ReduceKindAttr : EnumAttr<Dist_Dialect, Dist_ReduceKind, "reduce_kind"> {
  let assemblyFormat = "$value";
}

// An attribute that holds one struct of lib/Sharding. In an attribute a whole axis has size 0, so that it means the same on every mesh;
// `resolve` fills sizes in.
class Dist_StructAttr<string name, string attrMnemonic, string type, list<Trait> traits = []>
    : AttrDef<Dist_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
  let parameters = (ins AttrParameter<type, "", "const " # type # " &">:$value);
  let hasCustomAssemblyFormat = 1;
}

def Dist_MeshAttr : Dist_StructAttr<"Mesh", "mesh", "::modelpar::sharding::Mesh"> {
  let summary = "named axes of devices, major to minor, and the axis of time";
  let description = [{
    `#dist.mesh<["mb"=2, "dp"=2, "tp"=4]>`: 8 ranks, numbered row-major, `tp` innermost. `mb` has no ranks: it counts the micro-batches of a
    step. Axes of size 1 are left out.
  }];
  let genVerifyDecl = 1;
}

def Dist_ShardingAttr : Dist_StructAttr<"Sharding", "sharding", "::modelpar::sharding::TensorSharding",
                                        [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "how a tensor lives on the mesh";
  let description = [{
    One list of axes per dimension, major to minor, then the axes the value is partial over. `"tp":(2)4` is the part of `tp` of size 4
    after a major part of size 2. An axis that does not occur is replicated. `"cp"+1` is shifted: parts on their way round a ring.

    `"cp"*` is balanced, which only the major axis of a dimension can be: the dimension is a sequence, cut into 2·cp equal chunks, and the rank with
    coordinate r has chunks r and 2·cp-1-r. All indices (offsets of shards too) count in that order; an op whose result depends on where
    something stands finds it by the order of the dimension in question. The dimension stays in that order: no reshard changes it.

    ```mlir
    #dist.sharding<[{"dp", "mb"}, {} ]>
    #dist.sharding<[{"dp"}, {"cp"*, "tp"}, {} ]>
    #dist.sharding<[{"tp":(1)2} ], partial={"dp":sum}>
    ```
  }];
}

def Dist_PlacementAttr : Dist_StructAttr<"Placement", "placement", "::modelpar::sharding::Placement"> {
  let summary = "mesh axes per factor of an op's sharding rule";
  let description = [{ `#dist.placement<{b = ["dp", "mb"], f = ["tp"]}>`. Factors that do not occur are whole. }];
}

def Dist_AxesAttr : Dist_StructAttr<"Axes", "axes", "::modelpar::sharding::DimSharding"> {
  let summary = "a list of axes or parts of axes, major to minor";
}

#endif // MODELPAR_DIALECT_DIST_IR_DISTATTRS
