//===- Pins.cpp - shardings of parameters that the user demands ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads pins from command lines and pass options.
//
//===----------------------------------------------------------------------===//

#include "Pins.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;
using namespace modelpar;
using namespace modelpar::dist;

/// `tp` or `tp:(1)2`.
static bool parseAxis(StringRef text, sharding::AxisRef &axis) {
  auto [name, part] = text.trim().split(':');
  axis.name = name.trim().trim('"').str();
  if (axis.name.empty() ||
      !all_of(axis.name, [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; }))
    return false;
  part = part.trim();
  if (part.empty())
    return text.find(':') == StringRef::npos;
  return part.consume_front("(") && !part.consumeInteger(10, axis.preSize) && part.consume_front(")") &&
         !part.consumeInteger(10, axis.size) && part.empty() && axis.preSize >= 1 && axis.size >= 1;
}

static bool parseDim(StringRef text, sharding::DimSharding &dim) {
  text = text.trim();
  if (text == "-")
    return true;
  bool braces = text.consume_front("{");
  if (braces != text.consume_back("}"))
    return false;
  if (braces && text.trim().empty())
    return true;
  SmallVector<StringRef> axes;
  text.split(axes, ',');
  return (braces || axes.size() == 1) &&
         all_of(axes, [&](StringRef axis) { return parseAxis(axis, dim.emplace_back()); });
}

std::optional<Pin> dist::parsePin(StringRef text, std::string &error) {
  auto fail = [&](const std::string &what) {
    error = "pin '" + text.str() + "': " + what;
    return std::nullopt;
  };
  // The sharding begins at the last ":[": a pattern may have brackets and colons of its own.
  size_t colon = text.rfind(":[");
  if (colon == StringRef::npos || !text.trim().ends_with("]"))
    return fail("expected PATTERN:[SHARDING], e.g. 'h.*.mlp.c_fc.weight:[-,tp]'");
  StringRef body = text.drop_front(colon + 2).rtrim().drop_back();
  Expected<GlobPattern> pattern = GlobPattern::create(text.take_front(colon).trim());
  if (!pattern)
    return fail("pattern: " + toString(pattern.takeError()));

  Pin pin{text.str(), std::move(*pattern), {}};
  if (body.trim().empty())
    return pin;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= body.size(); ++i) {
    char c = i < body.size() ? body[i] : ',';
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (c != ',' || (depth && i < body.size()))
      continue;
    if (!parseDim(body.slice(begin, i), pin.dims.emplace_back()))
      return fail("dimension " + std::to_string(pin.dims.size() - 1) +
                  ": expected '-', an axis or '{axis, ...}', found '" + body.slice(begin, i).trim().str() + "'");
    begin = i + 1;
  }
  return pin;
}
