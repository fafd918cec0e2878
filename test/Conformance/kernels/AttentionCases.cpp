//===- AttentionCases.cpp - attention of the whole and of parts ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Naive results for attention: the whole score matrix, in double.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"

#include <cmath>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

void addAttentionMerge(KernelCases &cases) {
  const double none = -std::numeric_limits<double>::infinity();
  // Rows: both seen, one of them far away, one nothing, the other nothing, both nothing, equal.
  Tensor lse = Tensor::of({3, 2}, {0.5, 800, none, 1.5, none, -2}),
         blockLse = Tensor::of({3, 2}, {1.25, -800, 3, none, none, -2});
  Tensor out = Tensor::reals({3, 2, 5}, 1), blockOut = Tensor::reals({3, 2, 5}, 2), merged = out, mergedLse = lse;
  for (int64_t row = 0; row < 6; ++row) {
    const double a = lse.values[row], b = blockLse.values[row], top = std::max(a, b);
    const double wa = top == none ? 0 : std::exp(a - top), wb = top == none ? 0 : std::exp(b - top);
    mergedLse.values[row] = top == none ? none : top + std::log(wa + wb);
    for (int64_t i = row * 5; i < row * 5 + 5; ++i) {
      merged.values[i] = top == none ? 0 : (wa * out.values[i] + wb * blockOut.values[i]) / (wa + wb);
      // What a side that saw nothing holds is not looked at.
      if (wa == 0 && a == none)
        out.values[i] = std::numeric_limits<double>::quiet_NaN();
      if (wb == 0 && b == none)
        blockOut.values[i] = std::numeric_limits<double>::infinity();
    }
  }
  cases.push_back({"rows", "attention_merge", {}, {out, lse, blockOut, blockLse}, {merged, mergedLse}, kRounding});
}

struct AttentionConfig {
  std::string name;
  int64_t b, s, g, r, d, t;
  bool grouped = false, causal = false;
  double rate = 0;
  int64_t queryOffset = 0, keyOffset = 0; ///< Of the local parts; the global sequences are long enough.
  int64_t parts = 1, sequence = 0;        ///< Balanced order of a sequence of this size, of queries and keys.
  int maskRank = 0;                       ///< Of an additive mask, 2 or 3; 0: none.
  int64_t keyParts = 0, keySequence = 0;  ///< Where the keys are another sequence: theirs.
  /// A mask of numbers far from scores. Of all keys: what only keys far below the row's largest entry would give has no
  /// weight in a whole row, and no precision.
  bool farMask = false;

  int64_t partsOfKeys() const { return keyParts ? keyParts : parts; }
};

/// Entries of row `row`: constants, what hides some keys by a number, and both together.
double farEntry(int64_t row, int64_t key, double unit) {
  constexpr double kMax = std::numeric_limits<float>::max(), kInfinite = std::numeric_limits<double>::infinity();
  const double levels[] = {-1e9, -1e30, -kMax, 1e9, kMax, 0};
  switch (const int64_t kind = row % 11) {
  case 6: // Some keys stay as they are.
    return unit < 0.5 ? 0 : -1e9;
  case 7:
    return unit < 0.5 ? -kMax : -1e9;
  case 8: // Neighbours in f32: 64 apart, each a row of its own without the other.
    return unit < 0.3 ? -1e9 + 64 : -1e9;
  case 9:
    return unit < 0.5 ? -kInfinite : -1e9;
  case 10: // What a causal query does not see is nearer to 0 than what it sees.
    return key > row ? 0 : -1e9;
  default:
    return levels[kind];
  }
}

/// [b, s, t] or [s, t] with the places and orders of queries and of all keys. A quarter of the entries hide their key,
/// row 1 all of them.
Tensor maskOf(const AttentionConfig &c, const Tensor &q, const Tensor &k) {
  const int64_t keys = k.global[1];
  Tensor mask = Tensor::reals({c.b, c.s, keys}, 5, -3, 1);
  mask.offset = {0, c.queryOffset, 0};
  mask.global = {c.b, q.global[1], keys};
  if (c.maskRank == 2)
    mask = mask.slice(0, 0, 1);
  mask = mask.inParts(1, c.parts).inParts(2, c.partsOfKeys());
  for (int64_t i = 0; i < mask.size(); ++i)
    if (c.farMask)
      mask.values[i] = farEntry(i / keys % c.s, i % keys, hashUnit(6, i));
    else if (i / keys % c.s == 1 || hashUnit(6, i) < 0.25)
      mask.values[i] = -std::numeric_limits<double>::infinity();
  if (c.maskRank == 2)
    for (std::vector<int64_t> *list : {&mask.shape, &mask.offset, &mask.global, &mask.parts})
      list->erase(list->begin());
  return mask;
}

void addAttention(KernelCases &cases, const AttentionConfig &c) {
  const double scale = 0.375;
  std::vector<int64_t> queryShape = {c.b, c.s, c.g, c.r, c.d}, rowShape = {c.b, c.s, c.g, c.r};
  if (!c.grouped) {
    queryShape.erase(queryShape.begin() + 3);
    rowShape.pop_back();
  }
  Tensor q = Tensor::reals(queryShape, 1), k = Tensor::reals({c.b, c.t, c.g, c.d}, 2),
         v = Tensor::reals({c.b, c.t, c.g, c.d}, 3), grad = Tensor::reals(queryShape, 4), scalars = Tensor::scalars();
  q.offset[1] = c.queryOffset;
  q.global[1] = c.queryOffset + c.s + 5;
  k.offset[1] = v.offset[1] = c.keyOffset;
  k.global[1] = v.global[1] = c.keyOffset + c.t + 3;
  if (c.sequence)
    q.global[1] = k.global[1] = v.global[1] = c.sequence;
  if (c.keySequence)
    k.global[1] = v.global[1] = c.keySequence;
  q = q.inParts(1, c.parts);
  k = k.inParts(1, c.partsOfKeys());
  v = v.inParts(1, c.partsOfKeys());
  const Tensor mask = c.maskRank ? maskOf(c, q, k) : Tensor();
  const std::vector<int64_t> queryPositions = balancedPositions(q.global[1], c.parts),
                             keyPositions = balancedPositions(k.global[1], c.partsOfKeys());
  Tensor out = Tensor::zeros(queryShape), lse = Tensor::zeros(rowShape), dq = out, dk = k, dv = v;
  std::fill(dk.values.begin(), dk.values.end(), 0.0);
  std::fill(dv.values.begin(), dv.values.end(), 0.0);
  for (int64_t row = 0; row < lse.size(); ++row) {
    int64_t ir = row % c.r, ig = row / c.r % c.g, is = row / c.r / c.g % c.s, ib = row / c.r / c.g / c.s;
    const double *query = &q.values[row * c.d], *rowGrad = &grad.values[row * c.d];
    auto keyAt = [&](int64_t j) { return ((ib * c.t + j) * c.g + ig) * c.d; };
    std::vector<double> p(c.t), dp(c.t), factor(c.t, 1.0);
    double sum = 0, rowDot = 0, largest = -std::numeric_limits<double>::infinity();
    const int64_t queryPosition = queryPositions[c.queryOffset + is];
    // Of keys by their index in the whole.
    auto isSeen = [&](int64_t key) { return !c.causal || keyPositions[key] <= queryPosition; };
    auto maskAt = [&](int64_t key) {
      return c.maskRank ? mask.values[((c.maskRank == 3 ? ib * c.s : 0) + is) * k.global[1] + key] : 0;
    };
    for (int64_t key = 0; key < k.global[1]; ++key)
      if (isSeen(key))
        largest = std::max(largest, maskAt(key));
    for (int64_t j = 0; j < c.t; ++j) {
      const int64_t key = c.keyOffset + j, keyPosition = keyPositions[key];
      if (!isSeen(key) || maskAt(key) == -std::numeric_limits<double>::infinity())
        continue;
      double dot = 0;
      for (int64_t i = 0; i < c.d; ++i)
        dot += query[i] * k.values[keyAt(j) + i];
      p[j] = std::exp(scale * dot + (maskAt(key) - largest));
      sum += p[j];
      int64_t index = (((ib * q.global[1] + queryPosition) * c.g + ig) * c.r + ir) * k.global[1] + keyPosition;
      factor[j] = kept(scalars, c.rate, 11, 3, index) ? 1 / (1 - c.rate) : 0;
    }
    lse.values[row] = sum > 0 ? std::log(sum) : -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < c.t; ++j) {
      p[j] = sum > 0 ? p[j] / sum : 0;
      for (int64_t i = 0; i < c.d; ++i) {
        out.values[row * c.d + i] += p[j] * factor[j] * v.values[keyAt(j) + i];
        dv.values[keyAt(j) + i] += p[j] * factor[j] * rowGrad[i];
        dp[j] += rowGrad[i] * v.values[keyAt(j) + i] * factor[j];
      }
      rowDot += p[j] * dp[j];
    }
    for (int64_t j = 0; j < c.t; ++j)
      for (int64_t i = 0; i < c.d; ++i) {
        dq.values[row * c.d + i] += scale * p[j] * (dp[j] - rowDot) * k.values[keyAt(j) + i];
        dk.values[keyAt(j) + i] += scale * p[j] * (dp[j] - rowDot) * query[i];
      }
  }
  planformat::Attributes attributes = {
      {"causal", c.causal}, {"scale", scale}, {"rate", c.rate}, {"dropout_key", int64_t(11)}};
  Tensors inputs = {q, k, v, scalars}, gradInputs = {grad, q, k, v, out, lse, scalars};
  if (c.maskRank) {
    inputs.push_back(mask);
    gradInputs.push_back(mask);
  }
  cases.push_back({c.name, "attention", attributes, inputs, {out, lse}, kLongSums, 3});
  cases.push_back({c.name, "attention_grad", attributes, gradInputs, {dq, dk, dv}, kLongSums, 3});
}

} // namespace

void test::addAttentionCases(KernelCases &cases) {
  addAttentionMerge(cases);
  addAttention(cases, {"causal", 2, 9, 3, 1, 4, 9, false, true, 0});
  addAttention(cases, {"whole", 2, 9, 3, 1, 4, 7, false, false, 0});
  addAttention(cases, {"grouped", 1, 6, 2, 3, 5, 6, true, true, 0});
  addAttention(cases, {"dropout", 2, 9, 3, 1, 4, 9, false, true, 0.25});
  addAttention(cases, {"blocks", 1, 300, 1, 1, 16, 300, false, true, 0.125});
  addAttention(cases, {"later_queries", 1, 5, 2, 1, 4, 12, false, true, 0, 7, 0});
  addAttention(cases, {"masked_rows", 1, 8, 2, 1, 4, 6, false, true, 0.25, 2, 6});
  addAttention(cases, {"all_masked", 1, 4, 2, 1, 4, 6, false, true, 0, 0, 5});
  addAttention(cases, {"no_keys", 1, 4, 2, 1, 4, 0, false, true, 0, 0, 5});
  addAttention(cases, {"balanced_own", 2, 8, 2, 1, 4, 8, false, true, 0.25, 8, 8, 2, 16});
  addAttention(cases, {"balanced_later_keys", 1, 8, 2, 2, 4, 8, true, true, 0.25, 0, 8, 2, 16});
  addAttention(cases, {"balanced_earlier_keys", 1, 8, 2, 1, 4, 8, false, true, 0.25, 8, 0, 2, 16});
  addAttention(cases, {"balanced_part_of_part", 1, 3, 2, 1, 4, 6, false, true, 0.25, 7, 6, 3, 18});
  addAttention(cases, {"balanced_whole", 1, 12, 2, 1, 4, 12, false, true, 0.25, 0, 0, 3, 12});
  addAttention(cases, {"balanced_two_parts", 1, 7, 2, 1, 4, 9, false, true, 0.25, 4, 1, 3, 12});
  addAttention(cases, {"balanced_noncausal", 1, 8, 2, 1, 4, 8, false, false, 0.25, 0, 8, 2, 16});
  addAttention(cases, {"balanced_blocks", 1, 300, 1, 1, 8, 300, false, true, 0.125, 300, 0, 2, 600});
  addAttention(cases, {.name = "mask", .b = 2, .s = 5, .g = 3, .r = 1, .d = 4, .t = 7, .maskRank = 2});
  addAttention(cases, {.name = "mask_of_samples", .b = 2, .s = 5, .g = 3, .r = 1, .d = 4, .t = 7, .maskRank = 3});
  addAttention(cases, {.name = "mask_grouped_causal_dropout",
                       .b = 2,
                       .s = 9,
                       .g = 2,
                       .r = 3,
                       .d = 5,
                       .t = 9,
                       .grouped = true,
                       .causal = true,
                       .rate = 0.25,
                       .maskRank = 3});
  addAttention(cases, {.name = "mask_blocks",
                       .b = 2,
                       .s = 300,
                       .g = 1,
                       .r = 1,
                       .d = 16,
                       .t = 290,
                       .causal = true,
                       .rate = 0.125,
                       .maskRank = 3});
  addAttention(cases, {.name = "mask_of_a_shard",
                       .b = 1,
                       .s = 5,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 12,
                       .causal = true,
                       .queryOffset = 7,
                       .maskRank = 2});
  // Queries and keys of two sequences, each in an order of its own.
  addAttention(cases, {.name = "natural_keys",
                       .b = 2,
                       .s = 8,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 13,
                       .causal = true,
                       .rate = 0.25,
                       .queryOffset = 8,
                       .parts = 2,
                       .sequence = 16,
                       .keyParts = 1,
                       .keySequence = 13});
  addAttention(cases, {.name = "natural_queries",
                       .b = 1,
                       .s = 7,
                       .g = 2,
                       .r = 2,
                       .d = 4,
                       .t = 8,
                       .grouped = true,
                       .causal = true,
                       .rate = 0.25,
                       .queryOffset = 3,
                       .keyOffset = 4,
                       .sequence = 15,
                       .keyParts = 2,
                       .keySequence = 12});
  addAttention(cases, {.name = "two_balanced",
                       .b = 1,
                       .s = 6,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 12,
                       .rate = 0.25,
                       .queryOffset = 6,
                       .keyOffset = 12,
                       .parts = 3,
                       .sequence = 18,
                       .keyParts = 2,
                       .keySequence = 24});
  addAttention(cases, {.name = "mask_natural_keys",
                       .b = 2,
                       .s = 8,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 13,
                       .causal = true,
                       .queryOffset = 8,
                       .parts = 2,
                       .sequence = 16,
                       .maskRank = 3,
                       .keyParts = 1,
                       .keySequence = 13});
  addAttention(cases, {.name = "mask_far",
                       .b = 2,
                       .s = 23,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 9,
                       .maskRank = 3,
                       .keySequence = 9,
                       .farMask = true});
  addAttention(cases, {.name = "mask_far_causal",
                       .b = 2,
                       .s = 23,
                       .g = 2,
                       .r = 3,
                       .d = 5,
                       .t = 23,
                       .grouped = true,
                       .causal = true,
                       .rate = 0.25,
                       .maskRank = 2,
                       .farMask = true});
  addAttention(cases, {.name = "mask_far_blocks",
                       .b = 1,
                       .s = 300,
                       .g = 1,
                       .r = 1,
                       .d = 16,
                       .t = 290,
                       .causal = true,
                       .maskRank = 3,
                       .keySequence = 290,
                       .farMask = true});
  addAttention(cases, {.name = "mask_far_balanced",
                       .b = 2,
                       .s = 8,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 16,
                       .causal = true,
                       .queryOffset = 8,
                       .parts = 2,
                       .sequence = 16,
                       .maskRank = 3,
                       .farMask = true});
  addAttention(cases, {.name = "mask_balanced",
                       .b = 2,
                       .s = 8,
                       .g = 2,
                       .r = 1,
                       .d = 4,
                       .t = 16,
                       .causal = true,
                       .rate = 0.25,
                       .queryOffset = 8,
                       .parts = 2,
                       .sequence = 16,
                       .maskRank = 3});
}
