//===- Trial.h - what the tools do with a mutant ----------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modelpar-opt and modelpar-run without their processes: hundreds a second instead of ten.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_TRIAL_H
#define MODELPAR_TEST_MUTANTS_TRIAL_H

#include "Originals.h"

namespace modelpar::test {

/// What modelpar-opt with these arguments makes of a text; the first argument is its file name.
struct Compiled {
  bool ok = false;
  std::vector<std::string> errors;
  std::string output; ///< The plan's text, or the module.
};
Compiled compileText(const std::vector<std::string> &arguments, const std::string &text);

struct Verdict {
  enum class Kind {
    Accepted, ///< Exit code 0.
    Refused,  ///< Exit code 1 or 75, with a message.
    Silent,   ///< Refused without a message.
    Contract, ///< Exit code 2: a plan that passed the verifier broke a kernel's or the executor's contract.
    Crashed,  ///< A signal, an abort, or a sanitizer's report.
    Hung      ///< No end in the time that nothing should take.
  };
  Kind kind = Kind::Accepted;
  std::string message;
  bool isFinding() const { return kind >= Kind::Silent; }
};
std::string_view name(Verdict::Kind kind);

/// Compiles the mutant, or runs one step with it. What compiles is run too, when it is small. Files go to `folder`.
Verdict tryMutant(const Original &original, const std::string &mutant, const std::string &folder);

/// The shell commands that do the same, for a mutant (and its plan) in `folder`.
std::string commandsFor(const Original &original, const std::string &folder);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_TRIAL_H
