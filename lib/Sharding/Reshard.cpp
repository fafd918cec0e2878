//===- Reshard.cpp - from one sharding to another -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Uniform-cost search over shardings. States are few (a handful of axes on a handful
// of dimensions), and almost every reshard of a model is one step long.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/Reshard.h"

#include "modelpar/Sharding/AxisParts.h"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>

namespace modelpar::sharding {

std::string_view name(ReshardStep::Kind kind) {
  switch (kind) {
  case ReshardStep::Kind::Slice:
    return "slice";
  case ReshardStep::Kind::AllGather:
    return "all_gather";
  case ReshardStep::Kind::ReduceScatter:
    return "reduce_scatter";
  case ReshardStep::Kind::AllReduce:
    return "all_reduce";
  case ReshardStep::Kind::AllToAll:
    return "all_to_all";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// One step
//===----------------------------------------------------------------------===//

namespace {

/// Takes `axes` off the minor end of a dimension; false when they are not there.
bool dropTail(DimSharding &dim, const std::vector<AxisRef> &axes) {
  if (dim.size() < axes.size() || !std::equal(axes.begin(), axes.end(), dim.end() - axes.size()))
    return false;
  dim.resize(dim.size() - axes.size());
  return true;
}

void append(DimSharding &dim, const std::vector<AxisRef> &axes) { dim.insert(dim.end(), axes.begin(), axes.end()); }

/// Removes `axes` from the partials of the kind; false when one of them is not there.
bool dropPartials(TensorSharding &sharding, const std::vector<AxisRef> &axes, ReduceKind kind) {
  for (const AxisRef &axis : axes) {
    auto it = std::find(sharding.partial.begin(), sharding.partial.end(), PartialAxis{axis, kind});
    if (it == sharding.partial.end())
      return false;
    sharding.partial.erase(it);
  }
  return true;
}

bool isUsed(const TensorSharding &sharding, const AxisRef &axis) {
  for (const DimSharding &dim : sharding.dims)
    for (const AxisRef &other : dim)
      if (overlap(axis, other))
        return true;
  return std::any_of(sharding.partial.begin(), sharding.partial.end(),
                     [&](const PartialAxis &partial) { return overlap(axis, partial.axis); });
}

std::string list(const Mesh &mesh, const std::vector<AxisRef> &axes) {
  std::string text = "{";
  for (size_t i = 0; i < axes.size(); ++i)
    text += (i ? ", " : "") + toString(axes[i], &mesh);
  return text + "}";
}

} // namespace

StepOutcome applyStep(const Mesh &mesh, const TensorSharding &from, const ReshardStep &step) {
  using Kind = ReshardStep::Kind;
  auto fail = [&](const std::string &message) {
    return StepOutcome{std::nullopt, message + " in " + toString(from, &mesh)};
  };
  int rank = static_cast<int>(from.dims.size());
  if (step.axes.empty())
    return fail("no axes");
  if (step.kind != Kind::AllReduce && (step.dim < 0 || step.dim >= rank))
    return fail("no dimension " + std::to_string(step.dim));
  if (step.kind == Kind::AllToAll && (step.sourceDim < 0 || step.sourceDim >= rank || step.sourceDim == step.dim))
    return fail("no source dimension " + std::to_string(step.sourceDim));
  for (const AxisRef &axis : step.axes) {
    if (!mesh.isValid(axis))
      return fail("unknown axis " + toString(axis, nullptr));
    if (step.isCollective() && axis.name == kMicroBatchAxis)
      return fail("no collective goes over the axis of time");
    if (axis.balanced)
      return fail("a sequence that is dealt out over " + toString(axis, &mesh) + " stays so");
  }

  TensorSharding to = from;
  switch (step.kind) {
  case Kind::Slice:
    for (const AxisRef &axis : step.axes) {
      if (isUsed(to, axis))
        return fail("axis " + toString(axis, &mesh) + " is not replicated");
      to.dims[step.dim].push_back(axis);
    }
    break;
  case Kind::AllGather:
    if (!dropTail(to.dims[step.dim], step.axes))
      return fail("dim " + std::to_string(step.dim) + " does not end in " + list(mesh, step.axes));
    break;
  case Kind::AllReduce:
  case Kind::ReduceScatter:
    if (!dropPartials(to, step.axes, step.reduce))
      return fail("no partial " + std::string(name(step.reduce)) + " over " + list(mesh, step.axes));
    if (step.kind == Kind::ReduceScatter)
      append(to.dims[step.dim], step.axes);
    break;
  case Kind::AllToAll:
    if (!dropTail(to.dims[step.sourceDim], step.axes))
      return fail("dim " + std::to_string(step.sourceDim) + " does not end in " + list(mesh, step.axes));
    append(to.dims[step.dim], step.axes);
    break;
  }
  return {std::move(to), ""};
}

double sentElements(const std::vector<int64_t> &shape, const TensorSharding &from, const ReshardStep &step) {
  if (!step.isCollective())
    return 0;
  double elements = 1, ranks = 1;
  for (int64_t extent : maxShardShape(shape, from))
    elements *= static_cast<double>(extent);
  for (const AxisRef &axis : step.axes)
    ranks *= static_cast<double>(axis.size);
  switch (step.kind) {
  case ReshardStep::Kind::AllGather:
    return elements * (ranks - 1);
  case ReshardStep::Kind::AllReduce:
    return 2 * elements * (ranks - 1) / ranks;
  default:
    return elements * (ranks - 1) / ranks;
  }
}

//===----------------------------------------------------------------------===//
// The search
//===----------------------------------------------------------------------===//

namespace {

struct Cost {
  int collectives = 0;
  double elements = 0;
  int steps = 0;
  auto operator<=>(const Cost &) const = default;
};

/// Orders shardings for the table of visited states.
struct Less {
  bool operator()(const TensorSharding &a, const TensorSharding &b) const {
    return std::tie(a.dims, a.partial) < std::tie(b.dims, b.partial);
  }
};

/// Pieces that axes may be cut into so that both shardings are made of the same ones.
class Pieces {
public:
  Pieces(const TensorSharding &from, const TensorSharding &to) {
    for (const TensorSharding *sharding : {&from, &to}) {
      for (const DimSharding &dim : sharding->dims)
        for (const AxisRef &axis : dim)
          add(axis);
      for (const PartialAxis &partial : sharding->partial)
        add(partial.axis);
    }
  }

  /// The axis cut at every boundary inside it, major to minor.
  std::vector<AxisRef> cut(const AxisRef &axis) const {
    auto it = boundaries.find(axis.name);
    return it == boundaries.end() ? std::vector<AxisRef>{axis} : cutAxis(axis, it->second);
  }

  /// Cuts partials always, and a dimension's axes where the cut leaves every shard as it is (the parts divide evenly).
  TensorSharding cut(const std::vector<int64_t> &shape, const TensorSharding &sharding) const {
    TensorSharding result;
    for (size_t d = 0; d < sharding.dims.size(); ++d) {
      DimSharding dim;
      int64_t extent = shape[d];
      for (const AxisRef &axis : sharding.dims[d]) {
        if (extent % axis.size == 0)
          append(dim, cut(axis));
        else
          dim.push_back(axis);
        extent = maxShardExtent(extent, {axis});
      }
      result.dims.push_back(std::move(dim));
    }
    for (const PartialAxis &partial : sharding.partial)
      for (const AxisRef &piece : cut(partial.axis))
        result.partial.push_back({piece, partial.kind});
    return result;
  }

  const std::vector<AxisRef> &axes() const { return all; }

private:
  void add(const AxisRef &axis) {
    std::vector<int64_t> &cuts = boundaries[axis.name];
    for (int64_t boundary : {axis.preSize, axis.preSize * axis.size})
      if (auto it = std::lower_bound(cuts.begin(), cuts.end(), boundary); it == cuts.end() || *it != boundary)
        cuts.insert(it, boundary);
    all.push_back(axis);
  }
  std::map<std::string, std::vector<int64_t>> boundaries;
  std::vector<AxisRef> all;
};

class Search {
public:
  Search(const Mesh &mesh, const std::vector<int64_t> &shape, const TensorSharding &from, const TensorSharding &to)
      : mesh(mesh), shape(shape), pieces(from, to), start(pieces.cut(shape, from)), goal(pieces.cut(shape, to)) {
    for (const AxisRef &axis : pieces.axes()) {
      std::vector<AxisRef> cut = pieces.cut(axis);
      cut.push_back(axis);
      for (const AxisRef &candidate : cut)
        if (std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
          candidates.push_back(candidate);
    }
    std::sort(candidates.begin(), candidates.end(),
              [&](const AxisRef &a, const AxisRef &b) { return before(mesh, a, b); });
  }

  ReshardPath run() {
    std::priority_queue<std::tuple<Cost, int>, std::vector<std::tuple<Cost, int>>, std::greater<>> open;
    visit({start, Cost{}, -1, {}}, open);
    while (!open.empty()) {
      auto [cost, index] = open.top();
      open.pop();
      if (cost > best[nodes[index].state].first)
        continue;
      if (nodes[index].state == goal)
        return pathTo(index);
      expand(index, open);
    }
    return {{},
            "no path from " + toString(start, &mesh) + " to " + toString(goal, &mesh) +
                ": the axis of time is only sliced or accumulated over, and partial values do not come back"};
  }

private:
  struct Node {
    TensorSharding state;
    Cost cost;
    int parent;
    ReshardStep step;
  };
  template <typename Queue> void visit(Node node, Queue &open) {
    auto it = best.find(node.state);
    if (it != best.end() && it->second.first <= node.cost)
      return;
    int index = static_cast<int>(nodes.size());
    best[node.state] = {node.cost, index};
    open.push({node.cost, index});
    nodes.push_back(std::move(node));
  }

  template <typename Queue> void expand(int index, Queue &open) {
    const TensorSharding state = nodes[index].state;
    const Cost cost = nodes[index].cost;
    auto take = [&](ReshardStep step) {
      StepOutcome outcome = applyStep(mesh, state, step);
      if (!outcome.sharding)
        return;
      step.result = std::move(*outcome.sharding);
      Cost next{cost.collectives + step.isCollective(), cost.elements + sentElements(shape, state, step),
                cost.steps + 1};
      visit({step.result, next, index, std::move(step)}, open);
    };
    int rank = static_cast<int>(state.dims.size());
    // Local: one more axis on a dimension.
    for (const AxisRef &axis : candidates)
      for (int d = 0; d < rank; ++d)
        take({ReshardStep::Kind::Slice, {axis}, d});
    // The minor axes of a dimension: gathered, or moved to another dimension.
    for (int d = 0; d < rank; ++d)
      for (size_t count = 1; count <= state.dims[d].size(); ++count) {
        std::vector<AxisRef> tail(state.dims[d].end() - count, state.dims[d].end());
        take({ReshardStep::Kind::AllGather, tail, d});
        for (int target = 0; target < rank; ++target)
          take({ReshardStep::Kind::AllToAll, tail, target, d});
      }
    // Every set of partial axes of one kind (in mesh order), reduced, or reduced and dealt out over a dimension.
    for (ReduceKind kind : {ReduceKind::Sum, ReduceKind::Max, ReduceKind::Lse}) {
      std::vector<AxisRef> axes;
      for (const PartialAxis &partial : state.partial)
        if (partial.kind == kind && partial.axis.name != kMicroBatchAxis)
          axes.push_back(partial.axis);
      for (unsigned set = 1; set < (1u << axes.size()); ++set) {
        std::vector<AxisRef> chosen;
        for (size_t i = 0; i < axes.size(); ++i)
          if (set >> i & 1)
            chosen.push_back(axes[i]);
        take({ReshardStep::Kind::AllReduce, chosen, -1, -1, kind});
        if (kind == ReduceKind::Lse) // Its identity is −∞: chunks of it are not scattered.
          continue;
        std::sort(chosen.begin(), chosen.end());
        do
          for (int d = 0; d < rank; ++d)
            take({ReshardStep::Kind::ReduceScatter, chosen, d, -1, kind});
        while (std::next_permutation(chosen.begin(), chosen.end()));
      }
    }
  }

  ReshardPath pathTo(int index) const {
    ReshardPath path;
    for (; nodes[index].parent >= 0; index = nodes[index].parent)
      path.steps.push_back(nodes[index].step);
    std::reverse(path.steps.begin(), path.steps.end());
    // Slices of one dimension in a row are one slice.
    for (size_t i = 1; i < path.steps.size();) {
      ReshardStep &previous = path.steps[i - 1], &step = path.steps[i];
      if (step.isCollective() || previous.isCollective() || step.dim != previous.dim) {
        ++i;
        continue;
      }
      append(previous.axes, step.axes);
      previous.result = step.result;
      path.steps.erase(path.steps.begin() + i);
    }
    return path;
  }

  const Mesh &mesh;
  const std::vector<int64_t> &shape;
  Pieces pieces;
  TensorSharding start, goal;
  std::vector<AxisRef> candidates;
  std::vector<Node> nodes;
  std::map<TensorSharding, std::pair<Cost, int>, Less> best;
};

} // namespace

/// Why the dimension is in different orders on both sides, which no step changes; empty when it is in one.
static std::string whyOtherOrder(const Mesh &mesh, const DimSharding &from, const DimSharding &to) {
  auto isBalanced = [](const DimSharding &dim) { return !dim.empty() && dim.front().balanced; };
  auto show = [&](const DimSharding &dim) {
    return isBalanced(dim) ? "dealt out over " + toString(dim.front(), &mesh) : "in its natural order";
  };
  const bool dealtOut = isBalanced(from);
  if (dealtOut == isBalanced(to) && (!dealtOut || from.front() == to.front()))
    return "";
  return "is " + show(from) + " and " + show(to);
}

ReshardPath findReshardPath(const Mesh &mesh, const std::vector<int64_t> &shape, const TensorSharding &from,
                            const TensorSharding &to) {
  if (from == to)
    return {};
  for (size_t d = 0; d < shape.size(); ++d)
    if (std::string why = whyOtherOrder(mesh, from.dims[d], to.dims[d]); !why.empty())
      return {{},
              "no path from " + toString(from, &mesh) + " to " + toString(to, &mesh) + ": dimension " +
                  std::to_string(d) + " " + why};
  for (const TensorSharding *sharding : {&from, &to})
    for (const DimSharding &dim : sharding->dims)
      for (const AxisRef &axis : dim)
        if (axis.shift)
          return {{},
                  "no path from " + toString(from, &mesh) + " to " + toString(to, &mesh) + ": over " +
                      toString(axis, &mesh) + " parts are on their way round a ring, which only permutes them"};
  return Search(mesh, shape, from, to).run();
}

} // namespace modelpar::sharding
