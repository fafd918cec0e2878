//===- Options.cpp - the command line of modelpar-opt ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include <CLI/CLI.hpp>

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

/// Options that are more than their text.
struct Texts {
  std::string dropout, sequenceParallel, from, to = "plan";
};

} // namespace

static void addOptions(CLI::App &app, Options &options, Texts &texts) {
  CompileOptions &c = options.compile;
  std::vector<std::string> phases;
  for (Phase phase : kPhases)
    phases.emplace_back(name(phase));
  const auto positive = CLI::Range(int64_t{1}, int64_t{1} << 40);
  app.add_option("MODEL", c.modelFile, "model.json, config.json, or a .mlir file of the phase named by --compile-from")
      ->required();
  app.add_option("-o,--output", options.output,
                 "where the plan (or with --compile-to the module) goes; - is standard output");
  app.add_option("--cluster", c.cluster,
                 "cluster description, or local:N for N ranks on this machine (default: local:1)");
  app.add_option("--nodes", c.nodes, "number of nodes; overrides the cluster file")->check(positive);
  app.add_option("--global-batch", c.globalBatch, "sequences (samples) per step over all ranks (default: 8)")
      ->check(positive);
  app.add_option("--seq", c.sequence, "sequence length (default: the model's maximum)")->check(positive);
  app.add_option("--dtype", c.dtype, "compute type: f32 (default)");
  app.add_option("--optimizer", c.optimizer, "adamw (default) or sgd")->check(CLI::IsMember({"adamw", "sgd"}));
  app.add_option("--dropout", texts.dropout, "config (default): as the model says; off")
      ->check(CLI::IsMember({"config", "off"}));
  app.add_option("--tp,--tensor-model-parallel-size", c.tp, "tensor parallelism (left out: chosen)")->check(positive);
  app.add_option("--dp", c.dp, "data parallelism (left out: chosen)")->check(positive);
  app.add_option("--sp", texts.sequenceParallel,
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
  app.add_option("--compile-to", texts.to, "stop after this phase and print the module")
      ->check(CLI::IsMember(phases))
      ->capture_default_str();
  app.add_option("--compile-from", texts.from, "MODEL is a module of this phase")->check(CLI::IsMember(phases));
  app.add_option("--dump-phases-to", c.dumpPhasesTo, "folder for N.phase.mlir of every phase");
  app.add_option("--summary", options.summary, "write the summary (JSON) to this file; - is standard output");
  app.add_flag("--explain", options.explain, "print the mesh, memory and communication of the plan");
}

bool isCompileOption(const std::string &argument) {
  Options options;
  Texts texts;
  CLI::App app;
  app.set_help_flag();
  addOptions(app, options, texts);
  const CLI::Option *option =
      argument.starts_with("-") ? app.get_option_no_throw(argument.substr(0, argument.find('='))) : nullptr;
  return option && !option->check_lname("output");
}

std::optional<Options> parseOptions(int argc, char **argv, int &exitCode) {
  Options options;
  Texts texts;
  CLI::App app{"Compiles a model (JSON graph or Hugging Face config.json) for a cluster into a plan that modelpar-run "
               "executes. With "
               "pass names (-nn-differentiate ...) and a .mlir file it works like mlir-opt."};
  app.name("modelpar-opt");
  addOptions(app, options, texts);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &help) {
    exitCode = app.exit(help);
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    std::cerr << "modelpar-opt: error: " << error.what() << "\n";
    exitCode = 1;
    return std::nullopt;
  }
  CompileOptions &c = options.compile;
  if (!texts.dropout.empty())
    c.dropout = texts.dropout == "config";
  if (!texts.sequenceParallel.empty())
    c.sequenceParallel = texts.sequenceParallel == "on";
  c.compileTo = *parsePhase(texts.to);
  if (!texts.from.empty())
    c.compileFrom = parsePhase(texts.from);
  if (c.compileTo != Phase::Plan)
    for (auto [option, given] : {std::pair{"--summary", !options.summary.empty()}, {"--explain", options.explain}})
      if (given) {
        std::cerr << "modelpar-opt: error: " << option << ": there is no plan with --compile-to=" << texts.to
                  << ", expected --compile-to=plan\n";
        exitCode = 1;
        return std::nullopt;
      }
  c.command = commandLine(argc, argv);
  return options;
}
