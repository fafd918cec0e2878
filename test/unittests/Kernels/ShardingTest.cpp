//===- ShardingTest.cpp - shards computed alone join to the whole ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For every factor that a kernel's op may be sharded along: cut the operands unevenly
// (one part is empty), run the kernel on each part, join the results as the op's rule
// says, and compare with the unsharded results.
//
//===----------------------------------------------------------------------===//

#include "test/Conformance/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using planformat::Scalar;

namespace {

/// How a result that lacks the split factor joins.
enum class Join { Same, Sum, Lse };

struct Split {
  std::string factor;
  std::vector<int> inputDims;  ///< Dimension of each input that has the factor, or -1.
  std::vector<int> outputDims; ///< Likewise of the outputs; those with -1 join.
  std::vector<Join> joins;     ///< Of the outputs (ignored where they have the dimension); empty: Same.
};

struct ShardedOp {
  std::string op;
  planformat::Attributes attributes;
  Tensors inputs, outputs; ///< Outputs: shapes.
  std::vector<Split> splits;
};

void join(Join kind, bool first, const Tensor &part, Tensor &whole) {
  for (int64_t i = 0; i < whole.size(); ++i) {
    double &a = whole.values[i], b = part.values[i];
    if (first)
      a = b;
    else if (kind == Join::Sum)
      a += b;
    else if (kind == Join::Lse)
      a = std::max(a, b) == -INFINITY ? -INFINITY : std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
    else
      EXPECT_EQ(a, b);
  }
}

void check(const ShardedOp &c, DType dtype, double tolerance) {
  RunOptions options{dtype, 2, 1};
  const Tensors whole = runCpu(c.op, c.attributes, c.inputs, c.outputs, options);
  for (const Split &split : c.splits) {
    int64_t size = 0;
    for (size_t i = 0; i < c.inputs.size(); ++i)
      if (split.inputDims[i] >= 0)
        size = c.inputs[i].shape[split.inputDims[i]];
    for (size_t i = 0; i < c.outputs.size(); ++i)
      if (split.outputDims[i] >= 0)
        size = c.outputs[i].shape[split.outputDims[i]];
    Tensors joined = c.outputs;
    const int64_t chunk = (size + 2) / 3;
    int number = 0;
    for (int64_t begin : {int64_t(0), chunk, std::min(2 * chunk, size), size}) {
      const int64_t extent = std::min(chunk, size - begin);
      Tensors inputs, outputs;
      for (size_t i = 0; i < c.inputs.size(); ++i)
        inputs.push_back(split.inputDims[i] < 0 ? c.inputs[i] : c.inputs[i].slice(split.inputDims[i], begin, extent));
      for (size_t i = 0; i < c.outputs.size(); ++i)
        outputs.push_back(split.outputDims[i] < 0 ? c.outputs[i]
                                                  : c.outputs[i].slice(split.outputDims[i], begin, extent));
      outputs = runCpu(c.op, c.attributes, inputs, outputs, options);
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (split.outputDims[i] >= 0)
          joined[i].assign(split.outputDims[i], outputs[i]);
        else
          join(split.joins.empty() ? Join::Same : split.joins[i], number == 0, outputs[i], joined[i]);
      }
      ++number;
    }
    for (size_t i = 0; i < whole.size(); ++i)
      EXPECT_LE(worstError(joined[i], whole[i]), tolerance)
          << c.op << " along " << split.factor << ", output " << i << ", " << planformat::name(dtype);
  }
}

/// Parts add in another order than the whole.
constexpr double kFloatTolerance = 2e-5, kDoubleTolerance = 1e-12;

void check(const ShardedOp &c) {
  check(c, DType::F32, kFloatTolerance);
  check(c, DType::F64, kDoubleTolerance);
}

using T = Tensor;

TEST(ShardedKernels, Matmul) {
  check({"matmul",
         {{"subscripts", std::string("bsh,hngd->bsngd")}},
         {T::reals({2, 5, 7}, 1), T::reals({7, 3, 4, 5}, 2)},
         {T::zeros({2, 5, 3, 4, 5})},
         {{"b", {0, -1}, {0}, {}},
          {"s", {1, -1}, {1}, {}},
          {"h", {2, 0}, {-1}, {Join::Sum}},
          {"g", {-1, 2}, {3}, {}},
          {"d", {-1, 3}, {4}, {}}}});
}

TEST(ShardedKernels, Elementwise) {
  T x = T::reals({4, 5, 6}, 1), y = T::reals({4, 5, 6}, 2), bias = T::reals({5, 6}, 3), out = T::zeros({4, 5, 6});
  check({"add", {}, {x, y}, {out}, {{"0", {0, 0}, {0}, {}}, {"1", {1, 1}, {1}, {}}, {"2", {2, 2}, {2}, {}}}});
  check({"add", {}, {x, bias}, {out}, {{"0", {0, -1}, {0}, {}}, {"1", {1, 0}, {1}, {}}, {"2", {2, 1}, {2}, {}}}});
  check({"mul", {}, {x, y}, {out}, {{"1", {1, 1}, {1}, {}}}});
  check({"sum", {}, {x, y, x}, {out}, {{"1", {1, 1, 1}, {1}, {}}}});
  check({"reduce_sum", {}, {x}, {T::zeros({5, 6})}, {{"0", {0}, {-1}, {Join::Sum}}, {"1", {1}, {0}, {}}}});
  check({"activation", {{"kind", std::string("gelu_tanh")}}, {x}, {out}, {{"1", {1}, {1}, {}}}});
  check({"activation_grad", {{"kind", std::string("gelu_tanh")}}, {y, x}, {out}, {{"1", {1, 1}, {1}, {}}}});
  check({"unpack",
         {{"dim", int64_t(1)}},
         {x},
         Tensors(5, T::zeros({4, 6})),
         {{"0", {0}, {0, 0, 0, 0, 0}, {}}, {"2", {2}, {1, 1, 1, 1, 1}, {}}}});
  check({"pack",
         {{"dim", int64_t(1)}},
         Tensors(5, T::reals({4, 6}, 1)),
         {out},
         {{"0", {0, 0, 0, 0, 0}, {0}, {}}, {"2", {1, 1, 1, 1, 1}, {2}, {}}}});
}

TEST(ShardedKernels, DropoutDropsTheSameElements) {
  check({"dropout",
         {{"rate", 0.5}, {"key", int64_t(3)}},
         {T::reals({4, 5, 7}, 1), T::scalars()},
         {T::zeros({4, 5, 7})},
         {{"0", {0, -1}, {0}, {}}, {"1", {1, -1}, {1}, {}}, {"2", {2, -1}, {2}, {}}}});
}

TEST(ShardedKernels, Embedding) {
  T ids = T::ids({3, 7}, 1, 0, 10);
  check(
      {"embedding",
       {},
       {ids, T::reals({10, 6}, 2)},
       {T::zeros({3, 7, 6})},
       {{"b", {0, -1}, {0}, {}}, {"s", {1, -1}, {1}, {}}, {"v", {-1, 0}, {-1}, {Join::Sum}}, {"h", {-1, 1}, {2}, {}}}});
  // Without a row of padding, and with one at either end and in the middle of the table: in another shard of it each.
  for (int64_t padding : {-1, 0, 4, 9})
    check({"embedding_grad",
           padding < 0 ? planformat::Attributes() : planformat::Attributes{{"padding_row", padding}},
           {T::reals({3, 7, 6}, 3), ids},
           {T::zeros({10, 6})},
           {{"b", {0, 0}, {-1}, {Join::Sum}},
            {"s", {1, 1}, {-1}, {Join::Sum}},
            {"v", {-1, -1}, {0}, {}},
            {"h", {2, -1}, {1}, {}}}});
}

TEST(ShardedKernels, LayerNorm) {
  T x = T::reals({3, 7, 20}, 1), g = T::reals({3, 7, 20}, 2), w = T::reals({20}, 3), b = T::reals({20}, 4),
    row = T::zeros({3, 7});
  planformat::Attributes epsilon = {{"epsilon", 1e-5}};
  Tensors results = runCpu("layer_norm", epsilon, {x, w, b}, {x, row, row}, {DType::F64});
  check({"layer_norm",
         epsilon,
         {x, w, b},
         {x, row, row},
         {{"b", {0, -1, -1}, {0, 0, 0}, {}}, {"s", {1, -1, -1}, {1, 1, 1}, {}}}});
  check({"layer_norm_input_grad",
         {},
         {g, x, w, results[1], results[2]},
         {x},
         {{"b", {0, 0, -1, 0, 0}, {0}, {}}, {"s", {1, 1, -1, 1, 1}, {1}, {}}}});
  check({"layer_norm_weight_grad",
         {},
         {g, x, results[1], results[2]},
         {w, w},
         {{"b", {0, 0, 0, 0}, {-1, -1}, {Join::Sum, Join::Sum}},
          {"s", {1, 1, 1, 1}, {-1, -1}, {Join::Sum, Join::Sum}},
          {"h", {2, 2, -1, -1}, {0, 0}, {}}}});
}

TEST(ShardedKernels, RmsNorm) {
  T x = T::reals({3, 7, 20}, 1), g = T::reals({3, 7, 20}, 2), w = T::reals({20}, 3), row = T::zeros({3, 7});
  planformat::Attributes epsilon = {{"epsilon", 1e-5}};
  Tensors results = runCpu("rms_norm", epsilon, {x, w}, {x, row}, {DType::F64});
  check({"rms_norm", epsilon, {x, w}, {x, row}, {{"b", {0, -1}, {0, 0}, {}}, {"s", {1, -1}, {1, 1}, {}}}});
  check({"rms_norm_input_grad",
         {},
         {g, x, w, results[1]},
         {x},
         {{"b", {0, 0, -1, 0}, {0}, {}}, {"s", {1, 1, -1, 1}, {1}, {}}}});
  check({"rms_norm_weight_grad",
         {},
         {g, x, results[1]},
         {w},
         {{"b", {0, 0, 0}, {-1}, {Join::Sum}}, {"s", {1, 1, 1}, {-1}, {Join::Sum}}, {"h", {2, 2, -1}, {0}, {}}}});
}

TEST(ShardedKernels, Rotary) {
  T x = T::reals({3, 7, 4, 5, 6}, 1);
  for (bool inverse : {false, true})
    check({"rotary",
           {{"theta", 100.0}, {"inverse", inverse}},
           {x, T::ids({7}, 2, 0, 40)},
           {x},
           {{"b", {0, -1}, {0}, {}}, {"s", {1, 0}, {1}, {}}, {"g", {2, -1}, {2}, {}}, {"r", {3, -1}, {3}, {}}}});
}

/// Along t the forward result is no plain sum, so only lse is compared there; the gradients take the global out and
/// lse.
TEST(ShardedKernels, Attention) {
  for (double rate : {0.0, 0.3})
    for (bool causal : {true, false}) {
      planformat::Attributes attributes = {
          {"causal", causal}, {"scale", 0.5}, {"rate", rate}, {"dropout_key", int64_t(5)}};
      T q = T::reals({2, 7, 3, 4, 5}, 1), k = T::reals({2, 7, 3, 5}, 2), v = T::reals({2, 7, 3, 5}, 3),
        grad = T::reals({2, 7, 3, 4, 5}, 4), row = T::zeros({2, 7, 3, 4}), scalars = T::scalars();
      Tensors out = runCpu("attention", attributes, {q, k, v, scalars}, {q, row}, {DType::F64, 1, 1});
      check({"attention",
             attributes,
             {q, k, v, scalars},
             {q, row},
             {{"b", {0, 0, 0, -1}, {0, 0}, {}},
              {"s", {1, -1, -1, -1}, {1, 1}, {}},
              {"g", {2, 2, 2, -1}, {2, 2}, {}},
              {"r", {3, -1, -1, -1}, {3, 3}, {}}}});
      check({"attention_grad",
             attributes,
             {grad, q, k, v, out[0], out[1], scalars},
             {q, k, v},
             {{"b", {0, 0, 0, 0, 0, 0, -1}, {0, 0, 0}, {}},
              {"s", {1, 1, -1, -1, 1, 1, -1}, {1, -1, -1}, {Join::Same, Join::Sum, Join::Sum}},
              {"g", {2, 2, 2, 2, 2, 2, -1}, {2, 2, 2}, {}},
              {"r", {3, 3, -1, -1, 3, 3, -1}, {3, -1, -1}, {Join::Same, Join::Sum, Join::Sum}},
              {"t", {-1, -1, 1, 1, -1, -1, -1}, {-1, 1, 1}, {Join::Sum, Join::Same, Join::Same}}}});
    }
}

TEST(ShardedKernels, MaskedAttention) {
  planformat::Attributes attributes = {{"causal", true}, {"scale", 0.5}, {"rate", 0.3}, {"dropout_key", int64_t(5)}};
  T q = T::reals({2, 7, 3, 5}, 1), k = T::reals({2, 7, 3, 5}, 2), v = T::reals({2, 7, 3, 5}, 3),
    grad = T::reals({2, 7, 3, 5}, 4), row = T::zeros({2, 7, 3}), scalars = T::scalars();
  for (std::vector<int64_t> shape : {std::vector<int64_t>{7, 7}, {2, 7, 7}}) {
    const T mask = T::reals(shape, 6);
    const int s = static_cast<int>(shape.size()) - 2, b = s - 1; // -1: one for all samples.
    Tensors out = runCpu("attention", attributes, {q, k, v, scalars, mask}, {q, row}, {DType::F64, 1, 1});
    check({"attention",
           attributes,
           {q, k, v, scalars, mask},
           {q, row},
           {{"b", {0, 0, 0, -1, b}, {0, 0}, {}},
            {"s", {1, -1, -1, -1, s}, {1, 1}, {}},
            {"s of the queries alone", {1, -1, -1, -1, -1}, {1, 1}, {}},
            {"g", {2, 2, 2, -1, -1}, {2, 2}, {}}}});
    check({"attention_grad",
           attributes,
           {grad, q, k, v, out[0], out[1], scalars, mask},
           {q, k, v},
           {{"b", {0, 0, 0, 0, 0, 0, -1, b}, {0, 0, 0}, {}},
            {"s", {1, 1, -1, -1, 1, 1, -1, s}, {1, -1, -1}, {Join::Same, Join::Sum, Join::Sum}},
            {"g", {2, 2, 2, 2, 2, 2, -1, -1}, {2, 2, 2}, {}},
            // Of parts of the keys the mask is whole: what is taken off a row is that of all its keys.
            {"t", {-1, -1, 1, 1, -1, -1, -1, -1}, {-1, 1, 1}, {Join::Sum, Join::Same, Join::Same}}}});
  }
}

TEST(ShardedKernels, Losses) {
  T logits = T::reals({3, 5, 13}, 1), targets = T::ids({3, 5}, 2, -2, 13), row = T::zeros({3, 5}),
    scalars = T::scalars();
  Tensors stats = runCpu("softmax_stats", {}, {logits, targets}, {row, row}, {DType::F64});
  check({"softmax_stats",
         {},
         {logits, targets},
         {row, row},
         {{"b", {0, 0}, {0, 0}, {}}, {"s", {1, 1}, {1, 1}, {}}, {"v", {2, -1}, {-1, -1}, {Join::Lse, Join::Sum}}}});
  check({"softmax_stats_grad",
         {},
         {logits, targets, stats[0], T::reals({3, 5}, 3), T::reals({3, 5}, 4)},
         {logits},
         {{"b", {0, 0, 0, 0, 0}, {0}, {}}, {"s", {1, 1, 1, 1, 1}, {1}, {}}, {"v", {2, -1, -1, -1, -1}, {2}, {}}}});
  check({"token_loss",
         {},
         {stats[0], stats[1], targets, scalars},
         {T::zeros({})},
         {{"b", {0, 0, 0, -1}, {-1}, {Join::Sum}}, {"s", {1, 1, 1, -1}, {-1}, {Join::Sum}}}});
  check({"token_loss_grad", {}, {targets, scalars}, {row, row}, {{"b", {0, -1}, {0, 0}, {}}}});
  check({"squared_error",
         {},
         {logits, T::reals({3, 5, 13}, 5)},
         {T::zeros({})},
         {{"0", {0, 0}, {-1}, {Join::Sum}}, {"2", {2, 2}, {-1}, {Join::Sum}}}});
  check({"squared_error_grad", {}, {logits, T::reals({3, 5, 13}, 5)}, {logits}, {{"2", {2, 2}, {2}, {}}}});
}

TEST(ShardedKernels, Update) {
  T p = T::reals({9, 4}, 1), g = T::reals({9, 4}, 2), m = T::reals({9, 4}, 3), v = T::reals({9, 4}, 4, 0, 2),
    scale = T::of({}, {0.5}), scalars = T::scalars();
  check({"sum_squares", {}, {p, g}, {T::zeros({})}, {{"both", {0, 0}, {-1}, {Join::Sum}}}});
  check({"adamw",
         {{"weight_decay", true}},
         {p, g, m, v, scale, scalars},
         {p, m, v},
         {{"0", {0, 0, 0, 0, -1, -1}, {0, 0, 0}, {}}, {"1", {1, 1, 1, 1, -1, -1}, {1, 1, 1}, {}}}});
  check({"sgd", {{"weight_decay", true}}, {p, g, scale, scalars}, {p}, {{"0", {0, 0, -1, -1}, {0}, {}}}});
}

} // namespace
