//===- CudaRunner.cpp - runs one kernel on a GPU ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CUDA backend of the kernel tests: tensors are copied to the device, the kernel
// is enqueued on a stream, results are copied back.
//
//===----------------------------------------------------------------------===//

#include "KernelRunner.h"
#include "modelpar/PlanFormat/Workspace.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/kernels/cuda/CudaKernels.h"

#include <algorithm>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;

namespace {

class CudaBackend : public Backend {
public:
  CudaBackend() { registerCudaKernels(registry_); }
  Status init() {
    MODELPAR_RETURN_IF_ERROR(createCudaDevice(0, device_));
    return device_->createStream("compute", 1, stream_);
  }
  std::string name() const override { return "cuda"; }
  bool supports(const std::string &op, DType dtype) const override {
    std::vector<std::string> ops = registry_.ops("cuda");
    return dtype == DType::F32 && std::find(ops.begin(), ops.end(), op) != ops.end();
  }

  Status run(const std::string &op, const planformat::Attributes &attributes, const Tensors &inputs, Tensors &outputs,
             const RunOptions &options) override {
    planformat::Instruction instruction;
    instruction.op = op;
    instruction.attributes = attributes;
    std::unique_ptr<Kernel> kernel;
    MODELPAR_RETURN_IF_ERROR(registry_.create(instruction, "cuda", options.dtype, kernel));
    std::vector<std::unique_ptr<DeviceMemory>> memory;
    std::vector<TensorView> views[2];
    std::vector<planformat::TensorType> types[2];
    const Tensors *tensors[2] = {&inputs, &outputs};
    for (int side = 0; side < 2; ++side)
      for (const Tensor &tensor : *tensors[side]) {
        DType dtype = dtypeOf(tensor, options.dtype);
        std::vector<std::byte> bytes(tensor.size() * elementBytes(dtype));
        encode(tensor, dtype, bytes.data());
        memory.emplace_back();
        MODELPAR_RETURN_IF_ERROR(device_->allocate(std::max<int64_t>(bytes.size(), 1), memory.back()));
        MODELPAR_RETURN_IF_ERROR(stream_->copyToDevice(memory.back()->data(), bytes.data(), bytes.size()));
        views[side].push_back(viewOf(tensor, dtype, memory.back()->data()));
        types[side].push_back(typeOf(tensor, dtype));
      }
    std::unique_ptr<DeviceMemory> workspace;
    int64_t workspaceSize = planformat::workspaceBytes(op, "cuda", attributes, types[0], types[1]);
    MODELPAR_RETURN_IF_ERROR(device_->allocate(std::max<int64_t>(workspaceSize, 1), workspace));
    Launch launch{kernel.get(), {}};
    launch.args.inputs = views[0];
    launch.args.outputs = views[1];
    launch.args.workspace = {workspace->data(), static_cast<size_t>(workspaceSize)};
    launch.args.instance = options.instance;
    stream_->enqueue({runLaunch, &launch, 0});
    MODELPAR_RETURN_IF_ERROR(stream_->synchronize());
    for (size_t i = 0; i < outputs.size(); ++i) {
      std::vector<std::byte> bytes(outputs[i].size() * elementBytes(views[1][i].dtype));
      MODELPAR_RETURN_IF_ERROR(stream_->copyToHost(bytes.data(), views[1][i].data, bytes.size()));
      decode(outputs[i], views[1][i].dtype, bytes.data());
    }
    return Status();
  }

private:
  struct Launch {
    Kernel *kernel;
    KernelArgs args;
  };
  static Status runLaunch(void *context, int64_t, void *nativeStream) {
    auto *launch = static_cast<Launch *>(context);
    launch->args.stream = nativeStream;
    return launch->kernel->launch(launch->args);
  }

  KernelRegistry registry_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
};

} // namespace

Backend *test::cudaBackend(std::string &reason) {
  static CudaBackend backend;
  static const Status status = backend.init();
  reason = status.message();
  return status.ok() ? &backend : nullptr;
}
