//===- Layout.cpp - happens-before, liveness and memory layout ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vector clocks for the order, a greedy best-fit placement for the layout.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Memory/Layout.h"

#include <algorithm>
#include <numeric>

using namespace modelpar::memory;

HappensBefore::HappensBefore(const std::vector<Step> &steps) {
  int32_t numEvents = 0;
  for (const Step &step : steps) {
    numStreams_ = std::max(numStreams_, step.stream + 1);
    numEvents = std::max(numEvents, step.record + 1);
  }
  size_t width = static_cast<size_t>(numStreams_);
  streams_.reserve(steps.size());
  positions_.reserve(steps.size());
  clocks_.assign(steps.size() * width, 0);
  // What is known to have finished: at the head of each stream, and when each event is recorded.
  std::vector<int32_t> heads(width * width, 0), events(static_cast<size_t>(numEvents) * width, 0);
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step &step = steps[i];
    int32_t *head = &heads[static_cast<size_t>(step.stream) * width];
    for (int32_t event : step.waits)
      if (event >= 0 && event < numEvents)
        for (size_t s = 0; s < width; ++s)
          head[s] = std::max(head[s], events[static_cast<size_t>(event) * width + s]);
    std::copy(head, head + width, &clocks_[i * width]);
    streams_.push_back(step.stream);
    positions_.push_back(head[step.stream]);
    ++head[step.stream];
    if (step.record >= 0)
      std::copy(head, head + width, &events[static_cast<size_t>(step.record) * width]);
  }
}

Conflicts::Conflicts(const HappensBefore &order, const std::vector<Item> &items) : others_(items.size()) {
  size_t width = static_cast<size_t>(std::max(order.numStreams(), 1));
  // The last access per stream decides: streams run in order.
  std::vector<int32_t> last(items.size() * width, -1);
  for (size_t i = 0; i < items.size(); ++i) {
    auto note = [&](int32_t step) {
      int32_t &entry = last[i * width + order.stream(step)];
      entry = std::max(entry, step);
    };
    if (items[i].bytes == 0)
      continue;
    note(items[i].first);
    for (int32_t step : items[i].accesses)
      note(step);
  }
  auto precedes = [&](size_t a, size_t b) {
    for (size_t s = 0; s < width; ++s)
      if (int32_t step = last[a * width + s]; step >= 0 && !order.before(step, items[b].first))
        return false;
    return true;
  };
  std::vector<size_t> byFirst;
  for (size_t i = 0; i < items.size(); ++i)
    if (items[i].bytes > 0)
      byFirst.push_back(i);
  std::stable_sort(byFirst.begin(), byFirst.end(), [&](size_t a, size_t b) { return items[a].first < items[b].first; });
  // Along the list: per stream the items so far that are not known there to be done. What has been seen done on a
  // stream stays done for its later steps.
  std::vector<std::vector<size_t>> open(width);
  for (size_t b : byFirst) {
    std::vector<size_t> &here = open[order.stream(items[b].first)];
    std::erase_if(here, [&](size_t a) { return precedes(a, b); });
    for (size_t a : here) {
      others_[a].push_back(b);
      others_[b].push_back(a);
    }
    for (std::vector<size_t> &each : open)
      each.push_back(b);
  }
  for (std::vector<size_t> &others : others_)
    std::sort(others.begin(), others.end());
}

namespace {

struct Lifetime {
  int32_t begin, end;
};

Lifetime lifetimeOf(const Item &item) {
  Lifetime life{item.first, item.first};
  for (int32_t step : item.accesses) {
    life.begin = std::min(life.begin, step);
    life.end = std::max(life.end, step);
  }
  return life;
}

/// The list is one linear order that the happens-before order allows, so items live at one position conflict pairwise.
int64_t largestLiveSum(size_t numSteps, const std::vector<Item> &items, int64_t alignment) {
  std::vector<int64_t> change(numSteps + 2, 0);
  for (const Item &item : items) {
    Lifetime life = lifetimeOf(item);
    change[life.begin] += alignTo(item.bytes, alignment);
    change[life.end + 1] -= alignTo(item.bytes, alignment);
  }
  int64_t live = 0, largest = 0;
  for (int64_t delta : change)
    largest = std::max(largest, live += delta);
  return largest;
}

/// Places items in the given order, each into the smallest gap between placed conflicting items that holds it.
Layout place(const std::vector<Item> &items, const Conflicts &conflicts, const std::vector<size_t> &sequence,
             int64_t alignment) {
  Layout layout;
  layout.offsets.assign(items.size(), 0);
  std::vector<bool> isPlaced(items.size(), false);
  std::vector<std::pair<int64_t, int64_t>> taken;
  for (size_t index : sequence) {
    int64_t need = alignTo(items[index].bytes, alignment);
    if (need == 0)
      continue;
    taken.clear();
    for (size_t other : conflicts.of(index))
      if (isPlaced[other])
        taken.emplace_back(layout.offsets[other], layout.offsets[other] + alignTo(items[other].bytes, alignment));
    std::sort(taken.begin(), taken.end());
    int64_t free = 0, best = -1, bestGap = 0;
    for (auto [begin, end] : taken) {
      if (int64_t gap = begin - free; gap >= need && (best < 0 || gap < bestGap)) {
        best = free;
        bestGap = gap;
      }
      free = std::max(free, end);
    }
    layout.offsets[index] = best >= 0 ? best : free;
    layout.bytes = std::max(layout.bytes, layout.offsets[index] + need);
    isPlaced[index] = true;
  }
  return layout;
}

} // namespace

Layout modelpar::memory::layOut(const HappensBefore &order, const std::vector<Item> &items, int64_t alignment) {
  Conflicts conflicts(order, items);
  int64_t bound = largestLiveSum(order.size(), items, alignment);
  std::vector<Lifetime> lives;
  for (const Item &item : items)
    lives.push_back(lifetimeOf(item));
  auto area = [&](size_t i) { return static_cast<double>(items[i].bytes) * (lives[i].end - lives[i].begin + 1); };

  Layout best;
  bool found = false;
  for (int rule = 0; rule < 3; ++rule) {
    std::vector<size_t> sequence(items.size());
    std::iota(sequence.begin(), sequence.end(), 0);
    std::stable_sort(sequence.begin(), sequence.end(), [&](size_t a, size_t b) {
      if (rule == 0)
        return items[a].bytes > items[b].bytes;
      if (rule == 1)
        return area(a) > area(b);
      return lives[a].begin < lives[b].begin;
    });
    Layout layout = place(items, conflicts, sequence, alignment);
    if (!found || layout.bytes < best.bytes)
      best = std::move(layout);
    found = true;
    if (best.bytes == bound)
      break;
  }
  best.lowerBound = bound;
  return best;
}

std::optional<std::string> modelpar::memory::verify(const HappensBefore &order, const std::vector<Item> &items,
                                                    const Layout &layout, int64_t alignment) {
  if (layout.offsets.size() != items.size())
    return "expected " + std::to_string(items.size()) + " offsets, found " + std::to_string(layout.offsets.size());
  Conflicts conflicts(order, items);
  auto name = [&](size_t i) {
    return "item " + std::to_string(i) + " at [" + std::to_string(layout.offsets[i]) + ", " +
           std::to_string(layout.offsets[i] + items[i].bytes) + ")";
  };
  for (size_t i = 0; i < items.size(); ++i) {
    if (layout.offsets[i] < 0 || layout.offsets[i] % alignment != 0)
      return name(i) + " is not aligned to " + std::to_string(alignment);
    if (layout.offsets[i] + items[i].bytes > layout.bytes)
      return name(i) + " ends after the region of " + std::to_string(layout.bytes) + " bytes";
    for (size_t j : conflicts.of(i))
      if (j < i && layout.offsets[i] < layout.offsets[j] + items[j].bytes &&
          layout.offsets[j] < layout.offsets[i] + items[i].bytes)
        return name(i) + " overlaps " + name(j) + " while both are live";
  }
  return std::nullopt;
}
