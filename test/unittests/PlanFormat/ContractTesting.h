//===- ContractTesting.h - operands of kernels in tests ---------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_UNITTESTS_PLANFORMAT_CONTRACTTESTING_H
#define MODELPAR_TEST_UNITTESTS_PLANFORMAT_CONTRACTTESTING_H

#include "modelpar/PlanFormat/Contracts.h"

namespace modelpar::planformat {

inline sharding::DimSharding over(const char *axis, int64_t shift = 0) { return {{axis, 1, 2, shift}}; }

/// f32, whole.
inline TensorType f32(std::vector<int64_t> shape) {
  const size_t rank = shape.size();
  return {DType::F32, std::move(shape), sharding::TensorSharding::replicated(rank)};
}
inline TensorType of(DType dtype, TensorType type) {
  type.dtype = dtype;
  return type;
}
inline TensorType split(TensorType type, size_t dim, sharding::DimSharding axes) {
  type.sharding.dims[dim] = std::move(axes);
  return type;
}
/// One more axis that the tensor is partial over.
inline TensorType partial(TensorType type, const char *axis, sharding::ReduceKind kind = sharding::ReduceKind::Sum) {
  type.sharding.partial.push_back({{axis, 1, 2}, kind});
  return type;
}

inline std::string errorOf(const std::string &op, const std::vector<TensorType> &inputs,
                           const std::vector<TensorType> &outputs, Attributes attributes = {}) {
  Instruction instruction;
  instruction.op = op;
  instruction.attributes = std::move(attributes);
  std::vector<const TensorType *> in, out;
  for (const TensorType &type : inputs)
    in.push_back(&type);
  for (const TensorType &type : outputs)
    out.push_back(&type);
  return contractError(instruction, in, out);
}

inline const TensorType kScalars = of(DType::F64, f32({kNumScalars}));

inline Attributes attention() { return {{"causal", true}, {"scale", 1.0}, {"rate", 0.0}, {"dropout_key", int64_t{0}}}; }

} // namespace modelpar::planformat

#endif // MODELPAR_TEST_UNITTESTS_PLANFORMAT_CONTRACTTESTING_H
