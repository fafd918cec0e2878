//===- Executor.h - one rank's part of a plan -----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Binds the plan to a rank at load (arena, pointers, shapes of every micro-batch, kernels, groups), then runs steps:
// instructions go to streams with the waits and records of the plan, and nothing allocates.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_EXECUTOR_H
#define MODELPAR_RUNTIME_EXECUTOR_EXECUTOR_H

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/kernels/Kernel.h"
#include "runtime/profile/Trace.h"

#include <atomic>
#include <optional>

namespace modelpar::runtime {

/// What changes from step to step (planformat::Scalar).
struct StepScalars {
  int64_t step = 1; ///< From 1.
  double learningRate = 0;
  double labelCount = 0; ///< Labels of the whole global batch that are not ignored.
  uint64_t seed = 0;     ///< Dropout's.
  double clip = 0;       ///< Bound of the global norm; 0 or less: no clipping.
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weightDecay = 0;
};

/// Fills the inputs of a step. Called by a stream's worker, at the same time for different ranks and inputs; must not
/// allocate if the step is not to.
class InputProvider {
public:
  virtual ~InputProvider() = default;
  /// Writes the rank's part of `input`, in host memory: `view` gives offsets and extents in the tensor of the whole
  /// global batch (the micro-batch is already in them: row r of the view is sample offsets[0] + r of the step). Extents
  /// may be 0.
  virtual Status fill(const planformat::Input &input, int64_t step, int64_t microBatch, const TensorView &view) = 0;
};

/// Sees the inputs of kernels. Called by a stream's worker, at the same time for different ranks and streams.
class KernelObserver {
public:
  virtual ~KernelObserver() = default;
  /// Before the kernel runs; the inputs are in host memory.
  virtual Status observe(const planformat::Instruction &instruction, std::span<const TensorView> inputs,
                         int64_t rank) = 0;
};

struct ExecutorOptions {
  int numThreads = 1; ///< Of this rank's pool.
  /// Kernels to use; null: the global registry, with the CPU kernels registered.
  const KernelRegistry *registry = nullptr;
  /// --check-numerics: every kernel's outputs are searched for NaN and +∞ (host memory alone); the first one is an
  /// error that names the instruction.
  bool checkNumerics = false;
  /// Null: none. On devices whose memory the host cannot read it sees nothing.
  KernelObserver *observer = nullptr;
  /// --trace: notes when each instruction ran (on a device that computes beside the host: when it was issued). Null:
  /// none.
  Trace *trace = nullptr;
  /// When this becomes true, the next instruction of any rank ends the run with an error.
  const std::atomic<bool> *stop = nullptr;
};

/// One rank. Create, initialise the buffers, then runStep as often as needed; all by one thread. Plan, device and
/// communicator must outlive it.
class Executor {
public:
  /// Collective over all ranks: they check that they hold the same plan. InvalidInput or Unavailable for a plan that
  /// does not fit this rank, machine or build; Internal for one that breaks its contract.
  static Status create(const planformat::Plan &plan, Device &device, Communicator &communicator,
                       const ExecutorOptions &options, std::unique_ptr<Executor> &executor);
  ~Executor();
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;

  /// Runs the schedule once and waits for it. An error names rank, step, micro-batch and instruction; the other ranks
  /// are aborted and the executor is of no further use. Updates are counted: one that the program skips
  /// (planformat::kUpdateScaleOp) is none.
  Status runStep(const StepScalars &scalars, InputProvider &inputs);

  /// Updates that were applied so far: steps less skipped ones. The same on all ranks.
  int64_t appliedUpdates() const;

  const planformat::Plan &plan() const;
  const planformat::Stage &stage() const; ///< This rank's: the coordinate along "pp".
  int stageIndex() const;
  int64_t rank() const;
  Communicator &communicator() const;

  /// This rank's shard of a buffer of its stage, in device memory: offsets, extents, pointer (slot of `microBatch`).
  /// Between steps the memory may be used freely: initialisation, checkpoint, gradients (as after the reduction: the
  /// update leaves them).
  TensorView bufferView(planformat::BufferId buffer, int64_t microBatch = 0) const;
  /// Between steps, through the host: exactly the bytes of the shard.
  Status readBuffer(planformat::BufferId buffer, std::span<std::byte> target, int64_t microBatch = 0);
  Status writeBuffer(planformat::BufferId buffer, std::span<const std::byte> source, int64_t microBatch = 0);

  /// True on the ranks that hold the named result ("loss", "grad_norm").
  bool hasOutput(std::string_view name) const;
  /// A scalar result of the last step.
  Status readOutput(std::string_view name, double &value);

  int64_t plannedBytes() const;  ///< The arena.
  int64_t measuredBytes() const; ///< What of it was ever touched.
  std::vector<Traffic> traffic() const { return communicator().traffic(); }

private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_EXECUTOR_H
