//===- Binding.h - a plan bound to a rank ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Executor::create makes of the plan, so that a step only walks lists: instructions with their kernels, groups and
// shapes; and per program and slot one list of commands in the order of issue, calls expanded, every pointer final.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_EXECUTOR_BINDING_H
#define MODELPAR_RUNTIME_EXECUTOR_BINDING_H

#include "runtime/executor/Exchange.h"
#include "runtime/executor/Shapes.h"

namespace modelpar::runtime {

/// An instruction of a body, once, whatever the number of calls.
struct BoundInstruction {
  const planformat::Instruction *instruction = nullptr;
  const planformat::Body *body = nullptr;
  size_t index = 0;                      ///< In the body.
  std::vector<planformat::TypeId> types; ///< Of inputs, then outputs.
  std::unique_ptr<Kernel> kernel;        ///< Kernel; Accumulate where the host cannot.
  Group *group = nullptr;                ///< Collective.
  Collectives collectives;
  const planformat::Input *input = nullptr; ///< Load.
  bool first = false;                       ///< Accumulate: micro-batch 0 writes.
  bool scalesUpdate = false;                ///< planformat::kUpdateScaleOp.
  size_t traceSource = 0;
  /// "layer.forward[3] matmul (from ...)"
  std::string label() const;
};

struct BoundBody {
  const planformat::Body *body = nullptr;
  std::vector<BoundInstruction> instructions;
  std::vector<std::unique_ptr<Event>> events;
  std::unique_ptr<Event> fork; ///< Where stream 0 is at the body's start.
  std::vector<int32_t> forked; ///< The other streams that the body itself uses.
};

struct Binding;

/// One execution of an instruction: the context of a task.
struct Launch {
  Binding *binding = nullptr;
  BoundInstruction *bound = nullptr;
  size_t firstPointer = 0; ///< Index in CommandList::pointers; the data of inputs, then outputs.
  void **pointers = nullptr;
  std::span<std::byte> workspace;
  int64_t instance = 0;
};

struct Command {
  enum Kind : uint8_t { Run, Zero, Record, Wait } kind = Run;
  int32_t stream = 0;
  size_t launch = 0;      ///< Run; Zero: its output.
  Event *event = nullptr; ///< Record, Wait.
};

/// A program in one choice of slots.
struct CommandList {
  std::vector<Command> commands;
  std::vector<Launch> launches;
  std::vector<void *> pointers;
};

/// An entry of the schedule: one of the two.
struct ScheduleStep {
  CommandList *list = nullptr;
  BoundExchange *exchange = nullptr;
  size_t traceSource = 0; ///< Of an exchange: its micro-batches are in it.
};

struct Binding {
  Binding(const planformat::Plan &plan, Device &device, Communicator &communicator, const ExecutorOptions &options)
      : plan(plan), device(device), communicator(communicator), options(options), pool(options.numThreads) {}

  Status load();
  /// The task of every Run command.
  Status launch(const Launch &launch, int64_t microBatch, void *nativeStream);
  /// Notes what ran from `begin` to now. There is a recorder.
  void record(const Launch &launch, std::span<const TensorView> tensors, int64_t microBatch, int64_t begin) const;
  void recordExchange(size_t entry, int64_t begin) const;
  bool stopped() const { return options.stop && options.stop->load(std::memory_order_relaxed); }
  /// Unavailable where the communicator does not see the device's memory.
  Status checkHostCommunication() const;
  std::byte *address(const planformat::Buffer &buffer, int64_t microBatch) const {
    return arena->data() + buffer.offset + microBatch % buffer.slots * buffer.slotStride;
  }

  const planformat::Plan &plan;
  Device &device;
  Communicator &communicator;
  const ExecutorOptions options;
  int stageIndex = 0;
  const planformat::Stage *stage = nullptr;
  TypeViews views;
  ThreadPool pool;
  std::unique_ptr<DeviceMemory> arena;
  /// Host memory for inputs where the device's is not: as large as the largest input.
  std::vector<std::byte> staging;
  std::map<std::pair<std::string, int64_t>, std::unique_ptr<Group>> groups; ///< By axes and stream.
  std::vector<BoundBody> blocks, programs;
  std::vector<std::unique_ptr<CommandList>> lists;
  Exchanges exchanges;
  std::vector<std::unique_ptr<BoundExchange>> boundExchanges;
  std::vector<ScheduleStep> schedule;           ///< Per schedule entry.
  std::vector<std::vector<TensorView>> scratch; ///< Per stream: room for an instruction's tensors.
  std::vector<std::unique_ptr<Stream>> streams; ///< Last: destroyed first.

  // The step in progress; changed while the streams are idle.
  int64_t step = 0;
  InputProvider *inputs = nullptr;
  RankTrace *recorder = nullptr; ///< Null in a step that is not traced.
  double scalars[planformat::kNumScalars] = {};
  bool skipsUpdate = false; ///< Written by the stream that computes the scale.
  int64_t updates = 0;      ///< Applied in the steps before.

private:
  Status findStage();
  Status createGroups();
  Status bindBody(const planformat::Body &body, BoundBody &bound);
  Status bindInstruction(BoundInstruction &bound);
  Status bindCollective(BoundInstruction &bound);
  Status bindSchedule();
  Status bindExchange(size_t entry, std::map<std::vector<int64_t>, BoundExchange *> &known);
  /// Room for what a step records.
  void reserveTrace();
  /// One activation of a body: where its frame is and what its arguments are.
  struct Activation {
    std::byte *frame = nullptr;
    std::span<std::byte *const> arguments;
    int64_t microBatch = 0, instance = 0;
  };
  Status expand(BoundBody &bound, const Activation &activation, CommandList &list);
  Status addLaunch(BoundInstruction &bound, const std::vector<std::byte *> &values, int64_t instance,
                   CommandList &list);
  Status run(const Launch &launch, std::span<TensorView> tensors, int64_t microBatch, void *nativeStream);
  /// Remembers whether this step's update is skipped.
  Status noteUpdate(const TensorView &scale, int32_t stream);
  Status load(const Launch &launch, const TensorView &target, int64_t microBatch);
};

/// Streams that a rank of the stage has, each a thread on the CPU.
int64_t numStreams(const planformat::Plan &plan, const planformat::Stage &stage);

/// Which member of planformat::Scalar holds what, as the "scalars" input has it.
void encodeScalars(const StepScalars &scalars, double (&target)[planformat::kNumScalars]);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_EXECUTOR_BINDING_H
