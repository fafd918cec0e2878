//===- Options.h - the command line of modelpar-opt -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TOOLS_OPT_OPTIONS_H
#define MODELPAR_TOOLS_OPT_OPTIONS_H

#include "modelpar/Pipelines/Compile.h"

#include <optional>

struct Options {
  modelpar::pipelines::CompileOptions compile;
  std::string output;  ///< -o: a file, "-" for standard output, or empty.
  std::string summary; ///< --summary: a file, or empty.
  std::string trace;   ///< --trace: a file, or empty.
  bool explain = false;
};

/// Whether this is a command line of mlir-opt: a .mlir file or standard input, or an option of the pass manager, and no
/// option that only a compilation has, nor -o NAME.plan.
bool wantsPasses(int argc, char **argv);

/// Prints the error; returns the exit code.
int fail(const std::string &message);

/// Parses the command line of a compilation. Nothing: the process should end with `exitCode` (help was printed, or an
/// error).
std::optional<Options> parseOptions(int argc, char **argv, int &exitCode);

#endif // MODELPAR_TOOLS_OPT_OPTIONS_H
