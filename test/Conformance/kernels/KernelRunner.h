//===- KernelRunner.h - runs one kernel on test tensors --------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Test tensors hold doubles; the runner converts them to the element type, calls the
// kernel of a backend and converts the results back. A tensor may be a shard: it
// knows its place in the global tensor.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELRUNNER_H
#define MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELRUNNER_H

#include "runtime/device/Device.h"
#include "runtime/kernels/Kernel.h"

#include <functional>
#include <vector>

namespace modelpar::runtime::test {

struct Tensor {
  enum class Kind { Float, Int, Scalars };
  Kind kind = Kind::Float;
  std::vector<int64_t> shape, offset, global;
  std::vector<int64_t> parts; ///< Of the order of each dimension (TensorView::orderParts); empty: all natural.
  std::vector<double> values;

  static Tensor of(std::vector<int64_t> shape, std::vector<double> values, Kind kind = Kind::Float);
  static Tensor zeros(std::vector<int64_t> shape, Kind kind = Kind::Float);
  /// Small integers in [-range, range]: products and sums of them are exact in f32.
  static Tensor integers(std::vector<int64_t> shape, unsigned seed, int range = 4);
  /// Reals in [low, high).
  static Tensor reals(std::vector<int64_t> shape, unsigned seed, double low = -2, double high = 2);
  /// Integers in [low, high) as i32.
  static Tensor ids(std::vector<int64_t> shape, unsigned seed, int low, int high);
  /// The scalars of a step with usual values, changed by the pairs.
  static Tensor scalars(std::vector<std::pair<planformat::Scalar, double>> changes = {});

  int64_t size() const { return static_cast<int64_t>(values.size()); }
  /// The same with a dimension that is stored in `count` balanced parts.
  Tensor inParts(int dim, int64_t count) const;
  /// The part [begin, begin + extent) of a dimension.
  Tensor slice(int dim, int64_t begin, int64_t extent) const;
  /// Writes a part back to its place.
  void assign(int dim, const Tensor &part);
};
using Tensors = std::vector<Tensor>;

/// Philox-free reproducible numbers for inputs.
double hashUnit(uint64_t seed, uint64_t index);

struct RunOptions {
  planformat::DType dtype = planformat::DType::F32;
  int threads = 1;
  int64_t instance = 0;
  int inPlaceInput = -1; ///< Output 0 takes the bytes of this input.
  /// Called before and after a second launch, which happens only where they are set (CPU).
  std::function<void()> before = {}, after = {};
};

/// Where kernels run.
class Backend {
public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// `outputs` come with shapes and places, and go with values.
  virtual Status run(const std::string &op, const planformat::Attributes &attributes, const Tensors &inputs,
                     Tensors &outputs, const RunOptions &options) = 0;
  virtual bool supports(const std::string &op, planformat::DType dtype) const = 0;
};

Backend &cpuBackend();
/// Null, with the reason in `reason`, when this build or machine has no CUDA device.
Backend *cudaBackend(std::string &reason);

// For backends: the element type and bytes of a tensor, its view and its type when elements are `dtype`.
planformat::DType dtypeOf(const Tensor &tensor, planformat::DType dtype);
size_t elementBytes(planformat::DType dtype);
void encode(const Tensor &tensor, planformat::DType dtype, std::byte *bytes);
void decode(Tensor &tensor, planformat::DType dtype, const std::byte *bytes);
TensorView viewOf(const Tensor &tensor, planformat::DType dtype, void *data);
planformat::TensorType typeOf(const Tensor &tensor, planformat::DType dtype);

/// Runs on the CPU and fails the process's test through the status's message when the kernel fails.
Tensors runCpu(const std::string &op, const planformat::Attributes &attributes, const Tensors &inputs, Tensors outputs,
               const RunOptions &options = {});

/// Largest |got - want| / (1 + |want|); infinities of one sign are equal, a NaN is infinitely wrong.
double worstError(const Tensor &got, const Tensor &want);

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_CONFORMANCE_KERNELS_KERNELRUNNER_H
