//===- MeshChoice.cpp - mesh and micro-batch from pins and a simple rule --===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/MeshChoice.h"

#include <algorithm>

namespace modelpar::pipelines {

static std::string divisors(int64_t n) {
  std::string text;
  for (int64_t d = 1; d <= n; ++d)
    if (n % d == 0)
      text += (text.empty() ? "" : ", ") + std::to_string(d);
  return text;
}

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static void refuseUnsupported(const char *flag, const std::optional<int64_t> &pin, std::vector<std::string> &errors) {
  if (pin && *pin > 1)
    errors.push_back(std::string(flag) + "=" + std::to_string(*pin) +
                     ": this axis is not supported yet; leave it out or set it to 1");
}

/// The largest divisor of `n` that is at most `limit`.
static int64_t largestDivisor(int64_t n, int64_t limit) {
  for (int64_t d = std::min(n, limit); d > 1; --d)
    if (n % d == 0)
      return d;
  return 1;
}

bool chooseMesh(int64_t worldSize, int64_t globalBatch, const MeshPins &pins, MeshChoice &choice,
                std::vector<std::string> &errors) {
  size_t before = errors.size();
  refuseUnsupported("--pp", pins.pp, errors);
  refuseUnsupported("--cp", pins.cp, errors);
  refuseUnsupported("--ep", pins.ep, errors);

  const std::string world = std::to_string(worldSize) + (worldSize == 1 ? " rank" : " ranks");
  auto mustDivide = [&](const char *flag, int64_t value) {
    if (worldSize % value == 0)
      return true;
    errors.push_back(std::string(flag) + "=" + std::to_string(value) + " does not divide the cluster's " + world +
                     "; legal values: " + divisors(worldSize));
    return false;
  };
  bool divides = (!pins.tp || mustDivide("--tp", *pins.tp)) & (!pins.dp || mustDivide("--dp", *pins.dp));
  if (divides) {
    if (pins.tp && pins.dp) {
      if (*pins.tp * *pins.dp != worldSize)
        errors.push_back("--tp=" + std::to_string(*pins.tp) + " times --dp=" + std::to_string(*pins.dp) + " is " +
                         std::to_string(*pins.tp * *pins.dp) + ", but the cluster has " + world + "; with --tp=" +
                         std::to_string(*pins.tp) + " use --dp=" + std::to_string(worldSize / *pins.tp));
      choice.tp = *pins.tp, choice.dp = *pins.dp;
    } else if (pins.tp) {
      choice.tp = *pins.tp, choice.dp = worldSize / *pins.tp;
    } else {
      choice.dp = pins.dp ? *pins.dp : largestDivisor(worldSize, globalBatch);
      choice.tp = worldSize / choice.dp;
    }
  }
  if (errors.size() != before)
    return false;

  const int64_t share = ceilDiv(globalBatch, choice.dp);
  if (pins.microBatch && *pins.microBatch > share) {
    errors.push_back("--micro-batch=" + std::to_string(*pins.microBatch) +
                     " is larger than a data-parallel rank's share of the global batch, " + std::to_string(share) +
                     " (--global-batch=" + std::to_string(globalBatch) + " over dp=" + std::to_string(choice.dp) + ")");
    return false;
  }
  choice.numMicroBatches = ceilDiv(share, pins.microBatch.value_or(share));
  choice.microBatch = ceilDiv(share, choice.numMicroBatches);
  return true;
}

} // namespace modelpar::pipelines
