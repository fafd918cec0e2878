//===- DistDialect.cpp - the dist dialect ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration, and the names that shardings get when a module is printed.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/Dist/IR/Dist.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;

#include "modelpar/Dialect/Dist/IR/DistDialect.cpp.inc"
#include "modelpar/Dialect/Dist/IR/DistEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "modelpar/Dialect/Dist/IR/DistAttrs.cpp.inc"

namespace {

/// A name that says what the sharding is: `#dp_mb__r__tp` is [{"dp", "mb"}, {}, {"tp"}], `#r__sum_tp` is [{}],
/// partial={"tp":sum}. Aliases may not end in a digit.
struct ShardingAlias : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  static void append(std::string &name, const sharding::AxisRef &axis) {
    for (char c : axis.name)
      name += llvm::isAlnum(c) ? c : '_';
    if (axis.size)
      name += "_" + std::to_string(axis.preSize) + "of" + std::to_string(axis.size);
    if (axis.balanced)
      name += "_balanced";
    if (axis.shift)
      name += "_shift" + std::to_string(axis.shift);
    for (int64_t coordinate : axis.subset)
      name += coordinate < 0 ? "_last" : "_at" + std::to_string(coordinate);
  }

  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    auto sharding = dyn_cast<ShardingAttr>(attr);
    if (!sharding)
      return AliasResult::NoAlias;
    std::string name;
    auto separate = [&](const char *separator) { name += name.empty() ? "" : separator; };
    for (const sharding::DimSharding &dim : sharding.getValue().dims) {
      separate("__");
      if (dim.empty())
        name += "r";
      for (size_t i = 0; i < dim.size(); ++i) {
        name += i ? "_" : "";
        append(name, dim[i]);
      }
    }
    for (const sharding::PartialAxis &partial : sharding.getValue().partial) {
      separate("__");
      name += std::string(sharding::name(partial.kind)) + "_";
      append(name, partial.axis);
    }
    if (name.empty())
      name = "scalar";
    if (!llvm::isAlpha(name.front()))
      name = "s" + name;
    if (llvm::isDigit(name.back()))
      name += "_";
    os << name;
    return AliasResult::FinalAlias;
  }
};

} // namespace

void DistDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "modelpar/Dialect/Dist/IR/DistAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "modelpar/Dialect/Dist/IR/DistOps.cpp.inc"
      >();
  addInterfaces<ShardingAlias>();
}
