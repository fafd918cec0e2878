//===- TestKernels.cpp - kernels for the executor's tests -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As simple as possible: what is tested is who calls them when on what.
//
//===----------------------------------------------------------------------===//

#include "PlanBuilder.h"

#include "Spin.h"

#include <thread>

namespace modelpar::runtime::test {

int64_t globalIndex(const TensorView &view, int64_t index) {
  int64_t result = 0, stride = 1;
  for (int d = view.rank - 1; d >= 0; --d) {
    result += (view.offsets[d] + index % view.extents[d]) * stride;
    index /= view.extents[d];
    stride *= view.globalExtents[d];
  }
  return result;
}

Status IotaInputs::fill(const planformat::Input &, int64_t step, int64_t, const TensorView &view) {
  for (int64_t i = 0, n = view.numElements(); i < n; ++i)
    view.as<float>()[i] = static_cast<float>(globalIndex(view, i) + 1000 * step);
  return {};
}

namespace {

class TestKernel final : public Kernel {
public:
  explicit TestKernel(const planformat::Instruction &instruction) : instruction_(instruction) {}
  Status launch(const KernelArgs &args) override {
    const std::string &op = instruction_.op;
    const TensorView &out = args.outputs[0];
    auto *target = out.as<float>();
    if (op == "fail" && out.offsets[0] == attribute("offset"))
      return Status::internal("told to fail");
    if (op == "sleep" && out.offsets[0] == attribute("offset"))
      std::this_thread::sleep_for(std::chrono::milliseconds(attribute("milliseconds")));
    if (op == "spin" && out.offsets[0] == attribute("offset"))
      spin(attribute("milliseconds"));
    for (int64_t i = 0, n = out.numElements(); i < n; ++i) {
      if (op == "iota")
        target[i] = static_cast<float>(globalIndex(out, i));
      else if (op == "scale")
        target[i] = args.inputs[0].as<float>()[i] * static_cast<float>(attribute("factor"));
      else if (op == "add")
        target[i] = args.inputs[0].as<float>()[i] + args.inputs[1].as<float>()[i];
      else if (op == "instance")
        target[i] = static_cast<float>(args.instance);
      else
        target[i] = 0;
    }
    return {};
  }

private:
  int64_t attribute(const char *name) const { return std::get<int64_t>(instruction_.attributes.at(name)); }
  const planformat::Instruction &instruction_;
};

Status create(const planformat::Instruction &instruction, std::unique_ptr<Kernel> &kernel) {
  kernel = std::make_unique<TestKernel>(instruction);
  return {};
}

} // namespace

const KernelRegistry &testKernels() {
  static const KernelRegistry registry = [] {
    KernelRegistry result;
    for (const char *op : {"iota", "scale", "add", "instance", "fail", "sleep", "spin"})
      result.add(op, "cpu", DType::F32, create);
    return result;
  }();
  return registry;
}

} // namespace modelpar::runtime::test
