//===- StreamedOpInterface.td -----------------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_STREAMEDOPINTERFACE
#define MODELPAR_INTERFACES_STREAMEDOPINTERFACE

include "mlir/IR/OpBase.td"

def StreamedOpInterface : OpInterface<"StreamedOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{
    An op whose sharding rule has a streamed factor, and that can be computed part by part of it: the op on one part of the streamed
    operands (those that have the factor) gives a contribution to each result. Results without the factor are joined by
    `joinParts`. A result with the factor belongs to the part: the contributions that ranks make to it are added up.
  }];
  let methods = [
    InterfaceMethod<[{Joins the results of the parts so far with those of one more part, in the order of the op's results. Entries of results
      that have the streamed factor are null, and stay so.}],
      "::llvm::SmallVector<::mlir::Value>", "joinParts",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$soFar, "::mlir::ValueRange":$part)>,
    InterfaceMethod<"The sum of two contributions to one result that has the streamed factor.",
      "::mlir::Value", "addContributions",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$lhs, "::mlir::Value":$rhs)>,
    InterfaceMethod<[{The element type in which contributions are added up, and which those results of the op may have.}],
      "::mlir::Type", "getContributionType", (ins "::mlir::Type":$elementType)>,
    InterfaceMethod<[{True when later positions do more work than earlier ones (a causal mask), so that contiguous shards would do unequal
      amounts.}], "bool", "hasGrowingWork", (ins)>
  ];
}

#endif // MODELPAR_INTERFACES_STREAMEDOPINTERFACE
