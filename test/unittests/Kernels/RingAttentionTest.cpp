//===- RingAttentionTest.cpp - attention block by block is attention -------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys and values are cut into blocks. Attention over each block, merged one after the
// other, must equal attention over all of them; likewise the gradients, of which the
// queries' add up and the keys' and values' belong to their block. And sequences in
// balanced order must give the rows of the natural ones.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/SequenceOrder.h"
#include "test/Conformance/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using sharding::Range;
using sharding::SequenceOrder;

namespace {

using T = Tensor;
/// Blocks add in another order than the whole.
constexpr double kFloatTolerance = 2e-5, kDoubleTolerance = 1e-12;
constexpr int kSequence = 1; ///< The dimension.

struct Problem {
  T q, k, v, grad, scalars = T::scalars();
  Tensors mask; ///< One, or none; whole along the keys.
  planformat::Attributes attributes;

  Problem(int64_t s, bool causal, double rate, int64_t parts) : Problem(s, s, causal, rate, parts, parts) {}
  /// Queries of one sequence, keys of another.
  Problem(int64_t s, int64_t t, bool causal, double rate, int64_t parts, int64_t keyParts)
      : q(T::reals({2, s, 2, 3, 4}, 1).inParts(kSequence, parts)),
        k(T::reals({2, t, 2, 4}, 2).inParts(kSequence, keyParts)),
        v(T::reals({2, t, 2, 4}, 3).inParts(kSequence, keyParts)),
        grad(T::reals({2, s, 2, 3, 4}, 4).inParts(kSequence, parts)),
        attributes{{"causal", causal}, {"scale", 0.5}, {"rate", rate}, {"dropout_key", int64_t(5)}} {}
  int64_t size() const { return q.shape[kSequence]; }
  /// The same with the queries of one shard.
  Problem queries(Range shard) const {
    Problem part = *this;
    part.q = q.slice(kSequence, shard.offset, shard.extent);
    part.grad = grad.slice(kSequence, shard.offset, shard.extent);
    for (T &each : part.mask)
      each = each.slice(kSequence, shard.offset, shard.extent);
    return part;
  }
};

T rows(const T &q) {
  T lse = T::zeros({q.shape.begin(), q.shape.end() - 1});
  lse.offset[kSequence] = q.offset[kSequence];
  lse.global[kSequence] = q.global[kSequence];
  return lse;
}

Tensors forward(const Problem &p, const T &k, const T &v, const RunOptions &options) {
  Tensors inputs = {p.q, k, v, p.scalars};
  inputs.insert(inputs.end(), p.mask.begin(), p.mask.end());
  return runCpu("attention", p.attributes, inputs, {p.q, rows(p.q)}, options);
}
Tensors backward(const Problem &p, const T &k, const T &v, const Tensors &result, const RunOptions &options) {
  Tensors inputs = {p.grad, p.q, k, v, result[0], result[1], p.scalars};
  inputs.insert(inputs.end(), p.mask.begin(), p.mask.end());
  return runCpu("attention_grad", p.attributes, inputs, {p.q, k, v}, options);
}

/// The results of the ring: out, lse, dq, dk, dv.
Tensors ring(const Problem &p, const std::vector<Range> &blocks, const RunOptions &options) {
  Tensors results;
  auto block = [&](const T &whole, Range b) { return whole.slice(kSequence, b.offset, b.extent); };
  for (Range b : blocks) {
    Tensors part = forward(p, block(p.k, b), block(p.v, b), options);
    RunOptions inPlace = options;
    inPlace.inPlaceInput = 0;
    results = results.empty() ? part
                              : runCpu("attention_merge", {}, {results[0], results[1], part[0], part[1]},
                                       {results[0], results[1]}, inPlace);
  }
  T queryGrad = p.q, keyGrad = p.k, valueGrad = p.v;
  std::fill(queryGrad.values.begin(), queryGrad.values.end(), 0.0);
  for (Range b : blocks) {
    Tensors part = backward(p, block(p.k, b), block(p.v, b), results, options);
    for (int64_t i = 0; i < queryGrad.size(); ++i)
      queryGrad.values[i] += part[0].values[i];
    keyGrad.assign(kSequence, part[1]);
    valueGrad.assign(kSequence, part[2]);
  }
  for (T *gradient : {&queryGrad, &keyGrad, &valueGrad})
    results.push_back(*gradient);
  return results;
}

Tensors whole(const Problem &p, const RunOptions &options) {
  Tensors results = forward(p, p.k, p.v, options), gradients = backward(p, p.k, p.v, results, options);
  results.insert(results.end(), gradients.begin(), gradients.end());
  return results;
}

void expectNear(const Tensors &found, const Tensors &expected, double tolerance, const std::string &what) {
  const char *names[] = {"out", "lse", "dq", "dk", "dv"};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE(worstError(found[i], expected[i]), tolerance) << what << ", " << names[i];
}

void check(const Problem &p, const std::vector<Range> &blocks, const std::string &what) {
  for (DType dtype : {DType::F64, DType::F32}) {
    RunOptions options{dtype, 2, 1};
    expectNear(ring(p, blocks, options), whole(p, options), dtype == DType::F64 ? kDoubleTolerance : kFloatTolerance,
               what + ", " + std::string(planformat::name(dtype)));
  }
}

TEST(RingAttention, EverySplitIntoThreeBlocks) {
  constexpr int64_t kSize = 8;
  for (int64_t parts : {1, 2})
    for (bool causal : {true, false})
      for (double rate : {0.0, 0.3}) {
        Problem p(kSize, causal, rate, parts);
        // Empty blocks first, in the middle and last are among them.
        for (int64_t a = 0; a <= kSize; ++a)
          for (int64_t b = a; b <= kSize; ++b)
            check(p, {{0, a}, {a, b - a}, {b, kSize - b}},
                  "blocks at " + std::to_string(a) + " and " + std::to_string(b) + ", parts " + std::to_string(parts) +
                      ", causal " + std::to_string(causal) + ", rate " + std::to_string(rate));
      }
}

/// As ranks do it: the queries of one shard, blocks in the order in which they arrive.
TEST(RingAttention, EveryRankOfARing) {
  for (int64_t size : {1, 2, 3, 4})
    for (bool balanced : {true, false}) {
      Problem p(24, /*causal=*/true, 0.3, balanced ? size : 1);
      const int64_t extent = 24 / size;
      for (int64_t rank = 0; rank < size; ++rank) {
        std::vector<Range> blocks;
        for (int64_t step = 0; step < size; ++step)
          blocks.push_back({(rank + size - step) % size * extent, extent});
        check(p.queries({rank * extent, extent}), blocks,
              "rank " + std::to_string(rank) + " of " + std::to_string(size) + (balanced ? ", balanced" : ""));
      }
    }
}

TEST(RingAttention, TilesLargerThanTheRegisters) {
  // Several tiles of queries and keys in a chunk, and one that is cut by its border.
  Problem p(4 * 150, /*causal=*/true, 0.125, 2);
  check(p.queries({300, 300}), {{300, 300}, {0, 300}}, "rank 1 of 2");
  check(p.queries({0, 300}), {{0, 300}, {300, 300}}, "rank 0 of 2");
}

TEST(RingAttention, ARowThatNothingIsVisibleToStaysEmpty) {
  Problem p = Problem(8, /*causal=*/true, 0, 1).queries({0, 3});
  Tensors first = forward(p, p.k.slice(kSequence, 4, 2), p.v.slice(kSequence, 4, 2), {DType::F64});
  Tensors merged =
      runCpu("attention_merge", {}, {first[0], first[1], first[0], first[1]}, {first[0], first[1]}, {DType::F64});
  for (double value : merged[0].values)
    EXPECT_EQ(value, 0);
  for (double value : merged[1].values)
    EXPECT_EQ(value, -INFINITY);
  for (const T &gradient : backward(p, p.k.slice(kSequence, 4, 2), p.v.slice(kSequence, 4, 2), merged, {DType::F64}))
    for (double value : gradient.values)
      EXPECT_EQ(value, 0);
}

/// Parts of the keys under one mask, whatever it adds: what is taken off a row is that of all its keys.
TEST(RingAttention, MasksFarFromScores) {
  constexpr int64_t kSize = 12;
  for (bool causal : {true, false}) {
    Problem p(kSize, causal, 0.3, 1);
    T mask = T::zeros({2, kSize, kSize});
    const double levels[] = {-1e9, -1e30, 1e9, 0};
    for (int64_t i = 0; i < mask.size(); ++i) {
      const int64_t query = i / kSize % kSize, key = i % kSize;
      mask.values[i] = levels[query % 4] - (query >= 8 && key % 3 == 0 ? INFINITY : query >= 4 && key >= 6 ? 1e9 : 0);
    }
    p.mask = {mask};
    check(p, {{0, 5}, {5, 3}, {8, 4}}, causal ? "causal" : "whole");
    check(p, {{8, 4}, {0, 5}, {5, 3}}, causal ? "causal, later keys first" : "whole, later keys first");
    check(p.queries({4, 5}), {{4, 8}, {0, 4}}, causal ? "causal, some queries" : "whole, some queries");
  }
}

/// Stored row i is the text's row position(i).
T reordered(const T &tensor, int dim, const SequenceOrder &order) {
  T result = tensor;
  for (int64_t i = 0; i < order.size; ++i) {
    T row = tensor.slice(dim, order.position(i), 1);
    row.offset[dim] = i;
    result.assign(dim, row);
  }
  return result;
}

/// The queries see the same keys, and the same of their probabilities are dropped.
TEST(BalancedOrder, AttentionOfTheReorderedSequence) {
  for (int64_t parts : {2, 3, 6})
    for (bool causal : {true, false}) {
      const SequenceOrder order{24, parts};
      Problem natural(24, causal, 0.4, 1), stored(24, causal, 0.4, parts);
      for (T *tensor : {&stored.q, &stored.k, &stored.v, &stored.grad})
        *tensor = reordered(*tensor, kSequence, order);
      Tensors expected = whole(natural, {DType::F64});
      for (T &tensor : expected)
        tensor = reordered(tensor, kSequence, order);
      expectNear(whole(stored, {DType::F64}), expected, kDoubleTolerance, "parts " + std::to_string(parts));
    }
}

/// Each in the order of its own sequence, natural or not, of one size or of two.
TEST(BalancedOrder, QueriesAndKeysOfTwoSequences) {
  for (auto [parts, keyParts] : {std::pair<int64_t, int64_t>{2, 1}, {1, 2}, {2, 3}, {3, 2}})
    for (int64_t keys : {24, 36, 13}) {
      if (keys == 13 && keyParts > 1)
        continue; // No balanced split.
      for (bool causal : {true, false}) {
        const SequenceOrder order{24, parts}, keyOrder{keys, keyParts};
        Problem natural(24, keys, causal, 0.4, 1, 1), stored(24, keys, causal, 0.4, parts, keyParts);
        for (T *tensor : {&stored.q, &stored.grad})
          *tensor = reordered(*tensor, kSequence, order);
        for (T *tensor : {&stored.k, &stored.v})
          *tensor = reordered(*tensor, kSequence, keyOrder);
        Tensors expected = whole(natural, {DType::F64});
        for (size_t i = 0; i < expected.size(); ++i)
          expected[i] = reordered(expected[i], kSequence, i < 3 ? order : keyOrder);
        const std::string what = std::to_string(keys) + " keys, parts " + std::to_string(parts) + " and " +
                                 std::to_string(keyParts) + ", causal " + std::to_string(causal);
        expectNear(whole(stored, {DType::F64}), expected, kDoubleTolerance, what);
        const int64_t half = keys / 2;
        expectNear(ring(stored, {{half, keys - half}, {0, half}}, {DType::F64}), expected, kDoubleTolerance,
                   what + ", in two blocks");
      }
    }
}

/// Bit for bit, whatever dimension the sequence is and however it is sharded.
TEST(BalancedOrder, DropoutDropsTheSameElements) {
  for (int dim : {0, 1, 2}) {
    const SequenceOrder order{12, 3};
    T x = T::reals({12, 12, 12}, 1), scalars = T::scalars();
    planformat::Attributes attributes = {{"rate", 0.5}, {"key", int64_t(3)}};
    T natural = reordered(runCpu("dropout", attributes, {x, scalars}, {x})[0], dim, order);
    T stored = reordered(x, dim, order).inParts(dim, order.parts), joined = stored;
    EXPECT_EQ(worstError(runCpu("dropout", attributes, {stored, scalars}, {stored})[0], natural), 0);
    for (int split : {0, 1, 2})
      for (int64_t begin = 0; begin < 12; begin += 5) { // 5, 5, 2: across the borders of chunks.
        T part = stored.slice(split, begin, std::min<int64_t>(5, 12 - begin));
        joined.assign(split, runCpu("dropout", attributes, {part, scalars}, {part})[0]);
        if (begin == 10) {
          EXPECT_EQ(worstError(joined, natural), 0) << "dimension " << dim << " split along " << split;
        }
      }
  }
}

} // namespace
