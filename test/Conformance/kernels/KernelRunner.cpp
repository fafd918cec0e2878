//===- KernelRunner.cpp - runs one kernel on test tensors ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See KernelRunner.h. The CUDA backend is in the build only with the CUDA device.
//
//===----------------------------------------------------------------------===//

#include "KernelRunner.h"
#include "modelpar/PlanFormat/Workspace.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using planformat::DType;
using planformat::Scalar;

double test::hashUnit(uint64_t seed, uint64_t index) {
  uint64_t x = seed * 0x9E3779B97F4A7C15ull + index * 0xBF58476D1CE4E5B9ull + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1p-53;
}

Tensor Tensor::of(std::vector<int64_t> shape, std::vector<double> values, Kind kind) {
  Tensor t;
  t.kind = kind;
  t.offset.assign(shape.size(), 0);
  t.global = shape;
  t.shape = std::move(shape);
  t.values = std::move(values);
  return t;
}

Tensor Tensor::inParts(int dim, int64_t count) const {
  Tensor t = *this;
  t.parts.resize(shape.size(), 1);
  t.parts[dim] = count;
  return t;
}

static int64_t product(const std::vector<int64_t> &shape) {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

Tensor Tensor::zeros(std::vector<int64_t> shape, Kind kind) {
  std::vector<double> values(product(shape), 0.0);
  return of(std::move(shape), std::move(values), kind);
}

Tensor Tensor::integers(std::vector<int64_t> shape, unsigned seed, int range) {
  Tensor t = zeros(std::move(shape));
  for (int64_t i = 0; i < t.size(); ++i)
    t.values[i] = std::floor(hashUnit(seed, i) * (2 * range + 1)) - range;
  return t;
}

Tensor Tensor::reals(std::vector<int64_t> shape, unsigned seed, double low, double high) {
  Tensor t = zeros(std::move(shape));
  for (int64_t i = 0; i < t.size(); ++i) // Rounded to f32, so that both element types see the same inputs.
    t.values[i] = static_cast<float>(low + (high - low) * hashUnit(seed, i));
  return t;
}

Tensor Tensor::ids(std::vector<int64_t> shape, unsigned seed, int low, int high) {
  Tensor t = zeros(std::move(shape), Kind::Int);
  for (int64_t i = 0; i < t.size(); ++i)
    t.values[i] = low + std::floor((high - low) * hashUnit(seed, i));
  return t;
}

Tensor Tensor::scalars(std::vector<std::pair<Scalar, double>> changes) {
  Tensor t = zeros({planformat::kNumScalars}, Kind::Scalars);
  auto set = [&](Scalar field, double value) { t.values[static_cast<int>(field)] = value; };
  set(Scalar::Step, 3);
  set(Scalar::LearningRate, 0.125);
  set(Scalar::LabelCount, 8);
  set(Scalar::SeedLow, 1234567);
  set(Scalar::SeedHigh, 89);
  set(Scalar::Clip, 1);
  set(Scalar::Beta1, 0.9);
  set(Scalar::Beta2, 0.95);
  set(Scalar::Epsilon, 1e-8);
  set(Scalar::WeightDecay, 0.1);
  set(Scalar::Update, 3);
  for (auto [field, value] : changes)
    set(field, value);
  return t;
}

/// Calls visit(index in the whole, index in the part) for the elements of a part of one dimension.
template <typename Visit>
static void forPart(const std::vector<int64_t> &shape, int dim, int64_t begin, int64_t extent, Visit visit) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < shape.size(); ++i)
    if (static_cast<int>(i) != dim)
      (static_cast<int>(i) < dim ? outer : inner) *= shape[i];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t e = 0; e < extent; ++e)
      for (int64_t i = 0; i < inner; ++i)
        visit((o * shape[dim] + begin + e) * inner + i, (o * extent + e) * inner + i);
}

Tensor Tensor::slice(int dim, int64_t begin, int64_t extent) const {
  Tensor part = *this;
  part.shape[dim] = extent;
  part.offset[dim] += begin;
  part.values.assign(product(part.shape), 0.0);
  forPart(shape, dim, begin, extent, [&](int64_t whole, int64_t at) { part.values[at] = values[whole]; });
  return part;
}

void Tensor::assign(int dim, const Tensor &part) {
  forPart(shape, dim, part.offset[dim] - offset[dim], part.shape[dim],
          [&](int64_t whole, int64_t at) { values[whole] = part.values[at]; });
}

double test::worstError(const Tensor &got, const Tensor &want) {
  double worst = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    double g = got.values[i], w = want.values[i];
    if (g == w)
      continue;
    double error = std::abs(g - w) / (1 + std::abs(w));
    worst = std::isfinite(error) ? std::max(worst, error) : std::numeric_limits<double>::infinity();
  }
  return worst;
}

DType test::dtypeOf(const Tensor &tensor, DType dtype) {
  switch (tensor.kind) {
  case Tensor::Kind::Int:
    return DType::I32;
  case Tensor::Kind::Scalars:
    return DType::F64;
  case Tensor::Kind::Float:
    return dtype;
  }
  return dtype;
}

template <typename T> static void encodeAs(const std::vector<double> &values, std::byte *bytes) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value = static_cast<T>(values[i]);
    std::memcpy(bytes + i * sizeof(T), &value, sizeof(T));
  }
}
template <typename T> static void decodeAs(const std::byte *bytes, std::vector<double> &values) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

void test::encode(const Tensor &tensor, DType dtype, std::byte *bytes) {
  switch (dtype) {
  case DType::I32:
    return encodeAs<int32_t>(tensor.values, bytes);
  case DType::F64:
    return encodeAs<double>(tensor.values, bytes);
  default:
    return encodeAs<float>(tensor.values, bytes);
  }
}
void test::decode(Tensor &tensor, DType dtype, const std::byte *bytes) {
  switch (dtype) {
  case DType::I32:
    return decodeAs<int32_t>(bytes, tensor.values);
  case DType::F64:
    return decodeAs<double>(bytes, tensor.values);
  default:
    return decodeAs<float>(bytes, tensor.values);
  }
}

size_t test::elementBytes(DType dtype) { return dtype == DType::F64 ? 8 : 4; }

TensorView test::viewOf(const Tensor &tensor, DType dtype, void *data) {
  TensorView view;
  view.data = data;
  view.dtype = dtype;
  view.rank = static_cast<int>(tensor.shape.size());
  for (int i = 0; i < view.rank; ++i) {
    view.extents[i] = tensor.shape[i];
    view.offsets[i] = tensor.offset[i];
    view.globalExtents[i] = tensor.global[i];
    view.orderParts[i] = tensor.parts.empty() ? 1 : tensor.parts[i];
  }
  return view;
}

planformat::TensorType test::typeOf(const Tensor &tensor, DType dtype) {
  return {dtype, tensor.shape, sharding::TensorSharding::replicated(tensor.shape.size())};
}

namespace {

/// Exactly the size of the tensor, so that AddressSanitizer sees every step outside.
using Bytes = std::unique_ptr<std::byte[]>;

class CpuBackend : public Backend {
public:
  CpuBackend() { registerCpuKernels(registry_); }
  std::string name() const override { return "cpu"; }
  bool supports(const std::string &, DType) const override { return true; }

  Status run(const std::string &op, const planformat::Attributes &attributes, const Tensors &inputs, Tensors &outputs,
             const RunOptions &options) override {
    planformat::Instruction instruction;
    instruction.op = op;
    instruction.attributes = attributes;
    std::unique_ptr<Kernel> kernel;
    MODELPAR_RETURN_IF_ERROR(registry_.create(instruction, "cpu", options.dtype, kernel));
    std::vector<Bytes> storage;
    std::vector<TensorView> inputViews, outputViews;
    std::vector<planformat::TensorType> inputTypes, outputTypes;
    auto allocate = [&](const Tensor &tensor, DType dtype) {
      storage.push_back(Bytes(new std::byte[tensor.size() * elementBytes(dtype)]));
      return storage.back().get();
    };
    for (const Tensor &tensor : inputs) {
      DType dtype = dtypeOf(tensor, options.dtype);
      std::byte *data = allocate(tensor, dtype);
      encode(tensor, dtype, data);
      inputViews.push_back(viewOf(tensor, dtype, data));
      inputTypes.push_back(typeOf(tensor, dtype));
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      DType dtype = dtypeOf(outputs[i], options.dtype);
      std::byte *data = i == 0 && options.inPlaceInput >= 0
                            ? static_cast<std::byte *>(inputViews[options.inPlaceInput].data)
                            : allocate(outputs[i], dtype);
      if (!(i == 0 && options.inPlaceInput >= 0))
        std::memset(data, 0x7f, outputs[i].size() * elementBytes(dtype)); // Whatever is not written shows.
      outputViews.push_back(viewOf(outputs[i], dtype, data));
      outputTypes.push_back(typeOf(outputs[i], dtype));
    }
    int64_t workspace = planformat::workspaceBytes(op, "cpu", attributes, inputTypes, outputTypes);
    Bytes scratch(new std::byte[workspace]);
    ThreadPool pool(options.threads);
    KernelArgs args;
    args.inputs = inputViews;
    args.outputs = outputViews;
    args.workspace = {scratch.get(), static_cast<size_t>(workspace)};
    args.instance = options.instance;
    args.pool = &pool;
    MODELPAR_RETURN_IF_ERROR(kernel->launch(args));
    if (options.before) {
      options.before();
      Status status = kernel->launch(args);
      options.after();
      MODELPAR_RETURN_IF_ERROR(status);
    }
    for (size_t i = 0; i < outputs.size(); ++i)
      decode(outputs[i], outputViews[i].dtype, static_cast<std::byte *>(outputViews[i].data));
    return Status();
  }

private:
  KernelRegistry registry_;
};

} // namespace

Backend &test::cpuBackend() {
  static CpuBackend backend;
  return backend;
}

#ifndef MODELPAR_HAVE_CUDA
Backend *test::cudaBackend(std::string &reason) {
  reason = "this build has no CUDA device";
  return nullptr;
}
#endif

Tensors test::runCpu(const std::string &op, const planformat::Attributes &attributes, const Tensors &inputs,
                     Tensors outputs, const RunOptions &options) {
  Status status = cpuBackend().run(op, attributes, inputs, outputs, options);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", op.c_str(), status.message().c_str());
    std::abort();
  }
  return outputs;
}
