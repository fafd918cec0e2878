//===- CudaDevice.cpp - an NVIDIA GPU as a device --------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams and events map one to one. The current device belongs to the calling
// thread in CUDA, so every entry point sets it.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cuda/CudaDevice.h"

#include <cuda_runtime_api.h>
#include <mutex>

using namespace modelpar::runtime;

namespace {

/// The one place where CUDA's errors become a status.
Status check(cudaError_t error, const char *call) {
  if (error == cudaSuccess)
    return Status();
  std::string message = std::string(call) + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
  return error == cudaErrorMemoryAllocation ? Status::unavailable(message) : Status::internal(message);
}

/// What the objects of one device share.
class Shared {
public:
  explicit Shared(int ordinal) : ordinal_(ordinal) {}

  Status enter() const { return check(cudaSetDevice(ordinal_), "cudaSetDevice"); }
  Status status() const {
    std::lock_guard lock(mutex_);
    return status_;
  }
  /// The first error stays.
  void fail(const Status &status) {
    std::lock_guard lock(mutex_);
    if (status_.ok())
      status_ = status;
  }
  void note(const Status &status) {
    if (!status.ok())
      fail(status);
  }

private:
  int ordinal_;
  mutable std::mutex mutex_;
  Status status_;
};

class CudaMemory final : public DeviceMemory {
public:
  CudaMemory(Shared &shared, void *data, int64_t size) : shared_(shared), data_(data), size_(size) {}
  ~CudaMemory() override {
    if (shared_.enter().ok())
      shared_.note(check(cudaFree(data_), "cudaFree"));
  }
  std::byte *data() const override { return static_cast<std::byte *>(data_); }
  int64_t size() const override { return size_; }
  int64_t residentBytes() const override { return size_; }

private:
  Shared &shared_;
  void *data_;
  int64_t size_;
};

class CudaEvent final : public Event {
public:
  CudaEvent(Shared &shared, cudaEvent_t event) : shared_(shared), event_(event) {}
  ~CudaEvent() override {
    if (shared_.enter().ok())
      shared_.note(check(cudaEventDestroy(event_), "cudaEventDestroy"));
  }
  cudaEvent_t get() const { return event_; }

private:
  Shared &shared_;
  cudaEvent_t event_;
};

class CudaStream final : public Stream {
public:
  CudaStream(Shared &shared, cudaStream_t stream) : shared_(shared), stream_(stream) {}
  ~CudaStream() override {
    if (shared_.enter().ok())
      shared_.note(check(cudaStreamDestroy(stream_), "cudaStreamDestroy"));
  }

  void enqueue(const Task &task) override {
    issue([&] { return task.function(task.context, task.argument, stream_); });
  }
  void record(Event &event) override {
    issue([&] { return check(cudaEventRecord(static_cast<CudaEvent &>(event).get(), stream_), "cudaEventRecord"); });
  }
  void wait(Event &event) override {
    issue([&] {
      return check(cudaStreamWaitEvent(stream_, static_cast<CudaEvent &>(event).get(), 0), "cudaStreamWaitEvent");
    });
  }
  void fillZero(void *data, int64_t bytes) override {
    if (bytes > 0)
      issue([&] { return check(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_), "cudaMemsetAsync"); });
  }
  Status copyToDevice(void *target, const void *source, int64_t bytes) override {
    return copy(target, source, bytes, cudaMemcpyHostToDevice);
  }
  Status copyToHost(void *target, const void *source, int64_t bytes) override {
    return copy(target, source, bytes, cudaMemcpyDeviceToHost);
  }
  Status synchronize() override {
    MODELPAR_RETURN_IF_ERROR(shared_.enter());
    shared_.note(check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"));
    return shared_.status();
  }
  void *native() const override { return stream_; }

private:
  /// Nothing is issued to a poisoned device.
  template <typename Call> void issue(Call &&call) {
    if (!shared_.status().ok())
      return;
    if (Status entered = shared_.enter(); !entered.ok())
      return shared_.fail(entered);
    shared_.note(call());
  }

  Status copy(void *target, const void *source, int64_t bytes, cudaMemcpyKind kind) {
    if (bytes > 0)
      issue([&] {
        return check(cudaMemcpyAsync(target, source, static_cast<size_t>(bytes), kind, stream_), "cudaMemcpyAsync");
      });
    return synchronize();
  }

  Shared &shared_;
  cudaStream_t stream_;
};

class CudaDevice final : public Device {
public:
  explicit CudaDevice(int ordinal) : shared_(ordinal) {}

  std::string_view kind() const override { return "cuda"; }
  bool hostAccessible() const override { return false; }
  Status allocate(int64_t bytes, std::unique_ptr<DeviceMemory> &memory) override {
    void *data = nullptr;
    MODELPAR_RETURN_IF_ERROR(shared_.enter());
    MODELPAR_RETURN_IF_ERROR(check(cudaMalloc(&data, static_cast<size_t>(bytes)), "cudaMalloc")
                                 .in(std::to_string(bytes) + " bytes of device memory"));
    memory = std::make_unique<CudaMemory>(shared_, data, bytes);
    return Status();
  }
  Status createStream(const std::string &, int64_t, std::unique_ptr<Stream> &stream) override {
    cudaStream_t native = nullptr;
    MODELPAR_RETURN_IF_ERROR(shared_.enter());
    MODELPAR_RETURN_IF_ERROR(
        check(cudaStreamCreateWithFlags(&native, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"));
    stream = std::make_unique<CudaStream>(shared_, native);
    return Status();
  }
  Status createEvent(std::unique_ptr<Event> &event) override {
    cudaEvent_t native = nullptr;
    MODELPAR_RETURN_IF_ERROR(shared_.enter());
    MODELPAR_RETURN_IF_ERROR(
        check(cudaEventCreateWithFlags(&native, cudaEventDisableTiming), "cudaEventCreateWithFlags"));
    event = std::make_unique<CudaEvent>(shared_, native);
    return Status();
  }
  Status status() const override { return shared_.status(); }
  void fail(const Status &status) override { shared_.fail(status); }

private:
  Shared shared_;
};

} // namespace

Status modelpar::runtime::createCudaDevice(int ordinal, std::unique_ptr<Device> &device) {
  int count = 0;
  if (cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess)
    return Status::unavailable(std::string("no CUDA device: ") + cudaGetErrorString(error));
  if (ordinal < 0 || ordinal >= count)
    return Status::unavailable("no CUDA device " + std::to_string(ordinal) + ": this process sees " +
                               std::to_string(count));
  device = std::make_unique<CudaDevice>(ordinal);
  return Status();
}
