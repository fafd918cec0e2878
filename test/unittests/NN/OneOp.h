//===- OneOp.h - one nn op in a function ------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes an op from its name, operand and result types and attributes, with
// function arguments as operands, for tests of its interfaces.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_NN_ONEOP_H
#define MODELPAR_TEST_UNITTESTS_NN_ONEOP_H

#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

namespace modelpar::nn {

/// One op as text: `{"nn.matmul", "{subscripts = \"ab,bc->ac\"}", {"2x3xf32", "3x4xf32"}, {"2x4xf32"}}`.
struct OpText {
  std::string name, attributes;
  std::vector<std::string> operands, results;
};
inline void PrintTo(const OpText &text, std::ostream *os) { *os << text.name << " " << text.attributes; }

class OneOp {
public:
  explicit OneOp(const OpText &text) {
    context.loadDialect<NNDialect, mlir::func::FuncDialect>();
    std::string arguments, uses, operands, results;
    for (size_t i = 0; i < text.operands.size(); ++i) {
      std::string separator = i ? ", " : "", value = "%a" + std::to_string(i),
                  type = "tensor<" + text.operands[i] + ">";
      arguments += separator + value + ": " + type;
      uses += separator + value;
      operands += separator + type;
    }
    for (size_t i = 0; i < text.results.size(); ++i)
      results += (i ? ", tensor<" : "tensor<") + text.results[i] + ">";
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "func.func @f(" + arguments + ") {\n  %r:" + std::to_string(text.results.size()) + " = " + text.name + " " +
            uses + " " + text.attributes + " : (" + operands + ") -> (" + results + ")\n  return\n}",
        &context);
    if (module)
      op = &mlir::cast<mlir::func::FuncOp>(module->getBody()->front()).front().front();
  }

  explicit operator bool() const { return op; }
  sharding::OpShardingRule rule() { return mlir::cast<ShardingRuleOpInterface>(op).getShardingRule(); }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::Operation *op = nullptr; ///< Null when the text does not parse.
};

} // namespace modelpar::nn

#endif // MODELPAR_TEST_UNITTESTS_NN_ONEOP_H
