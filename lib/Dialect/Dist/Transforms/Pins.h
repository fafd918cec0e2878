//===- Pins.h - shardings of parameters that the user demands -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text of a pin, `PATTERN:SHARDING`: a glob over parameter names, and per dimension
// `-` (whole), an axis, a part of one (`tp:(1)2`), or several (`{dp, tp}`).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_PINS_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_PINS_H

#include "modelpar/Sharding/TensorSharding.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/GlobPattern.h"

#include <optional>
#include <string>
#include <vector>

namespace modelpar::dist {

struct Pin {
  std::string text; ///< As given, for messages.
  llvm::GlobPattern pattern;
  std::vector<sharding::DimSharding> dims; ///< Whole axes have size 0.
};

/// Reads a pin; on nothing, `error` says what was expected where.
std::optional<Pin> parsePin(llvm::StringRef text, std::string &error);

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_PINS_H
