//===- Originals.h - the inputs that mutants are made of --------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One of each sort of file that the two tools read: small models under plans with every axis, what each phase prints
// for them, their plans, and what a run reads.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_ORIGINALS_H
#define MODELPAR_TEST_MUTANTS_ORIGINALS_H

#include "Mutation.h"

#include <vector>

namespace modelpar::test {

/// What stands for the mutant's file in the arguments of a command.
inline constexpr std::string_view kFile = "MUTANT";
/// An argument of modelpar-run beside the one with the file.
inline constexpr std::string_view kDataFormat = "--data-format=";

struct Original {
  enum class Form {
    Json,        ///< Of modelpar-opt.
    Mlir,        ///< A module of some phase.
    Plan,        ///< JSON behind a line with its hash.
    Safetensors, ///< JSON behind its length, then bytes.
    Bytes
  };
  std::string kind;     ///< As --kinds names it.
  std::string name;     ///< Of the model and the plan.
  std::string fileName; ///< Tells formats apart that the name ends in.
  Form form = Form::Json;
  std::string text;
  /// What reads it: arguments of modelpar-opt, or of modelpar-run where `plan` says of which plan.
  std::vector<std::string> arguments;
  std::string plan; ///< Text of the plan that reads this data or these weights.
};

/// The kinds of inputs, in the order of the phases.
const std::vector<std::string> &kinds();

/// All originals of these kinds. `folder` takes files that making them needs. Empty with `error` when one cannot be
/// made.
std::vector<Original> makeOriginals(const std::vector<std::string> &kinds, const std::string &folder,
                                    std::string &error);

/// The original as a mutant without a change, which has to be accepted: else mutants are refused for what surrounds
/// their change, and show nothing.
std::string unchanged(const Original &original);

/// Changes the original. What its form demands (the hash of a plan) is mostly put right again, so that the change is
/// read at all. Returns the mutant and what was done.
std::pair<std::string, std::string> mutate(const Original &original, Random &random);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_ORIGINALS_H
