//===- DistAttrs.cpp - attributes of the dist dialect ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Assembly of the attributes, their meaning as plain structs, and sharded types.
//
//===----------------------------------------------------------------------===//

#include "lib/Dialect/Dist/IR/AxisText.h"
#include "modelpar/Dialect/Dist/IR/Dist.h"

#include <set>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;
using sharding::DimSharding;

//===----------------------------------------------------------------------===//
// Hashes
//===----------------------------------------------------------------------===//

llvm::hash_code sharding::hash_value(const MeshAxis &axis) { return llvm::hash_combine(axis.name, axis.size); }
llvm::hash_code sharding::hash_value(const AxisRef &axis) {
  return llvm::hash_combine(axis.name, axis.preSize, axis.size, axis.shift, axis.balanced,
                            llvm::hash_combine_range(axis.subset.begin(), axis.subset.end()));
}
llvm::hash_code sharding::hash_value(const Mesh &mesh) {
  llvm::hash_code hash = llvm::hash_value(mesh.axes().size());
  for (const MeshAxis &axis : mesh.axes())
    hash = llvm::hash_combine(hash, hash_value(axis));
  return hash;
}
llvm::hash_code sharding::hash_value(const DimSharding &axes) {
  llvm::hash_code hash = llvm::hash_value(axes.size());
  for (const AxisRef &axis : axes)
    hash = llvm::hash_combine(hash, hash_value(axis));
  return hash;
}
llvm::hash_code sharding::hash_value(const TensorSharding &sharding) {
  llvm::hash_code hash = llvm::hash_value(sharding.dims.size());
  for (const DimSharding &dim : sharding.dims)
    hash = llvm::hash_combine(hash, hash_value(dim));
  for (const PartialAxis &partial : sharding.partial)
    hash = llvm::hash_combine(hash, hash_value(partial.axis), static_cast<int>(partial.kind));
  return hash;
}
llvm::hash_code sharding::hash_value(const Placement &placement) {
  llvm::hash_code hash = llvm::hash_value(placement.size());
  for (const auto &[factor, axes] : placement)
    hash = llvm::hash_combine(hash, factor, hash_value(axes));
  return hash;
}

//===----------------------------------------------------------------------===//
// Assembly
//===----------------------------------------------------------------------===//

/// `(2)4`, after the axis and its colon.
static ParseResult parseSubAxis(AsmParser &parser, AxisRef &axis) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLParen() || parser.parseInteger(axis.preSize) || parser.parseRParen() ||
      parser.parseInteger(axis.size))
    return failure();
  if (axis.preSize < 1 || axis.size < 1)
    return parser.emitError(loc, "sub-axis needs positive sizes");
  return success();
}

/// `*`, `+1`, `{0,-1}`, after the axis and its part.
static ParseResult parseModifiers(AsmParser &parser, AxisRef &axis) {
  SMLoc loc = parser.getCurrentLocation();
  axis.balanced = succeeded(parser.parseOptionalStar());
  if (succeeded(parser.parseOptionalPlus()) && parser.parseInteger(axis.shift))
    return failure();
  if (axis.shift < 0)
    return parser.emitError(loc, "expected a shift of at least 0");
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalBraces,
                                     [&]() -> ParseResult { return parser.parseInteger(axis.subset.emplace_back()); }))
    return failure();
  for (auto [i, coordinate] : llvm::enumerate(axis.subset)) {
    bool isLast = coordinate == -1 && i + 1 == axis.subset.size();
    if (!isLast && coordinate <= (i ? axis.subset[i - 1] : -1))
      return parser.emitError(loc, "expected ascending coordinates, -1 for the last, found ") << coordinate;
  }
  return success();
}

static ParseResult parseAxis(AsmParser &parser, AxisRef &axis) {
  if (parser.parseString(&axis.name))
    return failure();
  if (succeeded(parser.parseOptionalColon()) && parseSubAxis(parser, axis))
    return failure();
  return parseModifiers(parser, axis);
}

static void printAxis(AsmPrinter &printer, const AxisRef &axis) {
  printer << '"' << axis.name << '"';
  if (axis.size)
    printer << ":(" << axis.preSize << ")" << axis.size;
  printer << sharding::modifiersOf(axis);
}

ParseResult dist::parseAxes(AsmParser &parser, DimSharding &axes, AsmParser::Delimiter delimiter) {
  return parser.parseCommaSeparatedList(delimiter, [&] { return parseAxis(parser, axes.emplace_back()); });
}

void dist::printAxes(AsmPrinter &printer, const DimSharding &axes) {
  llvm::interleaveComma(axes, printer, [&](const AxisRef &axis) { printAxis(printer, axis); });
}

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  std::vector<sharding::MeshAxis> axes;
  SMLoc loc = parser.getCurrentLocation();
  auto parseOne = [&]() -> ParseResult {
    sharding::MeshAxis &axis = axes.emplace_back();
    return failure(parser.parseString(&axis.name) || parser.parseEqual() || parser.parseInteger(axis.size));
  };
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<MeshAttr>(loc, parser.getContext(), sharding::Mesh(std::move(axes)));
}

void MeshAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getValue().axes(), printer,
                        [&](const sharding::MeshAxis &axis) { printer << '"' << axis.name << "\"=" << axis.size; });
  printer << "]>";
}

LogicalResult MeshAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, sharding::Mesh mesh) {
  // More would overflow counts of ranks, or take longer to schedule than to run.
  constexpr int64_t kMaxRanks = int64_t{1} << 31, kMaxMicroBatches = int64_t{1} << 16;
  std::set<std::string> names;
  int64_t ranks = 1;
  for (const sharding::MeshAxis &axis : mesh.axes()) {
    if (axis.name.empty())
      return emitError() << "mesh axis without a name";
    if (axis.size < 1)
      return emitError() << "mesh axis \"" << axis.name << "\" of size " << axis.size << ", expected at least 1";
    if (!names.insert(axis.name).second)
      return emitError() << "mesh axis \"" << axis.name << "\" occurs twice";
    const bool isTime = axis.name == sharding::kMicroBatchAxis;
    const int64_t limit = isTime ? kMaxMicroBatches : kMaxRanks / ranks;
    if (axis.size > limit)
      return emitError() << "mesh axis \"" << axis.name << "\" of size " << axis.size << ", expected at most "
                         << kMaxMicroBatches << " micro-batches and " << kMaxRanks << " ranks in all";
    ranks *= isTime ? 1 : axis.size;
  }
  return success();
}

static ParseResult parsePartial(AsmParser &parser, sharding::PartialAxis &partial) {
  if (parser.parseString(&partial.axis.name) || parseModifiers(parser, partial.axis) || parser.parseColon())
    return failure();
  if (succeeded(parser.parseOptionalLParen())) {
    // The parenthesis is read; the rest is as in parseSubAxis.
    if (parser.parseInteger(partial.axis.preSize) || parser.parseRParen() || parser.parseInteger(partial.axis.size) ||
        parser.parseColon())
      return failure();
    if (partial.axis.preSize < 1 || partial.axis.size < 1)
      return parser.emitError(parser.getCurrentLocation(), "sub-axis needs positive sizes");
  }
  std::string kind;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeywordOrString(&kind))
    return failure();
  auto parsed = sharding::parseReduceKind(kind);
  if (!parsed)
    return parser.emitError(loc, "unknown kind of partial value '" + kind + "', expected sum, max or lse");
  partial.kind = *parsed;
  return success();
}

Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  sharding::TensorSharding value;
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parseAxes(parser, value.dims.emplace_back(), AsmParser::Delimiter::Braces);
      }))
    return {};
  if (succeeded(parser.parseOptionalComma()))
    if (parser.parseKeyword("partial") || parser.parseEqual() ||
        parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces,
                                       [&] { return parsePartial(parser, value.partial.emplace_back()); }))
      return {};
  if (parser.parseGreater())
    return {};
  return ShardingAttr::get(parser.getContext(), value);
}

void ShardingAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getValue().dims, printer, [&](const DimSharding &dim) {
    printer << "{";
    printAxes(printer, dim);
    printer << "}";
  });
  printer << "]";
  if (getValue().isPartial()) {
    printer << ", partial={";
    llvm::interleaveComma(getValue().partial, printer, [&](const sharding::PartialAxis &partial) {
      printAxis(printer, partial.axis);
      printer << ":" << sharding::name(partial.kind);
    });
    printer << "}";
  }
  printer << ">";
}

LogicalResult ShardingAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                           llvm::function_ref<InFlightDiagnostic()> emitError) const {
  if (getValue().dims.size() != shape.size())
    return emitError() << "sharding of " << getValue().dims.size() << " dimensions on a tensor of " << shape.size();
  // Parts of axes are checked against the mesh where there is one; a name with a whole axis may occur only once.
  std::vector<AxisRef> seen;
  auto add = [&](const AxisRef &axis) -> LogicalResult {
    for (const AxisRef &other : seen)
      if (axis.name == other.name && (!axis.size || !other.size || sharding::overlap(axis, other)))
        return emitError() << "axis \"" << axis.name << "\" occurs twice in the sharding";
    seen.push_back(axis);
    return success();
  };
  for (const DimSharding &dim : getValue().dims)
    for (const AxisRef &axis : dim)
      if (failed(add(axis)))
        return failure();
  for (const sharding::PartialAxis &partial : getValue().partial)
    if (failed(add(partial.axis)))
      return failure();
  return success();
}

Attribute PlacementAttr::parse(AsmParser &parser, Type) {
  sharding::Placement placement;
  auto parseOne = [&]() -> ParseResult {
    std::string factor;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeywordOrString(&factor) || parser.parseEqual())
      return failure();
    auto [it, inserted] = placement.try_emplace(factor);
    if (!inserted)
      return parser.emitError(loc, "factor '" + factor + "' occurs twice");
    return parseAxes(parser, it->second, AsmParser::Delimiter::Square);
  };
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseOne) ||
      parser.parseGreater())
    return {};
  return PlacementAttr::get(parser.getContext(), placement);
}

void PlacementAttr::print(AsmPrinter &printer) const {
  printer << "<{";
  llvm::interleaveComma(getValue(), printer, [&](const auto &entry) {
    printer.printKeywordOrString(entry.first);
    printer << " = [";
    printAxes(printer, entry.second);
    printer << "]";
  });
  printer << "}>";
}

Attribute AxesAttr::parse(AsmParser &parser, Type) {
  DimSharding axes;
  if (parser.parseLess() || parseAxes(parser, axes, AsmParser::Delimiter::Square) || parser.parseGreater())
    return {};
  return AxesAttr::get(parser.getContext(), axes);
}

void AxesAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  printAxes(printer, getValue());
  printer << "]>";
}

//===----------------------------------------------------------------------===//
// Plain structs
//===----------------------------------------------------------------------===//

MeshAttr dist::getMesh(Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto mesh = op->getAttrOfType<MeshAttr>(DistDialect::getMeshAttrName()))
      return mesh;
  return {};
}

AxisRef dist::resolve(const sharding::Mesh &mesh, AxisRef axis) {
  if (!axis.size)
    axis.size = mesh.size(axis.name);
  for (int64_t &coordinate : axis.subset)
    if (coordinate < 0)
      coordinate += axis.size;
  llvm::sort(axis.subset);
  return axis;
}

DimSharding dist::resolve(const sharding::Mesh &mesh, DimSharding axes) {
  for (AxisRef &axis : axes)
    axis = resolve(mesh, axis);
  return axes;
}

sharding::TensorSharding dist::resolve(const sharding::Mesh &mesh, ShardingAttr attr) {
  sharding::TensorSharding sharding = attr.getValue();
  for (DimSharding &dim : sharding.dims)
    dim = resolve(mesh, std::move(dim));
  for (sharding::PartialAxis &partial : sharding.partial)
    partial.axis = resolve(mesh, partial.axis);
  return sharding;
}

sharding::Placement dist::resolve(const sharding::Mesh &mesh, PlacementAttr attr) {
  sharding::Placement placement = attr.getValue();
  for (auto &[factor, axes] : placement)
    axes = resolve(mesh, std::move(axes));
  return placement;
}

/// The size of a whole axis is left to the mesh, and so is which coordinate is the last.
static void unresolve(const sharding::Mesh &mesh, AxisRef &axis) {
  if (!axis.subset.empty() && axis.subset.back() == axis.size - 1)
    axis.subset.back() = -1;
  if (axis.preSize == 1 && axis.size == mesh.size(axis.name))
    axis.size = 0;
}

ShardingAttr dist::makeSharding(MLIRContext *context, const sharding::Mesh &mesh, sharding::TensorSharding sharding) {
  for (DimSharding &dim : sharding.dims)
    for (AxisRef &axis : dim)
      unresolve(mesh, axis);
  for (sharding::PartialAxis &partial : sharding.partial)
    unresolve(mesh, partial.axis);
  return ShardingAttr::get(context, sharding);
}

PlacementAttr dist::makePlacement(MLIRContext *context, const sharding::Mesh &mesh, sharding::Placement placement) {
  for (auto &[factor, axes] : placement)
    for (AxisRef &axis : axes)
      unresolve(mesh, axis);
  return PlacementAttr::get(context, placement);
}

AxesAttr dist::makeAxes(MLIRContext *context, const sharding::Mesh &mesh, DimSharding axes) {
  for (AxisRef &axis : axes)
    unresolve(mesh, axis);
  return AxesAttr::get(context, axes);
}

sharding::ReduceKind dist::toPlain(ReduceKind kind) { return static_cast<sharding::ReduceKind>(kind); }
ReduceKind dist::fromPlain(sharding::ReduceKind kind) { return static_cast<ReduceKind>(kind); }

//===----------------------------------------------------------------------===//
// Sharded types
//===----------------------------------------------------------------------===//

ShardingAttr dist::getSharding(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<ShardingAttr>(tensor.getEncoding()) : ShardingAttr();
}

sharding::TensorSharding dist::getSharding(const sharding::Mesh &mesh, RankedTensorType type) {
  if (ShardingAttr attr = getSharding(type))
    return resolve(mesh, attr);
  return sharding::TensorSharding::replicated(type.getRank());
}

RankedTensorType dist::withSharding(RankedTensorType type, ShardingAttr sharding) {
  return RankedTensorType::get(type.getShape(), type.getElementType(), sharding);
}

RankedTensorType dist::withSharding(RankedTensorType type, const sharding::Mesh &mesh,
                                    const sharding::TensorSharding &sharding) {
  return withSharding(type, makeSharding(type.getContext(), mesh, sharding));
}
