//===- Device.h - memory, streams and events ------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the executor needs of a device, in the words of CUDA: a stream runs what is enqueued in order, an event
// marks a place in a stream, and streams wait for events. The CPU device has real streams too (a worker each), so that
// a missing event is wrong on both. One thread issues the work of a device (the rank's own); kernels are called by the
// stream's worker (CPU) or by the issuing thread, which only enqueues them (CUDA).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DEVICE_DEVICE_H
#define MODELPAR_RUNTIME_DEVICE_DEVICE_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace modelpar::runtime {

/// A block of device memory, released by the destructor (mmap; cudaMalloc).
class DeviceMemory {
public:
  virtual ~DeviceMemory() = default;
  virtual std::byte *data() const = 0;
  virtual int64_t size() const = 0;
  /// The measured peak: bytes that were ever touched, as far as the device can tell (CUDA: all of it).
  virtual int64_t residentBytes() const = 0;
};

/// A place in a stream (cudaEvent_t with timing disabled). May be recorded again and again: a wait means the last
/// record that was *issued* before the wait was issued, as in CUDA; an event never recorded does not hold anybody up.
class Event {
public:
  virtual ~Event() = default;
};

/// What a stream runs: a function and two words, so that enqueueing allocates nothing. `context` must live until it
/// ran. `nativeStream` is the cudaStream_t, null on the CPU.
struct Task {
  using Function = Status (*)(void *context, int64_t argument, void *nativeStream);
  Function function = nullptr;
  void *context = nullptr;
  int64_t argument = 0;
};

/// Runs its work in the order of issue (cudaStream_t). Issued to by one thread. None of the calls but synchronize,
/// copyToHost and copyToDevice waits for work to finish, save that a full queue holds the issuing thread until the
/// stream has drained a little.
class Stream {
public:
  virtual ~Stream() = default;
  /// An error of the task poisons the device: whatever is issued or queued after it, on any stream, is skipped, and
  /// Device::status() keeps the first error.
  virtual void enqueue(const Task &task) = 0;
  virtual void record(Event &event) = 0;                ///< cudaEventRecord
  virtual void wait(Event &event) = 0;                  ///< cudaStreamWaitEvent
  virtual void fillZero(void *data, int64_t bytes) = 0; ///< cudaMemsetAsync
  /// In order with the stream's work. Return when the host memory may be reused or read.
  virtual Status copyToDevice(void *target, const void *source, int64_t bytes) = 0;
  virtual Status copyToHost(void *target, const void *source, int64_t bytes) = 0;
  /// Waits until all that was issued has run or was skipped; returns the device's status.
  virtual Status synchronize() = 0;
  virtual void *native() const { return nullptr; }
};

/// One rank's device. Owns what its streams run on; streams, events and memory must be gone before it.
class Device {
public:
  virtual ~Device() = default;
  virtual std::string_view kind() const = 0; ///< "cpu" or "cuda": the registry's key.
  /// True when kernels' pointers may be read and written by the host.
  virtual bool hostAccessible() const = 0;
  virtual Status allocate(int64_t bytes, std::unique_ptr<DeviceMemory> &memory) = 0;
  /// `capacity`: tasks that can be queued before the issuer is held. `name` is for messages and traces.
  virtual Status createStream(const std::string &name, int64_t capacity, std::unique_ptr<Stream> &stream) = 0;
  virtual Status createEvent(std::unique_ptr<Event> &event) = 0;
  /// Ok, or the first error of any task.
  virtual Status status() const = 0;
  /// Poisons the device from outside (another rank failed). The first error stays.
  virtual void fail(const Status &status) = 0;
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_DEVICE_DEVICE_H
