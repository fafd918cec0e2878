//===- Options.cpp - the command line of modelpar-opt ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "modelpar/Files/StandardStreams.h"

#include <CLI/CLI.hpp>

using namespace modelpar;
using namespace modelpar::pipelines;

/// An option whose only supported value so far is what it would be anyway: other values are refused by name, not
/// ignored.
static void addFixed(CLI::App &app, const std::string &flag, const std::string &supported, const std::string &help) {
  app.add_option_function<std::string>(
      flag,
      [flag, supported](const std::string &value) {
        if (value != supported)
          throw CLI::ValidationError(flag + "=" + value, "not supported yet; supported: " + supported);
      },
      help + " (so far: " + supported + ")");
}

static std::string commandLine(int argc, char **argv) {
  std::string text = "modelpar-opt";
  for (int i = 1; i < argc; ++i)
    text += std::string(" ") + argv[i];
  return text;
}

namespace {
/// Options as they are spelled, where that is not how they are kept.
struct Spelled {
  std::string dropout, sequenceParallel, from, to = "plan";
};
} // namespace

static constexpr const char *kAbout =
    "Compiles a model (JSON graph or Hugging Face config.json) for a cluster into a plan that modelpar-run executes. "
    "With pass names (-nn-differentiate ...) and a .mlir file, or - for standard input, and none of the options below "
    "but -o it works like mlir-opt.";

static void addOptions(CLI::App &app, Options &options, Spelled &spelled) {
  CompileOptions &c = options.compile;
  auto &[dropout, sequenceParallel, from, to] = spelled;
  std::vector<std::string> phases;
  for (Phase phase : kPhases)
    phases.emplace_back(name(phase));

  app.name("modelpar-opt");
  const auto positive = CLI::Range(int64_t{1}, int64_t{1} << 40);
  app.add_option("MODEL", c.modelFile, "model.json, config.json, or a .mlir file of the phase named by --compile-from")
      ->required();
  app.add_option("-o,--output", options.output,
                 "where the plan (or with --compile-to the module) goes; - is standard output, which takes one output");
  app.add_option("--cluster", c.cluster,
                 "cluster description, or local:N for N ranks on this machine (default: local:1)");
  app.add_option("--nodes", c.nodes, "number of nodes; overrides the cluster file")->check(positive);
  app.add_option("--global-batch", c.globalBatch, "sequences (samples) per step over all ranks (default: 8)")
      ->check(positive);
  app.add_option("--seq", c.sequence, "sequence length (default: the model's maximum)")->check(positive);
  app.add_option("--dtype", c.dtype, "compute type: f32 (default)");
  app.add_option("--optimizer", c.optimizer, "adamw (default) or sgd")->check(CLI::IsMember({"adamw", "sgd"}));
  app.add_option("--dropout", dropout, "config (default): as the model says; off")
      ->check(CLI::IsMember({"config", "off"}));
  app.add_option("--tp,--tensor-model-parallel-size", c.tp, "tensor parallelism (left out: chosen)")->check(positive);
  app.add_option("--dp", c.dp, "data parallelism (left out: chosen)")->check(positive);
  app.add_option("--sp", sequenceParallel,
                 "sequence parallelism: on splits the sequence over tp between the "
                 "tensor-parallel regions (default: off)")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--pp,--pipeline-model-parallel-size", c.pp, "pipeline stages (default: 1)")->check(positive);
  app.add_option("--cp,--context-parallel-size", c.cp, "context parallelism (default: 1)")->check(positive);
  app.add_option("--ep,--expert-model-parallel-size", c.ep, "expert parallelism")->check(positive);
  app.add_option("--micro-batch,--micro-batch-size", c.microBatch,
                 "sequences per micro-batch and data-parallel rank (default: a rank's share; with a pipeline chosen)")
      ->check(positive);
  app.add_option("--schedule", c.schedule, "order of micro-batches in the pipeline: gpipe or 1f1b (default)");
  app.add_option("--pin", c.pins, "PATTERN:SHARDING, e.g. 'h.*.mlp.c_fc.weight:[-,tp]' (repeatable)")->take_all();
  app.add_option("--grad-sync", c.gradSync, "how gradients are synchronised: all_reduce (default)");
  addFixed(app, "--cp-mode", "ring", "how attention sees the sequence that cp splits");
  addFixed(app, "--zero", "0", "sharding of optimizer state, gradients, parameters");
  addFixed(app, "--virtual-stages", "1", "virtual pipeline stages per rank");
  addFixed(app, "--recompute", "none", "activation recomputation");
  addFixed(app, "--attention", "flash", "attention kernel");
  addFixed(app, "--grad-reduce-dtype", "f32", "type gradients travel in");
  app.add_option("--compile-to", to, "stop after this phase and print the module")
      ->check(CLI::IsMember(phases))
      ->capture_default_str();
  app.add_option("--compile-from", from, "MODEL is a module of this phase")->check(CLI::IsMember(phases));
  app.add_option("--dump-phases-to", c.dumpPhasesTo, "folder for N.phase.mlir of every phase");
  app.add_option("--summary", options.summary, "write the summary (JSON) to this file; - is standard output");
  app.add_option("--trace", options.trace,
                 "write the predicted timeline of a step, for Perfetto, to this file; - is standard output");
  app.add_flag("--explain", options.explain,
               "print the mesh, memory and communication of the plan; to standard error when another output takes "
               "standard output");
}

bool wantsPasses(int argc, char **argv) {
  Options ignored;
  Spelled spelled;
  CLI::App app;
  addOptions(app, ignored, spelled);
  bool module = false, passes = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string name = argument.substr(0, argument.find('='));
    if (name.size() < 2 || name[0] != '-')
      module |= argument == "-" || argument.ends_with(".mlir");
    else if (name == "-o") { // Its value is no input, and only a compilation makes a plan.
      i += argument == name;
      if (i < argc && std::string_view(argv[i]).ends_with(".plan"))
        return false;
    } else if (name.starts_with("--") && name != "--help" && app.get_option_no_throw(name))
      return false;
    else
      passes |= name == "--show-dialects" || name == "--pass-pipeline";
  }
  return module || passes;
}

int fail(const std::string &message) {
  std::cerr << files::printable("modelpar-opt: error: " + message) << "\n";
  return 1;
}

/// What the parser cannot see: options that only a plan can serve.
static std::string checkPlanOptions(const Options &options, const std::string &to) {
  const char *given = options.explain            ? "--explain"
                      : !options.summary.empty() ? "--summary"
                      : !options.trace.empty()   ? "--trace"
                                                 : nullptr;
  if (options.compile.compileTo == Phase::Plan || !given)
    return "";
  return std::string(given) + " describes a plan, and --compile-to=" + to + " stops before it";
}

std::optional<Options> parseOptions(int argc, char **argv, int &exitCode) {
  Options options;
  CompileOptions &c = options.compile;
  Spelled spelled;
  auto &[dropout, sequenceParallel, from, to] = spelled;
  CLI::App app{kAbout};
  addOptions(app, options, spelled);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &help) {
    exitCode = app.exit(help);
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    exitCode = fail(error.what());
    return std::nullopt;
  }
  if (!dropout.empty())
    c.dropout = dropout == "config";
  if (!sequenceParallel.empty())
    c.sequenceParallel = sequenceParallel == "on";
  c.compileTo = *parsePhase(to);
  if (!from.empty())
    c.compileFrom = parsePhase(from);
  c.command = commandLine(argc, argv);
  c.trace = !options.trace.empty();
  if (const std::string error = checkPlanOptions(options, to); !error.empty()) {
    exitCode = fail(error);
    return std::nullopt;
  }
  return options;
}
