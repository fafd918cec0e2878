//===- Trial.cpp - what the tools do with a mutant ------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trial.h"

#include "runtime/training/Trainer.h"
#include "tools/modelpar-opt/Options.h"

#include <fstream>
#include <optional>

using namespace modelpar;
using namespace modelpar::test;

/// What may be run: a mutant with large numbers may rightly need hours and gigabytes.
static constexpr int64_t kMaxRanks = 16, kMaxArenaBytes = int64_t{64} << 20, kMaxMicroBatches = 64;
static constexpr double kMaxFlops = 1e9;

std::string_view modelpar::test::name(Verdict::Kind kind) {
  constexpr std::string_view names[] = {"accepted", "refused", "silent", "contract", "crashed", "hung"};
  return names[static_cast<size_t>(kind)];
}

/// The arguments as a command line of modelpar-opt.
static std::optional<Options> parse(const std::vector<std::string> &arguments) {
  std::vector<char *> argv{const_cast<char *>("modelpar-opt")};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  int exitCode = 0;
  return parseOptions(static_cast<int>(argv.size()), argv.data(), exitCode);
}

Compiled modelpar::test::compileText(const std::vector<std::string> &arguments, const std::string &text) {
  std::optional<Options> options = parse(arguments);
  if (!options)
    return {false, {"bad options"}, ""};
  pipelines::CompileResult result = pipelines::compile(text, options->compile);
  return {result.ok, result.errors, options->compile.compileTo == pipelines::Phase::Plan ? result.planText : result.ir};
}

static Verdict refused(const std::string &message) {
  return {message.empty() ? Verdict::Kind::Silent : Verdict::Kind::Refused, message};
}

static Verdict runPlan(const runtime::TrainerOptions &options) {
  const runtime::Status status = runtime::train(options);
  if (status.ok())
    return {};
  const bool internal = status.code() == runtime::StatusCode::Internal || status.code() == runtime::StatusCode::Aborted;
  return internal ? Verdict{Verdict::Kind::Contract, status.message()} : refused(status.message());
}

static runtime::TrainerOptions runOptions(const std::string &plan) {
  runtime::TrainerOptions options;
  options.planPath = plan;
  options.steps = 1;
  options.threadsPerRank = 1;
  options.timeoutSeconds = 10;
  options.onStuck = [](const runtime::Status &status) {
    std::fprintf(stderr, "a rank is stuck: %s\n", status.message().c_str());
    std::_Exit(2);
  };
  return options;
}

static double flopsOf(const planformat::Body &body) {
  double flops = 0;
  for (const planformat::Instruction &i : body.instructions)
    if (auto found = i.attributes.find("flops"); found != i.attributes.end())
      if (const double *count = std::get_if<double>(&found->second))
        flops += *count;
  return flops;
}

static bool isSmall(const planformat::Plan &plan) {
  double flops = 0;
  for (const planformat::Body &block : plan.blocks)
    flops += flopsOf(block) * 100; // Calls are not counted.
  for (const planformat::Stage &stage : plan.stages)
    if (stage.arenaBytes > kMaxArenaBytes)
      return false;
  return plan.mesh.numRanks() <= kMaxRanks && plan.mesh.numMicroBatches() <= kMaxMicroBatches && flops < kMaxFlops;
}

static std::vector<std::string> withFile(std::vector<std::string> arguments, const std::string &file) {
  for (std::string &argument : arguments)
    if (size_t at = argument.find(kFile); at != std::string::npos)
      argument.replace(at, kFile.size(), file);
  return arguments;
}

static Verdict compileMutant(const Original &original, const std::string &mutant, const std::string &file) {
  std::optional<Options> options = parse(withFile(original.arguments, file));
  if (!options)
    return {Verdict::Kind::Contract, "the harness gives options that modelpar-opt refuses"};
  std::string text = mutant;
  if (options->compile.modelFile != file) { // The mutant is the cluster.
    std::ifstream model(options->compile.modelFile, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(model), {});
  }
  const pipelines::CompileResult result = pipelines::compile(text, options->compile);
  if (!result.ok) {
    for (const std::string &error : result.errors)
      if (error.empty())
        return refused("");
    return refused(result.errors.empty() ? "" : result.errors[0]);
  }
  if (result.plan.deviceKind != "cpu" || !isSmall(result.plan))
    return {};
  const std::string plan = file + ".plan";
  std::ofstream(plan, std::ios::binary) << result.planText;
  return runPlan(runOptions(plan));
}

Verdict modelpar::test::tryMutant(const Original &original, const std::string &mutant, const std::string &folder) {
  const std::string file = folder + "/" + original.fileName;
  std::ofstream(file, std::ios::binary) << mutant;
  if (original.form == Original::Form::Plan)
    return runPlan(runOptions(file));
  if (original.plan.empty())
    return compileMutant(original, mutant, file);
  const std::string plan = folder + "/reader.plan";
  std::ofstream(plan, std::ios::binary) << original.plan;
  runtime::TrainerOptions options = runOptions(plan);
  (original.kind == "weights" ? options.initPath : options.data.path) = file;
  for (std::string_view argument : original.arguments)
    if (argument.starts_with(kDataFormat))
      runtime::parseDataFormat(argument.substr(kDataFormat.size()), options.data.format);
  return runPlan(options);
}

std::string modelpar::test::commandsFor(const Original &original, const std::string &folder) {
  const std::string file = folder + "/" + original.fileName, run = "build/bin/modelpar-run ";
  const std::string flags = " --steps=1 --threads-per-rank=1 --timeout=10";
  if (original.form == Original::Form::Plan)
    return run + file + flags + "\n";
  std::string arguments;
  for (const std::string &argument : withFile(original.arguments, file))
    arguments += " " + argument;
  if (!original.plan.empty())
    return run + folder + "/reader.plan" + arguments + flags + "\n";
  return "build/bin/modelpar-opt" + arguments + " -o " + file + ".plan && " + run + file + ".plan" + flags + "\n";
}
