//===- StoredParts.cpp - parameters that are worth splitting for their size ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoredParts.h"

#include <limits>
#include <optional>

using namespace mlir;
using namespace modelpar;
using namespace modelpar::dist;
using sharding::DimSharding;

/// A parameter is kept as a value, a gradient and (AdamW) two optimizer states.
static constexpr double kKeptPerElement = 4;
/// An all_reduce of many ranks sends every element twice.
static constexpr double kSentPerElement = 2;

namespace {

class StoredParts {
public:
  StoredParts(const ClassAxes &placed, const DimSharding &axes)
      : placed(placed), classes(placed.classes), axes(axes), saved(classes.numClasses(), 0.0) {}

  /// Per class; 0 where splitting it is not worth what is sent.
  std::vector<double> find() {
    for (const auto &[name, parameter] : classes.parameters())
      addParameter(parameter);
    for (const FactorClasses::OpFactors &factors : classes.ops())
      if (!factors.op.isSumOverOperands()) // Of the squares of gradients: a number.
        addResults(factors);
    for (double &value : saved)
      value = std::max(value, 0.0);
    return std::move(saved);
  }

private:
  /// The share of a dimension of this size that a rank would not have.
  double shareSaved(int64_t size) const {
    return 1 -
           static_cast<double>(sharding::maxShardExtent(size, axes)) / static_cast<double>(std::max<int64_t>(size, 1));
  }

  void addParameter(const FactorClasses::Parameter &parameter) {
    for (int d = 0; d < parameter.type.getRank(); ++d)
      saved[classes.classOf(parameter, d)] += kKeptPerElement * static_cast<double>(parameter.type.getNumElements()) *
                                              shareSaved(parameter.type.getDimSize(d));
  }

  /// Elements of a result for one sample, on one rank. Nothing when it has dimensions and does not depend on the batch:
  /// it would be sent again in every micro-batch, and would be the same each time.
  std::optional<double> elementsPerSample(Value result) const {
    auto type = cast<RankedTensorType>(result.getType());
    double elements = 1;
    bool hasBatch = type.getRank() == 0;
    for (int d = 0; d < type.getRank(); ++d) {
      int id = classes.classOf(result, d);
      if (placed.origins[id] == kBatchOrigin)
        hasBatch = true;
      else
        elements *= static_cast<double>(sharding::maxShardExtent(type.getDimSize(d), placed.axes[id]));
    }
    return hasBatch ? std::optional(elements) : std::nullopt;
  }

  /// What an op sums over a class is partial when the class is split.
  void addResults(const FactorClasses::OpFactors &factors) {
    for (auto [result, rule] : llvm::zip_equal(factors.op->getResults(), factors.rule.results)) {
      std::optional<double> elements = elementsPerSample(result);
      for (auto [i, factor] : llvm::enumerate(factors.rule.factors)) {
        auto has = [&, index = static_cast<int>(i)](const auto &dim) { return llvm::is_contained(dim, index); };
        if (factor.kind != sharding::FactorKind::Reduction || llvm::any_of(rule.dims, has))
          continue;
        double &value = saved[classes.classOf(factors, i)];
        if (elements)
          value -= kSentPerElement * *elements * static_cast<double>(factors.calls) * shareSaved(factor.size);
        else
          value = -std::numeric_limits<double>::infinity();
      }
    }
  }

  const ClassAxes &placed;
  const FactorClasses &classes;
  const DimSharding &axes;
  std::vector<double> saved;
};

} // namespace

std::vector<double> dist::savedStorage(const ClassAxes &placed, const DimSharding &axes) {
  return StoredParts(placed, axes).find();
}
