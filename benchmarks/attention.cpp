//===- attention.cpp - CPU attention on one core --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels "attention" and "attention_grad" with 12 heads of 64 in f32, causal, one thread: a whole sequence, and
// what one rank of a ring computes of it, block by block, with the contiguous and with the balanced split. GFLOP/s
// counts the pairs of query and key that see each other, so a block that is half masked should not lose any.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Kernel.h"

#include <benchmark/benchmark.h>

#include <random>

using namespace modelpar;
using namespace modelpar::runtime;

namespace {

constexpr int64_t kHeads = 12, kWidth = 64;

/// A shard [1, extent, 12, (64)] of a sequence, with its memory.
struct Operand {
  std::vector<float> values;
  TensorView view;

  /// `orderParts`: of the sequence's order.
  Operand(int64_t sequence, int64_t offset, int64_t extent, int64_t orderParts, bool perRow = false) {
    std::mt19937 generator(static_cast<unsigned>(offset + 1));
    std::uniform_real_distribution<float> uniform(-1, 1);
    values.resize(static_cast<size_t>(extent * kHeads * (perRow ? 1 : kWidth)));
    for (float &value : values)
      value = uniform(generator);
    view.data = values.data();
    view.rank = perRow ? 3 : 4;
    const int64_t extents[] = {1, extent, kHeads, kWidth};
    for (int d = 0; d < view.rank; ++d)
      view.extents[d] = view.globalExtents[d] = extents[d];
    view.offsets[1] = offset;
    view.globalExtents[1] = sequence;
    view.orderParts[1] = orderParts;
  }
};

/// One rank of a ring of `parts`: its queries against the key blocks of all, or of the whole sequence when parts is 1.
void attention(benchmark::State &state, bool backward, int64_t parts, int64_t rank, bool balanced) {
  const int64_t sequence = state.range(0), extent = sequence / parts;
  planformat::Instruction instruction;
  instruction.op = backward ? "attention_grad" : "attention";
  instruction.attributes = {{"causal", true}, {"scale", 0.125}, {"rate", 0.0}, {"dropout_key", int64_t(1)}};
  std::unique_ptr<Kernel> kernel;
  if (Status status = KernelRegistry::global().create(instruction, "cpu", planformat::DType::F32, kernel);
      !status.ok()) {
    state.SkipWithError(status.message().c_str());
    return;
  }
  const int64_t orderParts = balanced ? parts : 1;
  Operand q(sequence, rank * extent, extent, orderParts), out = q, grad = q, queryGrad = q,
                                                          lse(sequence, rank * extent, extent, orderParts,
                                                              /*perRow=*/true);
  for (Operand *operand : {&out, &grad, &queryGrad})
    operand->view.data = operand->values.data();
  std::fill(lse.values.begin(), lse.values.end(), 5.0f); // Larger than any score: probabilities stay below one.
  std::vector<Operand> keys;
  for (int64_t block = 0; block < parts; ++block)
    for (int copy = 0; copy < 4; ++copy)
      keys.emplace_back(sequence, block * extent, extent, orderParts);
  double scalarValues[planformat::kNumScalars] = {};
  TensorView scalars;
  scalars.data = scalarValues;
  scalars.dtype = planformat::DType::F64;
  scalars.rank = 1;
  scalars.extents[0] = scalars.globalExtents[0] = planformat::kNumScalars;
  ThreadPool pool(1);
  for (auto _ : state)
    for (int64_t block = 0; block < parts; ++block) {
      const Operand *k = &keys[static_cast<size_t>(4 * block)];
      KernelArgs args;
      args.pool = &pool;
      const TensorView forwardInputs[] = {q.view, k[0].view, k[1].view, scalars},
                       forwardOutputs[] = {out.view, lse.view};
      const TensorView inputs[] = {grad.view, q.view, k[0].view, k[1].view, out.view, lse.view, scalars},
                       outputs[] = {queryGrad.view, k[2].view, k[3].view};
      args.inputs = backward ? std::span<const TensorView>(inputs) : forwardInputs;
      args.outputs = backward ? std::span<const TensorView>(outputs) : forwardOutputs;
      if (Status status = kernel->launch(args); !status.ok())
        state.SkipWithError(status.message().c_str());
    }
  // Of the balanced split every rank has the same share; of the contiguous one, parts before it and half of its own.
  const double s = double(sequence), whole = s * (s + 1) / 2;
  const double e = double(extent), mine = balanced ? whole / double(parts) : double(rank) * e * e + e * (e + 1) / 2;
  state.counters["GFLOP/s"] = benchmark::Counter((backward ? 5 : 2) * 2e-9 * mine * double(kHeads * kWidth),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(attention, forward_whole, false, 1, 0, false)->Arg(128)->Arg(1024);
BENCHMARK_CAPTURE(attention, forward_last_of_4, false, 4, 3, false)->Arg(1024)->Arg(2048);
BENCHMARK_CAPTURE(attention, forward_balanced_of_4, false, 4, 1, true)->Arg(1024)->Arg(2048);
BENCHMARK_CAPTURE(attention, backward_whole, true, 1, 0, false)->Arg(128)->Arg(1024);
BENCHMARK_CAPTURE(attention, backward_last_of_4, true, 4, 3, false)->Arg(1024)->Arg(2048);
BENCHMARK_CAPTURE(attention, backward_balanced_of_4, true, 4, 1, true)->Arg(1024)->Arg(2048);

} // namespace

int main(int argc, char **argv) {
  registerCpuKernels(KernelRegistry::global());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
