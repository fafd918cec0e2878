//===- Compile.h - from a model's text to a plan --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler as a library: what modelpar-opt does between its command line and its output files.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_COMPILE_H
#define MODELPAR_PIPELINES_COMPILE_H

#include "modelpar/Pipelines/Phases.h"
#include "modelpar/PlanFormat/Plan.h"

#include <string>
#include <vector>

namespace modelpar::pipelines {

/// The options of modelpar-opt (DESIGN: Commands); an empty optional was not given: the default named here, what the
/// module of a resumed file says, or what the compiler chooses.
struct CompileOptions {
  std::string modelFile;              ///< For messages, and to tell .json from .mlir.
  std::optional<std::string> cluster; ///< "local:N" or a file; default: what a resumed module says, or local:1.
  std::optional<int64_t> nodes;
  std::optional<int64_t> globalBatch;   ///< Default 8.
  std::optional<int64_t> sequence;      ///< Default: the model's own.
  std::optional<std::string> dtype;     ///< Default f32.
  std::optional<std::string> optimizer; ///< Default adamw.
  std::optional<bool> dropout;          ///< --dropout=config|off; default config.
  std::optional<int64_t> tp, dp, pp, cp, ep, microBatch;
  std::optional<bool> sequenceParallel; ///< --sp=on|off; default off.
  std::optional<std::string> schedule;  ///< gpipe or 1f1b (default).
  std::vector<std::string> pins;
  std::optional<std::string> gradSync; ///< Default all_reduce.
  std::optional<Phase> compileFrom;
  Phase compileTo = Phase::Plan;
  std::string dumpPhasesTo;         ///< Folder, or empty.
  std::string command;              ///< Kept in the plan.
  bool verify = true;               ///< Verifiers after each phase; only tests switch them off.
  bool verifyPlan = true;           ///< The plan verifier; likewise.
  bool trace = false;               ///< Whether `CompileResult::trace` is wanted.
  std::string passesAfterPartition; ///< A textual pass pipeline that tests run on the partitioned module.
};

struct CompileResult {
  bool ok = false;
  std::vector<std::string> errors; ///< One message each, without the tool's name.
  std::vector<std::string> warnings, remarks;
  std::string ir;        ///< The module at `compileTo`, when that is not Plan.
  planformat::Plan plan; ///< When compileTo is Plan.
  std::string planText;  ///< The plan file's bytes.
  std::string summary;   ///< The --summary object.
  std::string trace;     ///< The predicted timeline of --trace.
};

/// The files that --dump-phases-to will write.
std::vector<std::string> dumpedFiles(const CompileOptions &options);

/// Compiles `modelText`. Never throws, never exits.
CompileResult compile(const std::string &modelText, const CompileOptions &options);

/// The --explain text: mesh, ranks, memory by part, communication by axis, how each parameter is sharded.
std::string explain(const planformat::Plan &plan);

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_COMPILE_H
