//===- PassDriver.h - modelpar-opt as an mlir-opt -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TOOLS_OPT_PASSDRIVER_H
#define MODELPAR_TOOLS_OPT_PASSDRIVER_H

/// Runs the passes that the command line names, with mlir-opt's options; returns the exit code.
int runPasses(int argc, char **argv);

#endif // MODELPAR_TOOLS_OPT_PASSDRIVER_H
