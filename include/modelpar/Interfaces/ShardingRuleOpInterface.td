//===- ShardingRuleOpInterface.td -------------------------------*- tablegen -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE
#define MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE

include "mlir/IR/OpBase.td"

def ShardingRuleOpInterface : OpInterface<"ShardingRuleOpInterface"> {
  let cppNamespace = "::modelpar";
  let description = [{
    An op that states how its tensors' dimensions map to factors. All of sharding
    (operand and result shardings, partial results, gradients' communication) follows
    from the rule and a placement; no pass knows an op by name.
  }];
  let methods = [
    InterfaceMethod<"The rule for this op's global shapes.",
      "::modelpar::sharding::OpShardingRule", "getShardingRule", (ins)>,
    InterfaceMethod<[{True when the op is a sum over its operands (variadic) and may be split into one op per group of operands
      that are sharded over the same axes; the partial results are then reduced and added.}],
      "bool", "isSumOverOperands", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{For ops that are sums over their operands: builds the sum of results of such ops (they have one type), and returns the
      op; it has a sharding rule.}],
      "::mlir::Operation *", "buildSumOfResults", (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$values), [{}],
      [{ return nullptr; }]>
  ];
}

#endif // MODELPAR_INTERFACES_SHARDINGRULEOPINTERFACE
