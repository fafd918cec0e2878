//===- ClassAxes.h - which axes a factor class has so far -*- C++ -*- ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_DIALECT_DIST_TRANSFORMS_CLASSAXES_H
#define MODELPAR_DIALECT_DIST_TRANSFORMS_CLASSAXES_H

#include "FactorClasses.h"

namespace modelpar::dist {

/// Origin of the classes of the batch.
inline constexpr llvm::StringLiteral kBatchOrigin = "the batch";

/// The placement while it is decided: axes by factor class, and what decided them.
struct ClassAxes {
  explicit ClassAxes(const FactorClasses &classes)
      : classes(classes), axes(classes.numClasses()), origins(classes.numClasses()) {}

  /// Why the class cannot keep its axes beside what other classes have; empty when it can.
  std::string whyConflict(int id) const;

  const FactorClasses &classes;
  std::vector<sharding::DimSharding> axes;
  std::vector<std::string> origins; ///< kBatchOrigin, a pin. Empty: nothing has decided the class.
};

} // namespace modelpar::dist

#endif // MODELPAR_DIALECT_DIST_TRANSFORMS_CLASSAXES_H
