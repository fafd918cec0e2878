//===- AxisText.h - lists of axes in attributes and ops ---------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_DIALECT_DIST_IR_AXISTEXT_H
#define MODELPAR_LIB_DIALECT_DIST_IR_AXISTEXT_H

#include "modelpar/Sharding/TensorSharding.h"

#include "mlir/IR/OpImplementation.h"

namespace modelpar::dist {

/// `"dp", "tp":(1)2, "pp"{0,-1}`, between the delimiters.
mlir::ParseResult parseAxes(mlir::AsmParser &parser, sharding::DimSharding &axes, mlir::AsmParser::Delimiter delimiter);
/// The same without delimiters.
void printAxes(mlir::AsmPrinter &printer, const sharding::DimSharding &axes);

} // namespace modelpar::dist

#endif // MODELPAR_LIB_DIALECT_DIST_IR_AXISTEXT_H
