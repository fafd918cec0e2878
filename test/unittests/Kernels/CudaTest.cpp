//===- CudaTest.cpp - the CUDA device and registry, with and without a GPU ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs the toolkit in the build, not a GPU: without one, creating the device must say
// so. What kernels compute is the conformance suite's question.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/kernels/cuda/CudaKernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;
using testing::HasSubstr;

namespace {

/// All that differentiating an MLP with either loss and updating it can ask for.
TEST(Cuda, HasTheKernelsOfAnMlp) {
  KernelRegistry registry;
  registerCudaKernels(registry);
  std::vector<std::string> ops = registry.ops("cuda");
  for (const char *op : {"matmul",
                         "add",
                         "reduce_sum",
                         "activation",
                         "activation_grad",
                         "softmax_stats",
                         "softmax_stats_grad",
                         "token_loss",
                         "token_loss_grad",
                         "squared_error",
                         "squared_error_grad",
                         "sum",
                         "sum_squares",
                         "clip_scale",
                         "adamw",
                         "sgd",
                         "layer_norm",
                         "layer_norm_input_grad",
                         "layer_norm_weight_grad",
                         "embedding",
                         "embedding_grad"})
    EXPECT_THAT(ops, testing::Contains(op));
}

TEST(Cuda, KernelsAreCreatedWithoutGpu) {
  KernelRegistry registry;
  registerCudaKernels(registry);
  planformat::Instruction instruction;
  std::unique_ptr<Kernel> kernel;
  instruction.op = "matmul";
  instruction.attributes = {{"subscripts", std::string("ab,bc->ac")}};
  EXPECT_TRUE(registry.create(instruction, "cuda", planformat::DType::F32, kernel).ok());
  EXPECT_TRUE(kernel);
  Status status = registry.create(instruction, "cuda", planformat::DType::F64, kernel);
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_THAT(status.message(), HasSubstr("no kernel for \"matmul\" on device \"cuda\" with elements of type f64"));
  instruction.op = "attention";
  EXPECT_FALSE(registry.create(instruction, "cuda", planformat::DType::F32, kernel).ok());
}

TEST(Cuda, MissingDeviceIsAClearError) {
  std::unique_ptr<Device> device;
  Status status = createCudaDevice(1 << 20, device);
  EXPECT_EQ(status.code(), StatusCode::Unavailable);
  EXPECT_THAT(status.message(), HasSubstr("no CUDA device"));
  EXPECT_FALSE(device);
}

/// Memory, copies, events and a poisoned device on a real GPU.
TEST(Cuda, StreamsAndEvents) {
  std::unique_ptr<Device> device;
  if (Status status = createCudaDevice(0, device); !status.ok()) {
    EXPECT_EQ(status.code(), StatusCode::Unavailable);
    GTEST_SKIP() << status.message();
  }
  EXPECT_EQ(device->kind(), "cuda");
  std::unique_ptr<DeviceMemory> memory;
  std::unique_ptr<Stream> first, second;
  std::unique_ptr<Event> event;
  ASSERT_TRUE(device->allocate(16, memory).ok());
  ASSERT_TRUE(device->createStream("first", 8, first).ok());
  ASSERT_TRUE(device->createStream("second", 8, second).ok());
  ASSERT_TRUE(device->createEvent(event).ok());
  int32_t values[4] = {1, 2, 3, 4};
  EXPECT_TRUE(first->copyToDevice(memory->data(), values, sizeof values).ok());
  first->fillZero(memory->data(), 8);
  first->record(*event);
  second->wait(*event);
  EXPECT_TRUE(second->copyToHost(values, memory->data(), sizeof values).ok());
  EXPECT_THAT(values, testing::ElementsAre(0, 0, 3, 4));
  first->enqueue({[](void *, int64_t, void *) { return Status::internal("poison"); }, nullptr, 0});
  EXPECT_EQ(second->synchronize().message(), "poison");
}

} // namespace
