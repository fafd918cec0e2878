//===- Elementwise.cpp - elementwise ops and plain sums on CPU -------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// add, mul, sum, reduce_sum, activation and its gradient, dropout, pack and unpack.
// Elementwise results may take the place of an input of the same shape.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/ColumnSums.h"
#include "runtime/kernels/cpu/Dropout.h"
#include "runtime/kernels/cpu/VectorLoops.h"

#include <cstring>

namespace modelpar::runtime::cpu {

namespace {

struct NoAttributes {
  Status init(const planformat::Instruction &) { return Status(); }
};

struct AddOp : NoAttributes {
  static constexpr const char *kName = "add";
  static constexpr int kInputs = 2, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const int64_t n = args.inputs[0].numElements(), period = args.inputs[1].numElements();
    if (n == 0)
      return Status();
    if (period == 0 || n % period != 0)
      return elementCountError(kName, n, period);
    const T *a = args.inputs[0].as<const T>(), *b = args.inputs[1].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, n, kElementGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) { // One run of the right side at a time.
        const int64_t at = i % period, run = std::min(end - i, period - at);
        const T *left = a + i, *right = b + at;
        T *out = y + i;
#pragma omp simd
        for (int64_t j = 0; j < run; ++j)
          out[j] = left[j] + right[j];
        i += run;
      }
    });
    return Status();
  }
};

struct MulOp : NoAttributes {
  static constexpr const char *kName = "mul";
  static constexpr int kInputs = 2, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *a = args.inputs[0].as<const T>(), *b = args.inputs[1].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        y[i] = a[i] * b[i];
    });
    return Status();
  }
};

struct SumOp : NoAttributes {
  static constexpr const char *kName = "sum";
  static constexpr int kInputs = kAnyNumber, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    T *y = args.outputs[0].as<T>();
    const std::span<const TensorView> inputs = args.inputs;
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [&](int64_t begin, int64_t end) {
      // Blocks through a stack buffer: the result may be any of the operands.
      constexpr int64_t kBlock = 512;
      T sum[kBlock];
      for (int64_t at = begin; at < end; at += kBlock) {
        const int64_t n = std::min(kBlock, end - at);
        if (inputs.empty()) // The sum of nothing: what a stage without parameters adds to the norm.
          std::fill_n(sum, n, T(0));
        else
          std::memcpy(sum, inputs[0].as<const T>() + at, n * sizeof(T));
        for (size_t k = 1; k < inputs.size(); ++k) {
          const T *x = inputs[k].as<const T>() + at;
#pragma omp simd
          for (int64_t i = 0; i < n; ++i)
            sum[i] += x[i];
        }
        std::memcpy(y + at, sum, n * sizeof(T));
      }
    });
    return Status();
  }
};

struct ReduceSumOp : NoAttributes {
  static constexpr const char *kName = "reduce_sum";
  static constexpr int kInputs = 1, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const int64_t columns = args.outputs[0].numElements();
    if (columns == 0)
      return Status();
    const int64_t rows = args.inputs[0].numElements() / columns;
    const T *x = args.inputs[0].as<const T>();
    T *const results[] = {args.outputs[0].as<T>()};
    columnSums(args.pool, rows, columns, results,
               [=](int64_t r, int64_t first, int64_t n, double (&sums)[1][kSumColumns]) {
                 const T *row = x + r * columns + first;
#pragma omp simd
                 for (int64_t i = 0; i < n; ++i)
                   sums[0][i] += static_cast<double>(row[i]);
               });
    return Status();
  }
};

struct ActivationBase {
  Activation kind = Activation::Relu;
  Status init(const planformat::Instruction &instruction) {
    int number = 0;
    MODELPAR_RETURN_IF_ERROR(readActivationKind(instruction, number));
    kind = static_cast<Activation>(number);
    return Status();
  }
};

struct ActivationOp : ActivationBase {
  static constexpr const char *kName = "activation";
  static constexpr int kInputs = 1, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *x = args.inputs[0].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=, this](int64_t begin, int64_t end) {
      vectorLoops<T>().activation(kind, end - begin, x + begin, y + begin);
    });
    return Status();
  }
};

struct ActivationGradOp : ActivationBase {
  static constexpr const char *kName = "activation_grad";
  static constexpr int kInputs = 2, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    const T *grad = args.inputs[0].as<const T>(), *x = args.inputs[1].as<const T>();
    T *y = args.outputs[0].as<T>();
    parallelFor(args.pool, args.outputs[0].numElements(), kElementGrain, [=, this](int64_t begin, int64_t end) {
      vectorLoops<T>().activationGrad(kind, end - begin, grad + begin, x + begin, y + begin);
    });
    return Status();
  }
};

struct DropoutOp {
  static constexpr const char *kName = "dropout";
  static constexpr int kInputs = 2, kOutputs = 1;
  double rate = 0;
  int64_t key = 0;
  Status init(const planformat::Instruction &instruction) {
    MODELPAR_RETURN_IF_ERROR(readAttribute(instruction, "rate", rate));
    return readAttribute(instruction, "key", key);
  }
  template <typename T> Status run(const KernelArgs &args) {
    const TensorView &view = args.inputs[0];
    const T *x = view.as<const T>();
    T *y = args.outputs[0].as<T>();
    const Dropout dropout(args.inputs[1].as<const double>(), rate, key, args.instance);
    const auto [rows, columns] = rowsColumns(view);
    MODELPAR_RETURN_IF_ERROR(checkOrders(kName, view));
    if (columns == 0)
      return Status();
    const int last = std::max(view.rank - 1, 0);
    // Within a row the order is the identity unless the row is a sequence.
    const sharding::SequenceOrder rowOrder = view.rank ? view.order(last) : sharding::SequenceOrder{1};
    parallelFor(args.pool, rows, rowGrain(columns), [&, columns = columns](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t index = globalIndexOfRow(view, r);
        for (int64_t c = 0, run; c < columns; c += run) {
          run = std::min(columns - c, rowOrder.consecutive(view.offsets[last] + c));
          dropout.apply(run, index + rowOrder.position(view.offsets[last] + c), x + r * columns + c,
                        y + r * columns + c);
        }
      }
    });
    return Status();
  }
};

/// A packed dimension [outer, count, inner] of the local shard; members are [outer, inner].
struct Packing {
  int64_t outer = 1, count = 1, inner = 1;
  Packing(const TensorView &packed, int64_t dim) {
    for (int i = 0; i < packed.rank; ++i)
      (i < dim ? outer : i == dim ? count : inner) *= packed.extents[i];
  }
};

/// Copies member to or from its places in the packed tensor.
template <bool ToMember>
void copyMembers(const KernelArgs &args, std::span<const TensorView> members, const TensorView &packed,
                 const Packing &p, size_t elementBytes) {
  const size_t bytes = p.inner * elementBytes;
  if (bytes == 0)
    return;
  parallelFor(args.pool, p.outer, rowGrain(p.inner * p.count), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      for (int64_t k = 0; k < p.count; ++k) {
        std::byte *member = static_cast<std::byte *>(members[k].data) + o * bytes;
        std::byte *place = static_cast<std::byte *>(packed.data) + (o * p.count + k) * bytes;
        std::memcpy(ToMember ? member : place, ToMember ? place : member, bytes);
      }
  });
}

struct PackBase {
  int64_t dim = 0;
  Status init(const planformat::Instruction &instruction) { return readAttribute(instruction, "dim", dim); }
};

struct UnpackOp : PackBase {
  static constexpr const char *kName = "unpack";
  static constexpr int kInputs = 1, kOutputs = -1;
  template <typename T> Status run(const KernelArgs &args) {
    Packing p(args.inputs[0], dim);
    if (p.count != static_cast<int64_t>(args.outputs.size()))
      return elementCountError(kName, p.count, args.outputs.size());
    copyMembers<true>(args, args.outputs, args.inputs[0], p, sizeof(T));
    return Status();
  }
};

struct PackOp : PackBase {
  static constexpr const char *kName = "pack";
  static constexpr int kInputs = -1, kOutputs = 1;
  template <typename T> Status run(const KernelArgs &args) {
    Packing p(args.outputs[0], dim);
    if (p.count != static_cast<int64_t>(args.inputs.size()))
      return elementCountError(kName, p.count, args.inputs.size());
    copyMembers<false>(args, args.inputs, args.outputs[0], p, sizeof(T));
    return Status();
  }
};

} // namespace

void registerElementwise(KernelRegistry &registry) {
  add<AddOp>(registry);
  add<MulOp>(registry);
  add<SumOp>(registry);
  add<ReduceSumOp>(registry);
  add<ActivationOp>(registry);
  add<ActivationGradOp>(registry);
  add<DropoutOp>(registry);
  add<UnpackOp>(registry);
  add<PackOp>(registry);
}

} // namespace modelpar::runtime::cpu
