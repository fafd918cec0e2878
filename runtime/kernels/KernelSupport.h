//===- KernelSupport.h - what kernels of every device share ----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attributes of instructions, shapes as rows and columns, and the errors of broken
// plans.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_KERNELS_KERNELSUPPORT_H
#define MODELPAR_RUNTIME_KERNELS_KERNELSUPPORT_H

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

/// Rows (all dimensions but the last) and columns of a tensor of rank >= 1.
struct RowsColumns {
  int64_t rows = 1, columns = 1;
};
inline RowsColumns rowsColumns(const TensorView &view) {
  RowsColumns result;
  for (int i = 0; i + 1 < view.rank; ++i)
    result.rows *= view.extents[i];
  result.columns = view.rank ? view.extents[view.rank - 1] : 1;
  return result;
}

/// Turns positions along a dimension of the global tensor (ids of rows, targets) into indices of a shard.
class ShardIndex {
public:
  ShardIndex(const TensorView &view, int dim)
      : order(view.order(dim)), offset(view.offsets[dim]), extent(view.extents[dim]) {}
  /// -1 when the shard does not have the position.
  int64_t operator()(int64_t position) const {
    if (!order.isIdentity() && (position < 0 || position >= order.size))
      return -1;
    const int64_t at = order.index(position) - offset;
    return at >= 0 && at < extent ? at : -1;
  }

private:
  sharding::SequenceOrder order;
  int64_t offset, extent;
};

/// Elements of the global tensor.
double globalCount(const TensorView &view);

/// An attribute of the instruction; an integer is accepted for a real.
template <typename T> Status readAttribute(const planformat::Instruction &instruction, const char *name, T &value) {
  auto it = instruction.attributes.find(name);
  if (it == instruction.attributes.end())
    return Status::internal(std::string("attribute \"") + name + "\" is missing");
  if (const T *found = std::get_if<T>(&it->second)) {
    value = *found;
    return Status();
  }
  if constexpr (std::is_same_v<T, double>)
    if (const int64_t *found = std::get_if<int64_t>(&it->second)) {
      value = static_cast<double>(*found);
      return Status();
    }
  return Status::internal(std::string("attribute \"") + name + "\" has another type than the kernel expects");
}

/// The same, of an attribute that may be left out: `value` stays as it is.
template <typename T> Status readOptional(const planformat::Instruction &instruction, const char *name, T &value) {
  return instruction.attributes.count(name) ? readAttribute(instruction, name, value) : Status();
}

/// Error: a dimension that has no balanced split into as many parts as its order says.
Status checkOrders(const char *op, const TensorView &view);

/// Attribute "kind" of an activation, its name or its number: the number in the order of nn::ActivationKind.
Status readActivationKind(const planformat::Instruction &instruction, int &kind);

/// Of inputs or outputs: any number, none too.
inline constexpr int kAnyNumber = -2;
/// Any other negative number: one or more.
Status checkArity(const char *op, const KernelArgs &args, int inputs, int outputs);
Status elementCountError(const char *op, int64_t expected, int64_t found);

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_KERNELS_KERNELSUPPORT_H
