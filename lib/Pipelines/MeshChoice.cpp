//===- MeshChoice.cpp - mesh and micro-batch from pins and a simple rule --===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/MeshChoice.h"

#include <algorithm>
#include <array>

namespace modelpar::pipelines {

static std::string divisors(int64_t n) {
  std::string text;
  for (int64_t d = 1; d <= n; ++d)
    if (n % d == 0)
      text += (text.empty() ? "" : ", ") + std::to_string(d);
  return text;
}

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The largest divisor of `n` that is at most `limit`.
static int64_t largestDivisor(int64_t n, int64_t limit) {
  for (int64_t d = std::min(n, limit); d > 1; --d)
    if (n % d == 0)
      return d;
  return 1;
}

namespace {

/// An axis with its pin; the order is that of messages.
struct PinnedAxis {
  const char *flag;
  std::optional<int64_t> pin;
  int64_t *chosen;
};

class Chooser {
public:
  Chooser(int64_t worldSize, const MeshPins &pins, MeshChoice &choice, std::vector<std::string> &errors)
      : worldSize(worldSize), world(std::to_string(worldSize) + (worldSize == 1 ? " rank" : " ranks")), errors(errors),
        axes{PinnedAxis{"--pp", pins.pp, &choice.pp},
             {"--cp", pins.cp, &choice.cp},
             {"--tp", pins.tp, &choice.tp},
             {"--dp", pins.dp, &choice.dp}} {}

  /// Each pin alone, then their product.
  bool check() {
    const size_t before = errors.size();
    for (const PinnedAxis &axis : axes)
      if (axis.pin && worldSize % *axis.pin != 0)
        errors.push_back(show(axis) + " does not divide the cluster's " + world +
                         "; legal values: " + divisors(worldSize));
    return errors.size() == before && checkProduct();
  }

  /// dp first, up to the batch; tp takes the rest.
  void fill(int64_t globalBatch) {
    for (const PinnedAxis &axis : axes)
      *axis.chosen = axis.pin.value_or(1);
    const int64_t rest = worldSize / product();
    const PinnedAxis &tp = axes[2], &dp = axes[3];
    if (!dp.pin)
      *dp.chosen = tp.pin ? rest : largestDivisor(rest, globalBatch);
    if (!tp.pin)
      *tp.chosen = dp.pin ? rest : rest / *dp.chosen;
  }

private:
  static std::string show(const PinnedAxis &axis) {
    return std::string(axis.flag) + "=" + std::to_string(axis.pin.value_or(1));
  }
  int64_t product() const {
    int64_t product = 1;
    for (const PinnedAxis &axis : axes)
      product *= axis.pin.value_or(1);
    return product;
  }

  bool checkProduct() {
    const bool leavesRest = !axes[2].pin || !axes[3].pin;
    if (leavesRest ? worldSize % product() == 0 : worldSize == product())
      return true;
    // The last pin is the one to change: the others may be kept as they are.
    std::vector<const PinnedAxis *> pinned;
    for (const PinnedAxis &axis : axes)
      if (axis.pin)
        pinned.push_back(&axis);
    std::string times, with;
    int64_t others = 1;
    for (const PinnedAxis *axis : pinned) {
      times += (times.empty() ? "" : " times ") + show(*axis);
      if (axis == pinned.back())
        break;
      with += (with.empty() ? "" : " and ") + show(*axis);
      others *= *axis->pin;
    }
    std::string message =
        times + " is " + std::to_string(product()) +
        (leavesRest ? ", which does not divide the cluster's " + world : ", but the cluster has " + world);
    if (worldSize % others != 0)
      message += "; legal values of each: " + divisors(worldSize);
    else if (leavesRest)
      message += "; with " + with + " legal values of " + pinned.back()->flag + ": " + divisors(worldSize / others);
    else
      message += "; with " + with + " use " + pinned.back()->flag + "=" + std::to_string(worldSize / others);
    errors.push_back(std::move(message));
    return false;
  }

  int64_t worldSize;
  std::string world;
  std::vector<std::string> &errors;
  std::array<PinnedAxis, 4> axes;
};

} // namespace

bool chooseMesh(int64_t worldSize, int64_t globalBatch, bool hasSequence, const MeshPins &pins, MeshChoice &choice,
                std::vector<std::string> &errors) {
  const size_t before = errors.size();
  if (pins.ep.value_or(1) > 1)
    errors.push_back("--ep=" + std::to_string(*pins.ep) +
                     ": this axis is not supported yet; leave it out or set it to 1");
  Chooser chooser(worldSize, pins, choice, errors);
  if (!chooser.check() || errors.size() != before)
    return false;
  chooser.fill(globalBatch);

  int64_t share = ceilDiv(globalBatch, choice.dp);
  if (!hasSequence)
    share = ceilDiv(share, choice.cp);
  if (pins.microBatch && *pins.microBatch > share) {
    errors.push_back("--micro-batch=" + std::to_string(*pins.microBatch) +
                     " is larger than a data-parallel rank's share of the global batch, " + std::to_string(share) +
                     " (--global-batch=" + std::to_string(globalBatch) + " over dp=" + std::to_string(choice.dp) +
                     (hasSequence || choice.cp == 1 ? "" : " and cp=" + std::to_string(choice.cp)) + ")");
    return false;
  }
  const int64_t wanted = choice.pp > 1 ? std::min(share, kMicroBatchesPerStage * choice.pp) : 1;
  choice.numMicroBatches = ceilDiv(share, pins.microBatch.value_or(ceilDiv(share, wanted)));
  choice.microBatch = ceilDiv(share, choice.numMicroBatches);
  if (choice.numMicroBatches > kMaxMicroBatches) {
    errors.push_back(
        (pins.microBatch ? "--micro-batch=" + std::to_string(*pins.microBatch) : "--pp=" + std::to_string(choice.pp)) +
        " cuts a data-parallel rank's share of " + std::to_string(share) + " samples into " +
        std::to_string(choice.numMicroBatches) + " micro-batches, expected at most " +
        std::to_string(kMaxMicroBatches));
    return false;
  }
  return true;
}

} // namespace modelpar::pipelines
