//===- Synthetic.cpp - data that can be learned, from nothing -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every value is a function of (seed, input, step, global element), so shards of a batch agree whatever the plan. The
// numbers below are chosen so that a model first learns which tokens occur (ln 64), then the rule (about 0.75 nats are
// left by the noise).
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Synthetic.h"

#include <algorithm>
#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::data;

namespace {

constexpr int64_t kMaxStates = 64; ///< Tokens that occur, spread over the vocabulary.
constexpr int64_t kNoisePercent = 10;
constexpr int64_t kFeatures = 4; ///< Elements of the data that a real target depends on.

class SyntheticSource : public DataSource {
public:
  SyntheticSource(const planformat::Plan &plan, const InputRoles &roles, uint64_t seed)
      : plan_(plan), roles_(roles), seed_(seed) {
    for (const planformat::Input *input : roles.all)
      if (!features_ && input->role == "data" && !isIntegerType(plan.types[input->type].dtype))
        features_ = input;
    if (roles.tokens)
      tokenKey_ = keyFor(seed, "tokens");
    if (features_)
      featureKey_ = keyFor(seed, features_->name);
  }

  int64_t labelCount(int64_t) const override {
    return roles_.targets ? plan_.globalBatch * elementsPerSample(plan_.types[roles_.targets->type].shape)
                          : plan_.globalBatch;
  }
  std::string describe() const override { return "synthetic data"; }

  Status fill(const planformat::Input &input, int64_t step, int64_t, const TensorView &view) override {
    if (input.role == "positions")
      return fillPositions(view);
    const bool integers = isIntegerType(view.dtype);
    if (input.role == "tokens")
      return fillTokens(input, step, 0, view);
    if (input.role == "targets" && integers && roles_.tokens)
      return fillTokens(input, step, 1, view);
    if (input.role == "targets" && features_)
      return integers ? fillClasses(input, step, view) : fillFunction(input, step, view);
    return fillUniform(input, step, view);
  }

private:
  int64_t numStates(const planformat::Input &input) const {
    return std::min(static_cast<int64_t>(input.rangeHigh - input.rangeLow), kMaxStates);
  }

  /// Row `sample` is a walk of states along the last dimension; element j of the view's row is state offset + j +
  /// `shift`.
  Status fillTokens(const planformat::Input &input, int64_t step, int64_t shift, const TensorView &view) const {
    const int64_t states = numStates(*roles_.tokens);
    const int64_t spread = static_cast<int64_t>(roles_.tokens->rangeHigh - roles_.tokens->rangeLow) / states;
    const int64_t low = static_cast<int64_t>(roles_.tokens->rangeLow);
    const int last = view.rank - 1;
    const int64_t length = last > 0 ? view.globalExtents[last] : 1;
    int64_t walk = -1, position = 0, state = 0; // Where the walk below stands.
    return forEachElement(view, input.batchDim, [&](int64_t element, int64_t sample, int64_t within) {
      int64_t row = (last > 0 ? sample * elementsPerSampleOf(view) + within : sample) / length;
      int64_t wanted = (last > 0 ? within % length : 0) + shift;
      if (row != walk || wanted < position) {
        walk = row;
        position = 0;
        state = below(word64(draw(step, row, length, 0)), states);
      }
      for (; position < wanted; ++position) {
        PhiloxCounter words = draw(step, row, length, position + 1);
        state = words[2] % 100 < kNoisePercent ? below(word64(words), states) : (5 * state + 7) % states;
      }
      store(view, element, low + state * spread);
      return Status();
    });
  }

  PhiloxCounter draw(int64_t step, int64_t row, int64_t length, int64_t position) const {
    return philox4x32(counterFor(step, row * (length + 1) + position), tokenKey_);
  }

  static int64_t elementsPerSampleOf(const TensorView &view) {
    int64_t count = 1;
    for (int i = 1; i < view.rank; ++i)
      count *= view.globalExtents[i];
    return count;
  }

  /// Element `index` of a real input's global batch, as a fraction of its range.
  static double fraction(PhiloxKey key, int64_t step, int64_t index) {
    PhiloxCounter words = philox4x32(counterFor(step, index), key);
    return uniformDouble(words[1], words[0]);
  }

  Status fillUniform(const planformat::Input &input, int64_t step, const TensorView &view) const {
    const PhiloxKey key = keyFor(seed_, input.name);
    const int64_t perSample = elementsPerSampleOf(view);
    const double low = input.rangeLow, extent = input.rangeHigh - input.rangeLow;
    return forEachElement(view, input.batchDim, [&](int64_t element, int64_t sample, int64_t within) {
      double value = low + extent * fraction(key, step, sample * perSample + within);
      if (isIntegerType(view.dtype))
        store(view, element, static_cast<int64_t>(std::floor(value)));
      else
        store(view, element, value);
      return Status();
    });
  }

  /// Which element of the sample's features number `k` of target element `within` is, and with which sign it counts.
  std::pair<int64_t, double> feature(const planformat::Input &target, int64_t within, int64_t k) const {
    const int64_t count = elementsPerSample(plan_.types[features_->type].shape);
    PhiloxCounter words =
        philox4x32(philoxCounter(static_cast<uint64_t>(within * kFeatures + k)), keyFor(0, target.name));
    return {below(word64(words), count), words[2] & 1 ? 1.0 : -1.0};
  }

  double featureValue(int64_t step, int64_t sample, int64_t index) const {
    return fraction(featureKey_, step, sample * elementsPerSample(plan_.types[features_->type].shape) + index);
  }

  /// Real targets: a signed mean of a few features, over the target's range.
  Status fillFunction(const planformat::Input &input, int64_t step, const TensorView &view) const {
    const double middle = (input.rangeLow + input.rangeHigh) / 2, half = (input.rangeHigh - input.rangeLow) / 2;
    return forEachElement(view, input.batchDim, [&](int64_t element, int64_t sample, int64_t within) {
      double sum = 0;
      for (int64_t k = 0; k < kFeatures; ++k) {
        auto [index, sign] = feature(input, within, k);
        sum += sign * (2 * featureValue(step, sample, index) - 1);
      }
      store(view, element, middle + half * sum / kFeatures);
      return Status();
    });
  }

  /// Integer targets: in which part of its range one feature lies.
  Status fillClasses(const planformat::Input &input, int64_t step, const TensorView &view) const {
    const int64_t states = numStates(input), low = static_cast<int64_t>(input.rangeLow);
    return forEachElement(view, input.batchDim, [&](int64_t element, int64_t sample, int64_t within) {
      double value = featureValue(step, sample, feature(input, within, 0).first);
      store(view, element, low + std::min(static_cast<int64_t>(value * static_cast<double>(states)), states - 1));
      return Status();
    });
  }

  const planformat::Plan &plan_;
  InputRoles roles_;
  uint64_t seed_;
  const planformat::Input *features_ = nullptr;
  PhiloxKey tokenKey_ = {}, featureKey_ = {};
};

} // namespace

Status data::createSynthetic(const planformat::Plan &plan, const InputRoles &roles, uint64_t seed,
                             std::unique_ptr<DataSource> &source) {
  for (const planformat::Input *input : roles.all) {
    if (input->role == "targets" && isIntegerType(plan.types[input->type].dtype) && roles.tokens &&
        plan.types[input->type].shape != plan.types[roles.tokens->type].shape)
      return Status::invalid("synthetic data needs targets of the tokens' shape: input '" + input->name + "' is " +
                             describeType(plan.types[input->type]) + ", '" + roles.tokens->name + "' is " +
                             describeType(plan.types[roles.tokens->type]));
  }
  source = std::make_unique<SyntheticSource>(plan, roles, seed);
  return {};
}
