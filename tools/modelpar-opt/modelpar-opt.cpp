//===- modelpar-opt.cpp - the compiler's command --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two ways in: a model and a cluster lead to a plan; a .mlir file and pass names work as in mlir-opt.
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "PassDriver.h"

#include "modelpar/Files/FileUse.h"
#include "modelpar/Files/OutputFiles.h"
#include "modelpar/Files/StandardStreams.h"

#include <iostream>

using namespace modelpar;
using namespace modelpar::pipelines;

/// Messages first: the one output that standard output takes is not to be mixed with them.
static bool explainsOnStandardError(const Options &options) {
  return files::isStandardOutput(options.output) || files::isStandardOutput(options.summary) ||
         files::isStandardOutput(options.trace);
}

static bool checkFiles(const Options &options, std::string &error) {
  using Kind = files::FileUse::Kind;
  const CompileOptions &c = options.compile;
  std::vector<files::FileUse> uses = {{"the model", c.modelFile, Kind::Input}};
  if (c.cluster && !c.cluster->starts_with("local:"))
    uses.push_back({"--cluster", *c.cluster, Kind::Input});
  if (!options.output.empty())
    uses.push_back({"-o", options.output, Kind::Stream});
  if (!options.summary.empty())
    uses.push_back({"--summary", options.summary, Kind::Stream});
  if (!options.trace.empty())
    uses.push_back({"--trace", options.trace, Kind::Stream});
  if (options.explain && !explainsOnStandardError(options))
    uses.push_back({"--explain", "-", Kind::Stream});
  if (!c.dumpPhasesTo.empty())
    uses.push_back({"--dump-phases-to", c.dumpPhasesTo, Kind::Directory});
  for (const std::string &path : dumpedFiles(c))
    uses.push_back({"--dump-phases-to", path, Kind::Stream});
  uses.push_back({"standard error", "", Kind::StandardError});
  return files::checkFiles(uses, error);
}

static void report(const char *kind, const std::vector<std::string> &messages) {
  for (const std::string &message : messages)
    std::cerr << files::printable(std::string("modelpar-opt: ") + kind + ": " + message) << "\n";
}

static int compileModel(const Options &options) {
  std::string text, error;
  if (!checkFiles(options, error) || !files::readFile(options.compile.modelFile, text, error))
    return fail(error);

  CompileResult result = compile(text, options.compile);
  report("warning", result.warnings);
  report("remark", result.remarks);
  // A module of another phase is wrong in every op.
  constexpr size_t kMaxErrors = 20;
  for (size_t i = 0; i < std::min(result.errors.size(), kMaxErrors); ++i)
    fail(result.errors[i]);
  if (result.errors.size() > kMaxErrors)
    std::cerr << "modelpar-opt: and " << result.errors.size() - kMaxErrors << " errors more\n";
  if (!result.ok)
    return 1;

  const bool plan = options.compile.compileTo == Phase::Plan;
  const std::string explanation = options.explain ? explain(result.plan) : "";
  files::OutputFiles outputs;
  if (explainsOnStandardError(options))
    outputs.addStandardError(explanation);
  else if (!outputs.add("-", explanation, error))
    return fail(error);
  if ((!options.output.empty() && !outputs.add(options.output, plan ? result.planText : result.ir, error)) ||
      (!options.summary.empty() && !outputs.add(options.summary, result.summary, error)) ||
      (!options.trace.empty() && !outputs.add(options.trace, result.trace, error)) || !outputs.commit(error))
    return fail(error);
  return 0;
}

static int run(int argc, char **argv) {
  if (wantsPasses(argc, argv))
    return runPasses(argc, argv);
  int exitCode = 0;
  std::optional<Options> options = parseOptions(argc, argv, exitCode);
  if (!options)
    return exitCode;
  if (options->output.empty() && options->compile.compileTo != Phase::Plan)
    options->output = "-";
  return compileModel(*options);
}

int main(int argc, char **argv) {
  files::openStandardStreams();
  return files::closeStandardStreams("modelpar-opt", run(argc, argv));
}
