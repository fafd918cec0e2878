//===- CudaDevice.h - an NVIDIA GPU as a device ----------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The Device interface on the CUDA runtime. In the build only where the toolkit is
// (target RuntimeDeviceCuda, which defines MODELPAR_HAVE_CUDA).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define MODELPAR_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/device/Device.h"

namespace modelpar::runtime {

/// The `ordinal`-th GPU that CUDA shows to this process. Unavailable, with CUDA's reason, when there is none.
Status createCudaDevice(int ordinal, std::unique_ptr<Device> &device);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
