//===- NamePatterns.h - many names in few lines ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_NAMEPATTERNS_H
#define MODELPAR_PIPELINES_NAMEPATTERNS_H

#include <cstddef>
#include <string>
#include <vector>

namespace modelpar::pipelines {

struct NamedProperty {
  std::string name;
  std::string property; ///< Names are joined only where this agrees.
};

struct NamePattern {
  std::string pattern; ///< `layers.{0..2,7}.expert_{0,1}.weight`: each choice of numbers is one of the names.
  std::string property;
  size_t count = 0; ///< Names that it stands for.
};

/// Names that differ in numbers alone become patterns, in the order of the first name of each. Every name is in exactly
/// one pattern, and a pattern stands for no other name. A number with leading zeros is text.
std::vector<NamePattern> condenseNames(const std::vector<NamedProperty> &names);

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_NAMEPATTERNS_H
