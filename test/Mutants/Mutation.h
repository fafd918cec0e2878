//===- Mutation.h - small changes of an input -------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mutant is an input with one change or a few, of the kind that a hand or a broken disk makes. What is changed
// follows from the random numbers alone, so a seed and a number name a mutant for ever.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_MUTATION_H
#define MODELPAR_TEST_MUTANTS_MUTATION_H

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace modelpar::test {

/// Numbers that are the same on every machine (the distributions of <random> are not).
class Random {
public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// From 0 to `count` - 1.
  size_t below(size_t count) { return static_cast<size_t>(engine_() % count); }
  bool oneIn(size_t count) { return below(count) == 0; }
  uint64_t next() { return engine_(); }

private:
  std::mt19937_64 engine_;
};

enum class Language { Json, Mlir };

/// Changes numbers, names, types, elements of lists and lines, at one place or wherever the same text stands; now and
/// then cuts the text or flips a bit. Returns what was done.
std::string mutateText(std::string &text, Language language, Random &random);

/// Flips, overwrites, inserts and removes bytes, or cuts the end off. Returns what was done.
std::string mutateBytes(std::string &bytes, Random &random);

/// Changes what a tensor of a plan is partial over, or a collective: its axes, kind, op or dimension. Returns what was
/// done; nothing when nothing changes.
std::string mutateSums(std::string &plan, Random &random);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_MUTATION_H
