//===- ShardingRule.cpp - an op as an einsum over named factors ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a placement of mesh axes on a rule's factors means for operands and results.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/ShardingRule.h"

#include <algorithm>

namespace modelpar::sharding {

int OpShardingRule::factorIndex(std::string_view name) const {
  for (size_t i = 0; i < factors.size(); ++i)
    if (factors[i].name == name)
      return static_cast<int>(i);
  return -1;
}

static std::string dimsToString(const OpShardingRule &rule, const std::vector<DimFactors> &dims) {
  std::string text = "[";
  for (size_t d = 0; d < dims.size(); ++d) {
    text += d ? ", " : "";
    if (dims[d].empty())
      text += "1";
    for (size_t i = 0; i < dims[d].size(); ++i)
      text += (i ? "*" : "") + rule.factors[dims[d][i]].name;
  }
  return text + "]";
}

std::string OpShardingRule::toString() const {
  std::string text = "(";
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? ", " : "") + dimsToString(*this, operands[i].dims);
  text += ") -> (";
  for (size_t i = 0; i < results.size(); ++i) {
    text += (i ? ", " : "") + dimsToString(*this, results[i].dims);
    if (results[i].reduce != ReduceKind::Sum)
      text += ":" + std::string(name(results[i].reduce));
  }
  text += ")";
  for (const Factor &factor : factors) {
    if (factor.kind == FactorKind::Parallel && !factor.positional)
      continue;
    text += "  " + factor.name + ":";
    if (factor.kind == FactorKind::Streamed)
      text += " streamed along " + factors[factor.along].name;
    else if (factor.kind != FactorKind::Parallel)
      text += factor.kind == FactorKind::Reduction ? " reduction" : " whole";
    if (factor.positional)
      text += " positional";
  }
  return text;
}

/// True when the factor is a minor part of some dimension (only whole units of it may be dealt out).
static bool isMinorFactor(const OpShardingRule &rule, int factor) {
  auto minorIn = [&](const std::vector<DimFactors> &dims) {
    return std::any_of(dims.begin(), dims.end(), [&](const DimFactors &dim) {
      return dim.size() > 1 && std::find(dim.begin() + 1, dim.end(), factor) != dim.end();
    });
  };
  return std::any_of(rule.operands.begin(), rule.operands.end(), [&](const auto &o) { return minorIn(o.dims); }) ||
         std::any_of(rule.results.begin(), rule.results.end(), [&](const auto &r) { return minorIn(r.dims); });
}

static const DimSharding *axesOf(const OpShardingRule &rule, const Placement &placement, int factor) {
  auto it = placement.find(rule.factors[factor].name);
  return it == placement.end() ? nullptr : &it->second;
}

/// True when the axis, at whatever ring position, is one of `axes`.
static bool hasAxis(const DimSharding *axes, const AxisRef &axis) {
  return axes && std::any_of(axes->begin(), axes->end(), [&](const AxisRef &other) {
           return other.name == axis.name && other.preSize == axis.preSize && other.size == axis.size;
         });
}

/// True when the parts of `factor` go round over the axis: it is on both the factor and the one that this is streamed
/// along.
static bool isStreamed(const OpShardingRule &rule, const Placement &placement, int factor, const AxisRef &axis) {
  const Factor &streamed = rule.factors[factor];
  return streamed.kind == FactorKind::Streamed && hasAxis(axesOf(rule, placement, factor), axis) &&
         hasAxis(axesOf(rule, placement, streamed.along), axis);
}

std::optional<std::string> validate(const OpShardingRule &rule, const Placement &placement) {
  std::vector<std::pair<AxisRef, int>> seen;
  for (const auto &[factorName, axes] : placement) {
    int index = rule.factorIndex(factorName);
    if (index < 0)
      return "no factor \"" + factorName + "\" in the rule " + rule.toString();
    if (axes.empty())
      continue;
    const Factor &factor = rule.factors[index];
    if (factor.kind == FactorKind::Whole)
      return "factor \"" + factorName + "\" must stay whole" + (factor.whyWhole.empty() ? "" : ": " + factor.whyWhole);
    if (isMinorFactor(rule, index))
      return "factor \"" + factorName + "\" is the minor part of a dimension and must stay whole";
    if (auto error = whyNoOrder(factor.size, axes))
      return "factor \"" + factorName + "\" of size " + std::to_string(factor.size) + " " + *error;
    for (const AxisRef &axis : axes) {
      if (factor.kind == FactorKind::Streamed && !isStreamed(rule, placement, index, axis))
        return "factor \"" + factorName + "\" can only be split over axes of factor \"" +
               rule.factors[factor.along].name + "\", along which it is streamed, found " + toString(axis, nullptr);
      for (const auto &[other, otherFactor] : seen) {
        bool streams =
            (factor.kind == FactorKind::Streamed && factor.along == otherFactor) ||
            (rule.factors[otherFactor].kind == FactorKind::Streamed && rule.factors[otherFactor].along == index);
        if (overlap(axis, other) && !streams)
          return "axis " + toString(axis, nullptr) + " is on factors \"" + rule.factors[otherFactor].name +
                 "\" and \"" + factorName + "\"";
      }
      seen.push_back({axis, index});
    }
  }
  return std::nullopt;
}

static TensorSharding dimsSharding(const OpShardingRule &rule, const Placement &placement,
                                   const std::vector<DimFactors> &dims) {
  TensorSharding sharding = TensorSharding::replicated(dims.size());
  for (size_t d = 0; d < dims.size(); ++d)
    if (!dims[d].empty())
      if (const DimSharding *axes = axesOf(rule, placement, dims[d].front()))
        sharding.dims[d] = *axes;
  return sharding;
}

TensorSharding operandSharding(const OpShardingRule &rule, const Placement &placement, unsigned index) {
  return dimsSharding(rule, placement, rule.operands[index].dims);
}

/// The factors that are streamed along another.
static std::vector<int> streamedFactors(const OpShardingRule &rule) {
  std::vector<int> streamed;
  for (size_t f = 0; f < rule.factors.size(); ++f)
    if (rule.factors[f].along >= 0)
      streamed.push_back(static_cast<int>(f));
  return streamed;
}

TensorSharding resultSharding(const OpShardingRule &rule, const Placement &placement, unsigned index,
                              const Mesh &mesh) {
  const ResultRule &result = rule.results[index];
  TensorSharding sharding = dimsSharding(rule, placement, result.dims);
  const std::vector<int> streamed = streamedFactors(rule);
  // The shards of what is streamed along a factor see the parts of all ranks.
  auto isStreamedAlong = [&](int factor, const AxisRef &axis) {
    return std::any_of(streamed.begin(), streamed.end(), [&](int other) {
      return rule.factors[other].along == factor && isStreamed(rule, placement, other, axis);
    });
  };
  for (size_t f = 0; f < rule.factors.size(); ++f) {
    if (rule.factors[f].kind != FactorKind::Reduction)
      continue;
    bool has = std::any_of(result.dims.begin(), result.dims.end(), [&](const DimFactors &dim) {
      return std::find(dim.begin(), dim.end(), static_cast<int>(f)) != dim.end();
    });
    const DimSharding *axes = has ? nullptr : axesOf(rule, placement, static_cast<int>(f));
    if (!axes)
      continue;
    for (const AxisRef &axis : *axes)
      if (!isStreamedAlong(static_cast<int>(f), axis))
        sharding.partial.push_back({plain(axis), result.reduce});
  }
  sortPartials(mesh, sharding.partial);
  return sharding;
}

} // namespace modelpar::sharding
