//===- matmul.cpp - the CPU matrix product on one core --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernel "matmul" on shapes of GPT-2 (124M), one thread, f32. The peer is oneDNN behind the same kernel: run once
// as it is and once with MODELPAR_MATMUL=onednn in the environment.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Kernel.h"

#include <benchmark/benchmark.h>

#include <random>

using namespace modelpar;
using namespace modelpar::runtime;

static std::vector<float> randomMatrix(int64_t rows, int64_t columns) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (float &value : values)
    value = uniform(generator);
  return values;
}

static TensorView view(std::vector<float> &values, int64_t rows, int64_t columns) {
  TensorView tensor;
  tensor.data = values.data();
  tensor.rank = 2;
  tensor.extents[0] = tensor.globalExtents[0] = rows;
  tensor.extents[1] = tensor.globalExtents[1] = columns;
  return tensor;
}

/// C[m, n] = A · B over k, with subscripts that say how A and B are stored.
static void matmul(benchmark::State &state, const std::string &subscripts) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const bool leftTransposed = subscripts.starts_with("km"),
             rightTransposed = subscripts.find(",nk") != std::string::npos;
  std::vector<float> a = randomMatrix(m, k), b = randomMatrix(k, n), c(static_cast<size_t>(m * n));
  const TensorView inputs[] = {leftTransposed ? view(a, k, m) : view(a, m, k),
                               rightTransposed ? view(b, n, k) : view(b, k, n)};
  const TensorView output = view(c, m, n);

  planformat::Instruction instruction;
  instruction.op = "matmul";
  instruction.attributes["subscripts"] = subscripts;
  std::unique_ptr<Kernel> kernel;
  if (Status status = KernelRegistry::global().create(instruction, "cpu", planformat::DType::F32, kernel);
      !status.ok()) {
    state.SkipWithError(status.message().c_str());
    return;
  }
  ThreadPool pool(1);
  KernelArgs args;
  args.inputs = inputs;
  args.outputs = {&output, 1};
  args.pool = &pool;
  for (auto _ : state)
    if (Status status = kernel->launch(args); !status.ok())
      state.SkipWithError(status.message().c_str());
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * double(m) * double(n) * double(k), benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(matmul, plain, "mk,kn->mn")->Args({512, 768, 768})->Args({512, 3072, 768})->Args({128, 128, 128});
BENCHMARK_CAPTURE(matmul, right_transposed, "mk,nk->mn")->Args({512, 768, 3072})->Args({512, 50257, 768});
BENCHMARK_CAPTURE(matmul, left_transposed, "km,kn->mn")->Args({768, 3072, 512});

int main(int argc, char **argv) {
  registerCpuKernels(KernelRegistry::global());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
