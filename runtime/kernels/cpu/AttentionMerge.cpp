//===- AttentionMerge.cpp - joins attention over two blocks of keys --------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attention_merge(out, lse, blockOut, blockLse) -> out, lse: what attention over both
// blocks of keys at once would have given. Results may have the bytes of the first two
// operands.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"

#include <cmath>

namespace modelpar::runtime::cpu {

namespace {

struct AttentionMergeOp {
  static constexpr const char *kName = "attention_merge";
  static constexpr int kInputs = 4, kOutputs = 2;
  Status init(const planformat::Instruction &) { return Status(); }

  /// Of one row. A side that saw nothing (lse −∞) has weight 0 and is not read: 0 · x is no 0 for every x.
  template <typename T>
  static void merge(int64_t columns, const T *out, T lse, const T *blockOut, T blockLse, T *result, T *resultLse) {
    if (blockLse == -kInfinity<T> || lse == -kInfinity<T>) {
      const bool first = lse != -kInfinity<T>, none = !first && blockLse == -kInfinity<T>;
      if (none)
        std::fill_n(result, columns, T(0));
      else if (const T *seen = first ? out : blockOut; seen != result)
        std::copy_n(seen, columns, result);
      *resultLse = first ? lse : blockLse;
      return;
    }
    const double top = std::max(lse, blockLse), weight = std::exp(lse - top), blockWeight = std::exp(blockLse - top);
    const double sum = weight + blockWeight;
    const T scale = static_cast<T>(weight / sum), blockScale = static_cast<T>(blockWeight / sum);
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i)
      result[i] = scale * out[i] + blockScale * blockOut[i];
    *resultLse = static_cast<T>(top + std::log(sum));
  }

  template <typename T> Status run(const KernelArgs &args) {
    const int64_t rows = args.inputs[1].numElements(), columns = rowsColumns(args.inputs[0]).columns;
    for (size_t i : {size_t{0}, size_t{2}})
      if (args.inputs[i].numElements() != rows * columns)
        return elementCountError(kName, rows * columns, args.inputs[i].numElements());
    if (args.inputs[3].numElements() != rows)
      return elementCountError(kName, rows, args.inputs[3].numElements());
    const T *out = args.inputs[0].as<const T>(), *lse = args.inputs[1].as<const T>(),
            *blockOut = args.inputs[2].as<const T>(), *blockLse = args.inputs[3].as<const T>();
    T *result = args.outputs[0].as<T>(), *resultLse = args.outputs[1].as<T>();
    parallelFor(args.pool, rows, rowGrain(columns), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        merge(columns, out + i * columns, lse[i], blockOut + i * columns, blockLse[i], result + i * columns,
              resultLse + i);
    });
    return Status();
  }
};

} // namespace

void registerAttentionMerge(KernelRegistry &registry) { add<AttentionMergeOp>(registry); }

} // namespace modelpar::runtime::cpu
