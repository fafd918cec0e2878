//===- NNDialect.cpp - the nn dialect and its attributes ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration, attributes' assembly, and small builders.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::nn;

#include "modelpar/Dialect/NN/IR/NNDialect.cpp.inc"
#include "modelpar/Dialect/NN/IR/NNEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/NN/IR/NNAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "modelpar/Dialect/NN/IR/NNOps.cpp.inc"

void NNDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "modelpar/Dialect/NN/IR/NNAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "modelpar/Dialect/NN/IR/NNOps.cpp.inc"
      >();
}

/// The types of the attributes that nn puts on functions, calls and modules.
LogicalResult NNDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName(), expected;
  Attribute value = attribute.getValue();
  if (name == kRoleAttr && !isa<RoleAttr>(value))
    expected = "a role such as #nn.role<forward>";
  else if ((name == kModelAttr || name == kOptimizerAttr) && !isa<StringAttr>(value))
    expected = "a string";
  else if (auto number = dyn_cast<IntegerAttr>(value);
           name == kInstanceAttr && !(number && number.getType().isInteger(64) && number.getInt() >= 0))
    expected = "a 64-bit integer of at least 0";
  if (expected.empty())
    return success();
  return op->emitError() << "attribute " << name << " is " << value << ", expected " << expected;
}

//===----------------------------------------------------------------------===//
// InitAttr
//===----------------------------------------------------------------------===//

/// How many numbers an initialiser of this kind takes.
static unsigned numArguments(InitKind kind) {
  switch (kind) {
  case InitKind::zeros:
  case InitKind::ones:
    return 0;
  case InitKind::constant:
    return 1;
  case InitKind::normal:
  case InitKind::uniform:
    return 2;
  }
  llvm_unreachable("all kinds are listed");
}

Attribute InitAttr::parse(AsmParser &parser, Type) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword(&keyword))
    return {};
  std::optional<InitKind> kind = symbolizeInitKind(keyword);
  if (!kind) {
    parser.emitError(loc, "expected zeros, ones, constant, normal or uniform, found ") << keyword;
    return {};
  }
  double values[2] = {0, 0};
  for (unsigned i = 0; i < numArguments(*kind); ++i)
    if (parser.parseComma() || parser.parseFloat(values[i]))
      return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<InitAttr>(loc, parser.getContext(), *kind, values[0], values[1]);
}

void InitAttr::print(AsmPrinter &printer) const {
  printer << "<" << stringifyInitKind(getKind());
  double values[2] = {getA(), getB()};
  for (unsigned i = 0; i < numArguments(getKind()); ++i) {
    printer << ", ";
    printer.printFloat(APFloat(values[i]));
  }
  printer << ">";
}

LogicalResult InitAttr::verify(function_ref<InFlightDiagnostic()> emitError, InitKind kind, Number a, Number b) {
  if (!std::isfinite(a.value) || !std::isfinite(b.value))
    return emitError() << "initialiser has a number that is not finite";
  if (kind == InitKind::normal && b.value < 0)
    return emitError() << "standard deviation is " << b.value << ", expected at least 0";
  if (kind == InitKind::uniform && a.value > b.value)
    return emitError() << "uniform initialiser has low " << a.value << " above high " << b.value;
  return success();
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

Type nn::getStatisticsType(Type elementType) {
  return elementType.isF64() ? elementType : Float32Type::get(elementType.getContext());
}

Value nn::buildCrossEntropy(OpBuilder &builder, Location loc, Value logits, Value targets, Value scalars) {
  auto type = cast<RankedTensorType>(logits.getType());
  Type statistics = getStatisticsType(type.getElementType());
  auto perToken = RankedTensorType::get(type.getShape().drop_back(), statistics);
  auto stats = SoftmaxStatsOp::create(builder, loc, perToken, perToken, logits, targets);
  return TokenLossOp::create(builder, loc, RankedTensorType::get({}, statistics), stats.getLse(),
                             stats.getTargetLogit(), targets, scalars);
}

Value nn::buildSum(OpBuilder &builder, Location loc, ValueRange values) {
  if (values.empty())
    return {};
  if (values.size() == 1)
    return values.front();
  return SumOp::create(builder, loc, values.front().getType(), values);
}
