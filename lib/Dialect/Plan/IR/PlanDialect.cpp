//===- PlanDialect.cpp - the plan dialect, its types and attributes -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration and the assembly of attributes.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Plan/IR/PlanDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace modelpar::plan;

#include "modelpar/Dialect/Plan/IR/PlanDialect.cpp.inc"
#include "modelpar/Dialect/Plan/IR/PlanEnums.cpp.inc"
#include "modelpar/Dialect/Plan/IR/PlanInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/Plan/IR/PlanAttrs.cpp.inc"

void PlanDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "modelpar/Dialect/Plan/IR/PlanTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "modelpar/Dialect/Plan/IR/PlanAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "modelpar/Dialect/Plan/IR/PlanOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// AxisAttr: <"tp", 4>, <"tp", 2, 2> or <"pp", 4 {0, 3}>
//===----------------------------------------------------------------------===//

Attribute AxisAttr::parse(AsmParser &parser, Type) {
  std::string name;
  int64_t preSize = 1, size = 0;
  if (parser.parseLess() || parser.parseString(&name) || parser.parseComma() || parser.parseInteger(size))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    preSize = size;
    if (parser.parseInteger(size))
      return {};
  }
  SmallVector<int64_t> subset;
  auto parseCoordinate = [&]() -> ParseResult { return parser.parseInteger(subset.emplace_back()); };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalBraces, parseCoordinate) || parser.parseGreater())
    return {};
  return parser.getChecked<AxisAttr>(parser.getContext(), name, preSize, size, subset);
}

void AxisAttr::print(AsmPrinter &printer) const {
  printer << "<\"" << getName() << "\", ";
  if (getPreSize() != 1)
    printer << getPreSize() << ", ";
  printer << getSize();
  if (!getSubset().empty()) {
    printer << " {";
    llvm::interleaveComma(getSubset(), printer);
    printer << "}";
  }
  printer << ">";
}

LogicalResult AxisAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef name, int64_t preSize,
                               int64_t size, ArrayRef<int64_t> subset) {
  if (name.empty())
    return emitError() << "expected the name of a mesh axis, found an empty string";
  if (preSize < 1 || size < 1)
    return emitError() << "expected positive sizes of axis \"" << name << "\", found " << preSize << " and " << size;
  for (auto [i, coordinate] : llvm::enumerate(subset))
    if (coordinate < 0 || coordinate >= size || (i > 0 && coordinate <= subset[i - 1]))
      return emitError() << "expected ascending coordinates below " << size << " along axis \"" << name << "\", found "
                         << coordinate;
  return success();
}
