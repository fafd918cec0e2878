//===- CpuDevice.h - the CPU as a device with streams ---------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stream is a worker thread and a ring of fixed capacity. Work of one stream runs in order on its worker, and nothing
// but events orders two streams, as on a GPU.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DEVICE_CPU_CPUDEVICE_H
#define MODELPAR_RUNTIME_DEVICE_CPU_CPUDEVICE_H

#include "runtime/device/Device.h"

#include <optional>

namespace modelpar::runtime {

struct CpuDeviceOptions {
  /// Delay the heads of the queues at random (0 to 200 µs), so that an order which no event demands does not happen by
  /// luck.
  std::optional<uint64_t> fuzzSeed;
  /// Distinguishes the devices of one process under one seed.
  int rank = 0;
};

std::unique_ptr<Device> createCpuDevice(const CpuDeviceOptions &options = {});

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_DEVICE_CPU_CPUDEVICE_H
