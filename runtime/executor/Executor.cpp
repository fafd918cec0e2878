//===- Executor.cpp - one rank's part of a plan ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Steps: issuing the lists, and the task that the streams run.
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Executor.h"

#include "modelpar/PlanFormat/Verifier.h"
#include "modelpar/PlanFormat/Writer.h"
#include "runtime/executor/Accumulate.h"
#include "runtime/executor/Binding.h"

#include <cstring>
#include <limits>
#include <mutex>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::Instruction;

struct Executor::Impl : Binding {
  using Binding::Binding;
};

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

void modelpar::runtime::encodeScalars(const StepScalars &scalars, double (&target)[planformat::kNumScalars]) {
  auto set = [&](planformat::Scalar field, double value) { target[static_cast<size_t>(field)] = value; };
  using enum planformat::Scalar;
  set(Step, static_cast<double>(scalars.step));
  set(LearningRate, scalars.learningRate);
  set(LabelCount, scalars.labelCount);
  set(SeedLow, static_cast<double>(scalars.seed & 0xffffffffu));
  set(SeedHigh, static_cast<double>(scalars.seed >> 32));
  set(Clip, scalars.clip);
  set(Beta1, scalars.beta1);
  set(Beta2, scalars.beta2);
  set(Epsilon, scalars.epsilon);
  set(WeightDecay, scalars.weightDecay);
}

Status Binding::load(const Launch &launch, const TensorView &target, int64_t microBatch) {
  const planformat::Input &input = *launch.bound->input;
  TensorView host = target;
  if (!device.hostAccessible())
    host.data = staging.data();
  if (input.role == "scalars") {
    int64_t bytes = std::min<int64_t>(host.numElements() * planformat::byteSize(host.dtype), sizeof(scalars));
    std::memcpy(host.data, scalars, static_cast<size_t>(bytes));
  } else {
    MODELPAR_RETURN_IF_ERROR(inputs->fill(input, step, microBatch, host).in("input " + input.name));
  }
  if (device.hostAccessible())
    return {};
  Stream &stream = *streams[static_cast<size_t>(launch.bound->instruction->stream)];
  return stream.copyToDevice(target.data, host.data, host.numElements() * planformat::byteSize(host.dtype));
}

/// NaN or +∞. −∞ is the maximum or the log-sum-exp of nothing: an empty shard has it.
template <typename T> static int64_t firstBad(const TensorView &view) {
  const T *values = view.as<const T>();
  for (int64_t i = 0, n = view.numElements(); i < n; ++i)
    if (!(values[i] <= std::numeric_limits<T>::max()))
      return i;
  return -1;
}

static Status checkNumerics(std::span<const TensorView> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    int64_t found = -1;
    if (outputs[i].dtype == planformat::DType::F32)
      found = firstBad<float>(outputs[i]);
    else if (outputs[i].dtype == planformat::DType::F64)
      found = firstBad<double>(outputs[i]);
    if (found >= 0)
      // Learning rates and data do this: no bug.
      return Status::invalid("output " + std::to_string(i) + " is not finite at element " + std::to_string(found));
  }
  return {};
}

Status Binding::noteUpdate(const TensorView &scale, int32_t stream) {
  alignas(double) std::byte room[sizeof(double)]; // For an f32 or an f64.
  TensorView host = scale;
  if (!device.hostAccessible()) {
    host.data = room;
    MODELPAR_RETURN_IF_ERROR(
        streams[static_cast<size_t>(stream)]->copyToHost(room, scale.data, planformat::byteSize(scale.dtype)));
  }
  skipsUpdate |= scale.dtype == planformat::DType::F64 ? *host.as<const double>() == 0 : *host.as<const float>() == 0;
  return {};
}

Status Binding::run(const Launch &launch, std::span<TensorView> tensors, int64_t microBatch, void *nativeStream) {
  BoundInstruction &bound = *launch.bound;
  const Instruction &instruction = *bound.instruction;
  size_t numInputs = instruction.inputs.size(), numOutputs = instruction.outputs.size();
  KernelArgs args;
  args.inputs = tensors.first(numInputs);
  args.outputs = tensors.subspan(numInputs);
  args.workspace = launch.workspace;
  args.instance = launch.instance;
  args.pool = &pool;
  args.stream = nativeStream;
  switch (instruction.kind) {
  case Instruction::Kind::Kernel: {
    if (options.observer && device.hostAccessible())
      MODELPAR_RETURN_IF_ERROR(options.observer->observe(instruction, args.inputs, communicator.rank()));
    MODELPAR_RETURN_IF_ERROR(bound.kernel->launch(args));
    if (bound.scalesUpdate)
      MODELPAR_RETURN_IF_ERROR(noteUpdate(args.outputs[1], instruction.stream));
    return options.checkNumerics && device.hostAccessible() ? checkNumerics(args.outputs) : Status();
  }
  case Instruction::Kind::Collective: {
    return communicator.run(*bound.group, bound.collectives.at(microBatch),
                            std::span<void *const>(launch.pointers, numInputs),
                            std::span<void *const>(launch.pointers + numInputs, numOutputs), nativeStream);
  }
  case Instruction::Kind::Accumulate:
    return bound.kernel ? bound.kernel->launch(args)
                        : accumulate(tensors[0], tensors[1], bound.first && microBatch == 0, pool);
  case Instruction::Kind::Load:
    return load(launch, tensors[0], microBatch);
  case Instruction::Kind::Call:
  case Instruction::Kind::Wait:
    break;
  }
  return {};
}

static int64_t bytesOf(const TensorView &view) { return view.numElements() * planformat::byteSize(view.dtype); }

void Binding::record(const Launch &launch, std::span<const TensorView> tensors, int64_t microBatch,
                     int64_t begin) const {
  const Instruction &instruction = *launch.bound->instruction;
  TraceEvent event{.source = launch.bound->traceSource,
                   .begin = begin,
                   .end = RankTrace::now(),
                   .microBatch = microBatch,
                   .instance = launch.instance};
  const size_t numInputs = instruction.inputs.size();
  if (instruction.kind == Instruction::Kind::Collective)
    for (size_t i = 0; i < numInputs; ++i)
      event.bytes += std::max(bytesOf(tensors[i]), bytesOf(tensors[numInputs + i]));
  else
    for (const TensorView &tensor : tensors)
      event.bytes += bytesOf(tensor);
  recorder->record(instruction.stream, event);
}

void Binding::recordExchange(size_t entry, int64_t begin) const {
  TraceEvent event{.source = schedule[entry].traceSource,
                   .begin = begin,
                   .end = RankTrace::now(),
                   .microBatch = trace::microBatchOf(stage->schedule[entry])};
  for (const Transfer &transfer : schedule[entry].exchange->transfers)
    event.bytes += transfer.bytes;
  recorder->record(static_cast<int32_t>(kExchangeStream), event);
}

Status Binding::launch(const Launch &launch, int64_t microBatch, void *nativeStream) {
  BoundInstruction &bound = *launch.bound;
  std::span<TensorView> tensors(scratch[static_cast<size_t>(bound.instruction->stream)].data(), bound.types.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i] = views.view(bound.types[i], microBatch);
    tensors[i].data = launch.pointers[i];
  }
  const int64_t begin = recorder ? RankTrace::now() : 0;
  Status status = stopped() ? Status::invalid("stopped as asked")
                            : withoutExceptions([&] { return run(launch, tensors, microBatch, nativeStream); });
  if (recorder)
    record(launch, tensors, microBatch, begin);
  if (status.ok())
    return status;
  std::string where = "rank " + std::to_string(communicator.rank()) + ", step " + std::to_string(step) +
                      ", micro-batch " + std::to_string(microBatch) + ", " + bound.label();
  if (launch.instance != 0)
    where += ", instance " + std::to_string(launch.instance);
  status = status.in(where);
  communicator.abort(status); // Peers may be waiting for this rank: they must not wait for the end of the step.
  return status;
}

//===----------------------------------------------------------------------===//
// Executor
//===----------------------------------------------------------------------===//

Executor::Executor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Executor::~Executor() {
  for (const std::unique_ptr<Stream> &stream : impl_->streams)
    (void)stream->synchronize();
}

static const KernelRegistry &defaultRegistry() {
  static std::once_flag once;
  std::call_once(once, [] { registerCpuKernels(KernelRegistry::global()); });
  return KernelRegistry::global();
}

Status Executor::create(const planformat::Plan &plan, Device &device, Communicator &communicator,
                        const ExecutorOptions &options, std::unique_ptr<Executor> &executor) {
  std::string where = "rank " + std::to_string(communicator.rank());
  if (std::vector<planformat::Finding> findings = planformat::checkStructure(plan); !findings.empty())
    return Status::internal(where + ": " + findings[0].toString());
  if (options.numThreads < 1)
    return Status::invalid("threads per rank: " + std::to_string(options.numThreads) + ", expected at least 1");
  ExecutorOptions resolved = options;
  if (!resolved.registry)
    resolved.registry = &defaultRegistry();
  MODELPAR_RETURN_IF_ERROR(communicator.agree(planformat::planDigest(plan), "plan"));
  auto impl = std::make_unique<Impl>(plan, device, communicator, resolved);
  if (Status status = impl->Binding::load(); !status.ok())
    return status.in(where);
  executor.reset(new Executor(std::move(impl)));
  return {};
}

static Status issue(Binding &binding, CommandList &list, int64_t microBatch) {
  constexpr Task::Function run = [](void *context, int64_t microBatch, void *nativeStream) {
    auto *launch = static_cast<Launch *>(context);
    return launch->binding->launch(*launch, microBatch, nativeStream);
  };
  for (const Command &command : list.commands) {
    Stream &stream = *binding.streams[static_cast<size_t>(command.stream)];
    switch (command.kind) {
    case Command::Run:
      stream.enqueue({run, &list.launches[command.launch], microBatch});
      break;
    case Command::Zero:
      if (const Launch &launch = list.launches[command.launch]; microBatch == 0) {
        const TensorView sum = binding.views.view(launch.bound->types[1], 0);
        stream.fillZero(launch.pointers[1], sum.numElements() * planformat::byteSize(sum.dtype));
      }
      break;
    case Command::Record:
      stream.record(*command.event);
      break;
    case Command::Wait:
      stream.wait(*command.event);
      break;
    }
  }
  return binding.device.status();
}

Status Executor::runStep(const StepScalars &scalars, InputProvider &inputs) {
  Impl &impl = *impl_;
  impl.step = scalars.step;
  impl.inputs = &inputs;
  impl.recorder = impl.options.trace ? impl.options.trace->beginStep(rank(), scalars.step) : nullptr;
  encodeScalars(scalars, impl.scalars);
  impl.scalars[static_cast<size_t>(planformat::Scalar::Update)] = static_cast<double>(impl.updates + 1);
  impl.skipsUpdate = false;
  Status status = impl.device.status();
  for (const planformat::Buffer &buffer : impl.stage->buffers)
    if (buffer.kind == planformat::Buffer::Kind::Scalars)
      for (int64_t slot = 0; slot < buffer.slots && status.ok(); ++slot)
        status = impl.streams[0]->copyToDevice(impl.address(buffer, slot), impl.scalars,
                                               std::min<int64_t>(buffer.bytes, sizeof(impl.scalars)));
  for (size_t i = 0; i < impl.schedule.size() && status.ok(); ++i) {
    if (const ScheduleStep &step = impl.schedule[i]; step.list)
      status = issue(impl, *step.list, impl.stage->schedule[i].microBatch);
    else
      impl.exchanges.issue(impl, i);
  }
  for (const std::unique_ptr<Stream> &stream : impl.streams)
    if (Status end = stream->synchronize(); status.ok())
      status = end;
  if (!status.ok())
    impl.communicator.abort(status);
  else if (!impl.skipsUpdate)
    ++impl.updates;
  return status;
}

int64_t Executor::appliedUpdates() const { return impl_->updates; }
const planformat::Plan &Executor::plan() const { return impl_->plan; }
const planformat::Stage &Executor::stage() const { return *impl_->stage; }
int Executor::stageIndex() const { return impl_->stageIndex; }
int64_t Executor::rank() const { return impl_->communicator.rank(); }
Communicator &Executor::communicator() const { return impl_->communicator; }
int64_t Executor::plannedBytes() const { return impl_->arena->size(); }
int64_t Executor::measuredBytes() const { return impl_->arena->residentBytes(); }

TensorView Executor::bufferView(planformat::BufferId id, int64_t microBatch) const {
  const planformat::Buffer &buffer = impl_->stage->buffers[static_cast<size_t>(id)];
  TensorView view = impl_->views.view(buffer.type, microBatch);
  view.data = impl_->address(buffer, microBatch);
  return view;
}

static Status checkSize(const TensorView &view, size_t size) {
  auto bytes = static_cast<size_t>(view.numElements() * planformat::byteSize(view.dtype));
  if (bytes == size)
    return {};
  return Status::internal("a shard of " + std::to_string(bytes) + " bytes was given " + std::to_string(size) +
                          " bytes");
}

Status Executor::readBuffer(planformat::BufferId id, std::span<std::byte> target, int64_t microBatch) {
  TensorView view = bufferView(id, microBatch);
  MODELPAR_RETURN_IF_ERROR(checkSize(view, target.size()));
  return impl_->streams[0]->copyToHost(target.data(), view.data, static_cast<int64_t>(target.size()));
}

Status Executor::writeBuffer(planformat::BufferId id, std::span<const std::byte> source, int64_t microBatch) {
  TensorView view = bufferView(id, microBatch);
  MODELPAR_RETURN_IF_ERROR(checkSize(view, source.size()));
  return impl_->streams[0]->copyToDevice(view.data, source.data(), static_cast<int64_t>(source.size()));
}

static planformat::BufferId outputBuffer(const planformat::Plan &plan, std::string_view name) {
  for (const auto &[output, buffer] : plan.outputs)
    if (output == name)
      return buffer;
  return -1;
}

bool Executor::hasOutput(std::string_view name) const {
  return impl_->stageIndex + 1 == static_cast<int>(impl_->plan.stages.size()) && outputBuffer(impl_->plan, name) >= 0;
}

Status Executor::readOutput(std::string_view name, double &value) {
  if (!hasOutput(name))
    return Status::internal("rank " + std::to_string(rank()) + " has no output \"" + std::string(name) + "\"");
  planformat::BufferId id = outputBuffer(impl_->plan, name);
  TensorView view = bufferView(id);
  if (view.dtype == planformat::DType::F64)
    return readBuffer(id, std::as_writable_bytes(std::span(&value, 1)));
  if (view.dtype != planformat::DType::F32)
    return Status::internal("output \"" + std::string(name) + "\" is not f32 or f64");
  float single = 0;
  MODELPAR_RETURN_IF_ERROR(readBuffer(id, std::as_writable_bytes(std::span(&single, 1))));
  value = static_cast<double>(single);
  return {};
}
