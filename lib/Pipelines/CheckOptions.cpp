//===- CheckOptions.cpp - options that cannot be, alone or with a module --===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckOptions.h"

#include "modelpar/Schedule/Schedule.h"

namespace modelpar::pipelines {

bool checkValues(const CompileOptions &options, std::vector<std::string> &errors) {
  const size_t before = errors.size();
  if (options.dtype && options.dtype != "f32" && options.dtype != "f64")
    errors.push_back("--dtype=" + *options.dtype + " is not supported yet; supported: f32");
  if (options.optimizer && options.optimizer != "adamw" && options.optimizer != "sgd")
    errors.push_back("--optimizer=" + *options.optimizer + ": expected adamw or sgd");
  if (options.schedule && !schedule::parseKind(*options.schedule))
    errors.push_back("--schedule=" + *options.schedule + " is not supported yet; supported: gpipe, 1f1b");
  if (options.gradSync != "all_reduce")
    errors.push_back("--grad-sync=" + options.gradSync + " is not supported yet; supported: all_reduce");
  if (options.globalBatch.value_or(1) < 1)
    errors.push_back("--global-batch=" + std::to_string(*options.globalBatch) + ": expected at least 1");
  return errors.size() == before;
}

bool checkAgainstModule(const CompileOptions &options, Phase phase, std::vector<std::string> &errors) {
  struct Option {
    const char *flag;
    bool given;
  };
  const size_t before = errors.size();
  // The importer's: every module has them in its types and attributes.
  for (const Option &option : {Option{"--global-batch", options.globalBatch.has_value()},
                               {"--seq", options.sequence.has_value()},
                               {"--dtype", options.dtype.has_value()},
                               {"--optimizer", options.optimizer.has_value()},
                               {"--dropout", options.dropout.has_value()}})
    if (option.given)
      errors.push_back(std::string(option.flag) + ": " + options.modelFile +
                       " is a module, which has this already; expected a model (JSON graph or config.json)");
  if (phase < Phase::Sharded)
    return errors.size() == before;
  for (const Option &option : {Option{"--tp", options.tp.has_value()},
                               {"--dp", options.dp.has_value()},
                               {"--pp", options.pp.has_value()},
                               {"--cp", options.cp.has_value()},
                               {"--ep", options.ep.has_value()},
                               {"--sp", options.sequenceParallel.has_value()},
                               {"--micro-batch", options.microBatch.has_value()},
                               {"--schedule", options.schedule.has_value()},
                               {"--pin", !options.pins.empty()}})
    if (option.given)
      errors.push_back(std::string(option.flag) + ": " + options.modelFile + " is of phase " +
                       std::string(name(phase)) +
                       ", which has its placements already; expected a module of phase import or differentiated");
  return errors.size() == before;
}

} // namespace modelpar::pipelines
