//===- Slice.cpp - a shard's part of a tensor ------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each rank (and micro-batch) keeps its part of a tensor that it holds whole: the only
// step of a reshard that is a copy and not a collective. Where the part lies follows
// from the offsets of the two shards. Works on bytes, so on every element type.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/cpu/CpuKernels.h"

#include <cstring>

namespace modelpar::runtime::cpu {

namespace {

class SliceKernel final : public Kernel {
public:
  static Status create(const planformat::Instruction &, std::unique_ptr<Kernel> &kernel) {
    kernel = std::make_unique<SliceKernel>();
    return Status();
  }

  Status launch(const KernelArgs &args) override {
    MODELPAR_RETURN_IF_ERROR(checkArity("slice", args, 1, 1));
    const TensorView &from = args.inputs[0], &to = args.outputs[0];
    if (from.rank != to.rank || from.dtype != to.dtype)
      return Status::internal("slice: input and output differ in rank or element type");
    for (int d = 0; d < to.rank; ++d)
      if (to.extents[d] > 0 &&
          (to.offsets[d] < from.offsets[d] || to.offsets[d] + to.extents[d] > from.offsets[d] + from.extents[d]))
        return Status::internal("slice: the part is outside of what this rank holds in dimension " + std::to_string(d));
    if (to.numElements() == 0)
      return Status();
    copy(from, to, args.pool);
    return Status();
  }

private:
  /// Rows along the last dimension are contiguous in both.
  static void copy(const TensorView &from, const TensorView &to, ThreadPool *pool) {
    const int64_t elementBytes = planformat::byteSize(to.dtype);
    const int last = to.rank - 1;
    const int64_t width = to.rank ? to.extents[last] : 1, fromWidth = to.rank ? from.extents[last] : 1;
    const int64_t shift = to.rank ? to.offsets[last] - from.offsets[last] : 0;
    const int64_t rows = to.numElements() / width;
    const auto *source = static_cast<const std::byte *>(from.data);
    auto *target = static_cast<std::byte *>(to.data);
    parallelFor(pool, rows, rowGrain(width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        int64_t rest = row, fromRow = 0, stride = 1;
        for (int d = last - 1; d >= 0; --d) {
          fromRow += (rest % to.extents[d] + to.offsets[d] - from.offsets[d]) * stride;
          rest /= to.extents[d];
          stride *= from.extents[d];
        }
        std::memcpy(target + row * width * elementBytes, source + (fromRow * fromWidth + shift) * elementBytes,
                    static_cast<size_t>(width * elementBytes));
      }
    });
  }
};

} // namespace

void registerSlice(KernelRegistry &registry) {
  for (planformat::DType dtype : {planformat::DType::F32, planformat::DType::F64, planformat::DType::BF16,
                                  planformat::DType::F16, planformat::DType::I32, planformat::DType::I64})
    registry.add("slice", "cpu", dtype, &SliceKernel::create);
}

} // namespace modelpar::runtime::cpu
