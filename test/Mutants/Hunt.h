//===- Hunt.h - many mutants, each able to die alone ------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mutants are tried in a child process, one after the other. When it dies or does not end, that is the current mutant's
// verdict, and another child goes on with the next.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_HUNT_H
#define MODELPAR_TEST_MUTANTS_HUNT_H

#include "Trial.h"

#include <functional>
#include <optional>

namespace modelpar::test {

struct HuntOptions {
  std::string folder;                     ///< Scratch files, and what a dying child says.
  double hangSeconds = 60;                ///< A guard, far above what any mutant takes.
  int64_t memoryBytes = int64_t{4} << 30; ///< Of the child's address space; 0: no limit (sanitizers need more).
  size_t perChild = 250; ///< A child is replaced after so many: what leaks is not held against a later mutant.
};

/// Calls `attempt(i)` for each of `count` numbers in children, and `report(i, verdict)` here, in order.
void hunt(size_t count, const HuntOptions &options, const std::function<Verdict(size_t)> &attempt,
          const std::function<void(size_t, const Verdict &)> &report);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_HUNT_H
