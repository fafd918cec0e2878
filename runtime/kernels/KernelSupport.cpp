//===- KernelSupport.cpp - what kernels of every device share --------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See KernelSupport.h.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/KernelSupport.h"

using namespace modelpar;
using namespace modelpar::runtime;

double runtime::globalCount(const TensorView &view) {
  double count = 1;
  for (int i = 0; i < view.rank; ++i)
    count *= static_cast<double>(view.globalExtents[i]);
  return count;
}

Status runtime::readActivationKind(const planformat::Instruction &instruction, int &kind) {
  static constexpr const char *kNames[] = {"relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid"};
  auto it = instruction.attributes.find("kind");
  if (it == instruction.attributes.end())
    return Status::internal("attribute \"kind\" is missing");
  const std::string *name = std::get_if<std::string>(&it->second);
  const int64_t *number = std::get_if<int64_t>(&it->second);
  for (int i = 0; i < 6; ++i)
    if ((name && *name == kNames[i]) || (number && *number == i)) {
      kind = i;
      return Status();
    }
  return Status::internal("attribute \"kind\" is no known activation" + (name ? ": \"" + *name + "\"" : std::string()));
}

Status runtime::checkOrders(const char *op, const TensorView &view) {
  for (int d = 0; d < view.rank; ++d)
    if (const sharding::SequenceOrder order = view.order(d); !sharding::SequenceOrder::divides(order.size, order.parts))
      return Status::internal(std::string(op) + ": a sequence of " + std::to_string(order.size) +
                              " has no balanced split into " + std::to_string(order.parts) + " parts");
  return Status();
}

Status runtime::checkArity(const char *op, const KernelArgs &args, int inputs, int outputs) {
  auto wrong = [](size_t found, int expected) {
    if (expected == kAnyNumber)
      return false;
    return expected < 0 ? found == 0 : found != static_cast<size_t>(expected);
  };
  if (!wrong(args.inputs.size(), inputs) && !wrong(args.outputs.size(), outputs))
    return Status();
  auto count = [](int n) { return n < 0 ? std::string("one or more") : std::to_string(n); };
  return Status::internal(std::string(op) + ": expected " + count(inputs) + " inputs and " + count(outputs) +
                          " outputs, found " + std::to_string(args.inputs.size()) + " and " +
                          std::to_string(args.outputs.size()));
}

Status runtime::elementCountError(const char *op, int64_t expected, int64_t found) {
  return Status::internal(std::string(op) + ": expected " + std::to_string(expected) + " elements, found " +
                          std::to_string(found));
}
