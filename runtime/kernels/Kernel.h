//===- Kernel.h - what the executor asks of a kernel ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel computes one instruction on one rank's shards. The registry maps
// (op, device, element type) to a kernel; the executor binds shapes and pointers.
// No kernel allocates: scratch comes from `workspace`, which the compiler planned
// with planformat::workspaceBytes.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_KERNEL_H
#define MODELPAR_RUNTIME_KERNELS_KERNEL_H

#include "modelpar/PlanFormat/Plan.h"
#include "runtime/base/Status.h"
#include "runtime/base/ThreadPool.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace modelpar::runtime {

inline constexpr int kMaxRank = 8;

/// One rank's shard of a tensor: dense, row-major over its own extents. Offsets are indices into the order in which a
/// dimension is stored; where an element stands is order(dim).position(index).
struct TensorView {
  void *data = nullptr;
  planformat::DType dtype = planformat::DType::F32;
  int rank = 0;
  int64_t extents[kMaxRank] = {}; ///< Of this shard; may be 0.
  int64_t offsets[kMaxRank] = {}; ///< Of this shard in the global tensor.
  int64_t globalExtents[kMaxRank] = {};
  int64_t orderParts[kMaxRank] = {}; ///< Parts of the dimension's SequenceOrder; 0 or 1: its natural order.

  sharding::SequenceOrder order(int dim) const { return {globalExtents[dim], orderParts[dim]}; }
  int64_t numElements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i)
      n *= extents[i];
    return n;
  }
  template <typename T> T *as() const { return static_cast<T *>(data); }
};

struct KernelArgs {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs; ///< An output may have the bytes of an input (in place) where the plan says so.
  std::span<std::byte> workspace;
  int64_t instance = 0;       ///< Call instance (layer) of the enclosing block: part of dropout's key.
  ThreadPool *pool = nullptr; ///< CPU: this rank's threads.
  void *stream = nullptr;     ///< CUDA: cudaStream_t.
};

/// A kernel bound to one instruction's attributes; used by one rank, maybe for many shapes.
class Kernel {
public:
  virtual ~Kernel() = default;
  /// Runs (CPU: to completion, in the stream's worker) or enqueues (CUDA). Never allocates after the first step.
  virtual Status launch(const KernelArgs &args) = 0;
};

using KernelFactory = Status (*)(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel);

/// (op, device kind "cpu" | "cuda", dtype) → factory. The dtype is that of the first floating-point input that is not
/// the step's scalars (f64 [16], of ops like token_loss_grad the only one), or of the first output where there is none.
class KernelRegistry {
public:
  static KernelRegistry &global();
  void add(std::string op, std::string device, planformat::DType dtype, KernelFactory factory);
  /// Error: names the op, device and dtype that have no kernel.
  Status create(const planformat::Instruction &instruction, std::string_view device, planformat::DType dtype,
                std::unique_ptr<Kernel> &kernel) const;
  /// Names of the ops that have a kernel on the device, sorted.
  std::vector<std::string> ops(std::string_view device) const;

private:
  std::map<std::tuple<std::string, std::string, planformat::DType>, KernelFactory> factories_;
};

/// Registers all CPU kernels (called once by the executor; static initialisers are dropped from archives).
void registerCpuKernels(KernelRegistry &registry);

/// Environment variables that choose between kernels (MODELPAR_MATMUL). Error: a value that none of them knows.
Status checkKernelEnvironment();

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_KERNELS_KERNEL_H
