//===- DeterminismTest.cpp - same bits for any number of threads, in place or not ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Partitions depend on sizes alone, so results must not depend on the number of
// threads; and where an op may write over an operand, on that either.
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

using T = Tensor;
using planformat::Attributes;

void checkThreads(const std::string &op, const Attributes &attributes, const Tensors &inputs, const Tensors &outputs) {
  for (DType dtype : {DType::F32, DType::F64}) {
    Tensors one = runCpu(op, attributes, inputs, outputs, {dtype, 1});
    for (int threads : {2, 5}) {
      Tensors many = runCpu(op, attributes, inputs, outputs, {dtype, threads});
      for (size_t i = 0; i < one.size(); ++i)
        EXPECT_EQ(one[i].values, many[i].values) << op << " on " << threads << " threads, output " << i;
    }
  }
}

TEST(Determinism, ThreadsDoNotChangeBits) {
  T x = T::reals({6, 50, 96}, 1), y = T::reals({6, 50, 96}, 2), w = T::reals({96}, 3), row = T::zeros({6, 50});
  checkThreads("matmul", {{"subscripts", std::string("bsh,hf->bsf")}}, {x, T::reals({96, 70}, 4)},
               {T::zeros({6, 50, 70})});
  checkThreads("matmul", {{"subscripts", std::string("bsh,bsf->hf")}}, {x, y}, {T::zeros({96, 96})});
  checkThreads("add", {}, {x, w}, {x});
  checkThreads("sum", {}, {x, y}, {x});
  checkThreads("reduce_sum", {}, {x}, {w});
  checkThreads("activation", {{"kind", std::string("gelu_tanh")}}, {x}, {x});
  checkThreads("dropout", {{"rate", 0.1}, {"key", int64_t(0)}}, {x, T::scalars()}, {x});
  checkThreads("embedding_grad", {}, {x, T::ids({6, 50}, 5, 0, 20)}, {T::zeros({20, 96})});
  checkThreads("layer_norm", {{"epsilon", 1e-5}}, {x, w, w}, {x, row, row});
  checkThreads("layer_norm_weight_grad", {}, {x, y, row, row}, {w, w});
  checkThreads("rms_norm", {{"epsilon", 1e-5}}, {x, w}, {x, row});
  checkThreads("rms_norm_weight_grad", {}, {x, y, row}, {w});
  checkThreads("rotary", {{"theta", 1e4}, {"inverse", false}}, {x, T::ids({50}, 7, 0, 90)}, {x});
  checkThreads("softmax_stats", {}, {x, T::ids({6, 50}, 6, 0, 96)}, {row, row});
  checkThreads("squared_error", {}, {x, y}, {T::zeros({})});
  checkThreads("sum_squares", {}, {x, y, w}, {T::zeros({})});
  checkThreads("adamw", {{"weight_decay", true}},
               {x, y, x, T::reals({6, 50, 96}, 7, 0, 1), T::of({}, {1}), T::scalars()}, {x, x, x});
  T q = T::reals({2, 150, 3, 8}, 1), lse = T::reals({2, 150, 3}, 2, 5, 6);
  Attributes attention = {{"causal", true}, {"scale", 0.3}, {"rate", 0.1}, {"dropout_key", int64_t(4)}};
  checkThreads("attention", attention, {q, q, q, T::scalars()}, {q, lse});
  checkThreads("attention_grad", attention, {q, q, q, q, q, lse, T::scalars()}, {q, q, q});
}

TEST(Determinism, InPlaceEqualsOutOfPlace) {
  T x = T::reals({40, 33}, 1), y = T::reals({40, 33}, 2), v = T::reals({40, 33}, 3, 0, 1),
    row = T::reals({40}, 4, 3, 4);
  struct Case {
    std::string op;
    Attributes attributes;
    Tensors inputs;
    std::vector<int> places;
  };
  Attributes gelu = {{"kind", std::string("gelu")}}, decay = {{"weight_decay", true}};
  T one = T::of({}, {1}), scalars = T::scalars();
  for (const Case &c : {Case{"add", {}, {x, y}, {0, 1}},
                        {"mul", {}, {x, y}, {0, 1}},
                        {"sum", {}, {x, y, v}, {0, 1, 2}},
                        {"activation", gelu, {x}, {0}},
                        {"activation_grad", gelu, {x, y}, {0, 1}},
                        {"dropout", {{"rate", 0.5}, {"key", int64_t(1)}}, {x, scalars}, {0}},
                        {"softmax_stats_grad", {}, {x, T::ids({40}, 5, 0, 33), row, row, row}, {0}},
                        {"squared_error_grad", {}, {x, y}, {0, 1}},
                        {"layer_norm_input_grad", {}, {x, y, T::reals({33}, 6), row, row}, {0, 1}},
                        {"rms_norm_input_grad", {}, {x, y, T::reals({33}, 6), row}, {0, 1}},
                        {"sgd", decay, {x, y, one, scalars}, {0}}}) {
    Tensors apart = runCpu(c.op, c.attributes, c.inputs, {x});
    for (int place : c.places) {
      RunOptions options;
      options.inPlaceInput = place;
      EXPECT_EQ(runCpu(c.op, c.attributes, c.inputs, {x}, options)[0].values, apart[0].values) << c.op << ", " << place;
    }
  }
}

TEST(Determinism, RotaryInPlaceEqualsOutOfPlace) {
  T x = T::reals({2, 5, 3, 10}, 1), positions = T::ids({5}, 2, 0, 90);
  Attributes attributes = {{"theta", 1e4}, {"inverse", false}};
  RunOptions options;
  options.inPlaceInput = 0;
  EXPECT_EQ(runCpu("rotary", attributes, {x, positions}, {x}, options)[0].values,
            runCpu("rotary", attributes, {x, positions}, {x})[0].values);
}

/// The call instance, the step, the seed and the op's key all change the mask; nothing else does.
TEST(Determinism, DropoutKey) {
  T x = T::of({64}, std::vector<double>(64, 1));
  auto mask = [&](int64_t key, int64_t instance, std::vector<std::pair<Scalar, double>> changes) {
    RunOptions options;
    options.instance = instance;
    return runCpu("dropout", {{"rate", 0.5}, {"key", key}}, {x, T::scalars(changes)}, {x}, options)[0].values;
  };
  std::vector<std::vector<double>> masks = {mask(1, 0, {}),
                                            mask(2, 0, {}),
                                            mask(1, 1, {}),
                                            mask(1, 0, {{Scalar::Step, 4}}),
                                            mask(1, 0, {{Scalar::SeedLow, 5}}),
                                            mask(1, 0, {{Scalar::SeedHigh, 5}})};
  for (size_t i = 0; i < masks.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(masks[i], masks[j]) << i << " and " << j;
  EXPECT_EQ(masks[0], mask(1, 0, {{Scalar::LearningRate, 7}}));
}

/// 20 000 elements at rate 0.3: the share dropped is within five standard deviations.
TEST(Determinism, DropoutRate) {
  T x = T::of({20000}, std::vector<double>(20000, 1));
  T y = runCpu("dropout", {{"rate", 0.3}, {"key", int64_t(9)}}, {x, T::scalars()}, {x})[0];
  double dropped = 0;
  for (double value : y.values) {
    dropped += value == 0;
    EXPECT_TRUE(value == 0 || std::abs(value - 1 / 0.7) < 1e-6);
  }
  EXPECT_NEAR(dropped / 20000, 0.3, 5 * std::sqrt(0.3 * 0.7 / 20000));
}

} // namespace
