//===- Embedding.cpp - table lookup and its gradient on CPU ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table may be sharded by rows (the vocabulary) and by columns: an id outside
// the shard's rows gives zero and receives nothing. A row of padding, counted in the
// whole table, receives nothing either.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"

#include <cstring>

namespace modelpar::runtime::cpu {

namespace {

struct EmbeddingOp {
  static constexpr const char *kName = "embedding";
  static constexpr int kInputs = 2, kOutputs = 1;
  Status init(const planformat::Instruction &) { return Status(); } // Rows of padding are rows like others.
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &table = args.inputs[1];
    const int32_t *ids = args.inputs[0].as<const int32_t>();
    const int64_t tokens = args.inputs[0].numElements(), width = table.extents[1];
    const ShardIndex rowOf(table, 0);
    const T *source = table.as<const T>();
    T *y = args.outputs[0].as<T>();
    if (width == 0)
      return Status();
    parallelFor(args.pool, tokens, rowGrain(width), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (const int64_t row = rowOf(ids[i]); row >= 0)
          std::memcpy(y + i * width, source + row * width, width * sizeof(T));
        else
          std::memset(y + i * width, 0, width * sizeof(T));
      }
    });
    return Status();
  }
};

struct EmbeddingGradOp {
  static constexpr const char *kName = "embedding_grad";
  static constexpr int kInputs = 2, kOutputs = 1;
  int64_t paddingRow = -1;
  Status init(const planformat::Instruction &instruction) {
    return readOptional(instruction, "padding_row", paddingRow);
  }
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &table = args.outputs[0];
    const T *grad = args.inputs[0].as<const T>();
    const int32_t *ids = args.inputs[1].as<const int32_t>();
    const int64_t tokens = args.inputs[1].numElements(), width = table.extents[1];
    const int64_t rows = table.extents[0];
    const ShardIndex rowOf(table, 0);
    T *y = table.as<T>();
    if (width == 0 || rows == 0)
      return Status();
    parallelFor(args.pool, rows, rowGrain(width), [=](int64_t begin, int64_t end) {
      std::memset(y + begin * width, 0, (end - begin) * width * sizeof(T));
    });
    // Columns are divided, so a row receives its gradients in the order of the ids.
    constexpr int64_t kColumns = 32;
    parallelFor(args.pool, width, kColumns, [=, padding = paddingRow](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < tokens; ++i) {
        const int64_t row = rowOf(ids[i]);
        if (row < 0 || ids[i] == padding)
          continue;
        const T *from = grad + i * width;
        T *to = y + row * width;
#pragma omp simd
        for (int64_t j = begin; j < end; ++j)
          to[j] += from[j];
      }
    });
    return Status();
  }
};

} // namespace

void registerEmbedding(KernelRegistry &registry) {
  add<EmbeddingOp>(registry);
  add<EmbeddingGradOp>(registry);
}

} // namespace modelpar::runtime::cpu
