//===- CheckOptions.cpp - options that cannot be ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckOptions.h"

#include "lib/Dialect/Dist/Transforms/Pins.h"
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
  if (options.gradSync && options.gradSync != "all_reduce")
    errors.push_back("--grad-sync=" + *options.gradSync + " is not supported yet; supported: all_reduce");
  if (options.globalBatch.value_or(1) < 1)
    errors.push_back("--global-batch=" + std::to_string(*options.globalBatch) + ": expected at least 1");
  for (const std::string &pin : options.pins)
    if (std::string error; !dist::parsePin(pin, error))
      errors.push_back(error);
  return errors.size() == before;
}

} // namespace modelpar::pipelines
