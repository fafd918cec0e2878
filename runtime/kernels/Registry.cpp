//===- Registry.cpp - which kernel computes which op -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table from (op, device, element type) to the factory of its kernel.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Kernel.h"

namespace modelpar::runtime {

KernelRegistry &KernelRegistry::global() {
  static KernelRegistry registry;
  return registry;
}

void KernelRegistry::add(std::string op, std::string device, planformat::DType dtype, KernelFactory factory) {
  factories_[{std::move(op), std::move(device), dtype}] = factory;
}

Status KernelRegistry::create(const planformat::Instruction &instruction, std::string_view device,
                              planformat::DType dtype, std::unique_ptr<Kernel> &kernel) const {
  auto it = factories_.find({instruction.op, std::string(device), dtype});
  if (it == factories_.end())
    return Status::unavailable("no kernel for \"" + instruction.op + "\" on device \"" + std::string(device) +
                               "\" with elements of type " + std::string(planformat::name(dtype)));
  return it->second(instruction, kernel).in(instruction.op);
}

std::vector<std::string> KernelRegistry::ops(std::string_view device) const {
  std::vector<std::string> result;
  for (const auto &[key, factory] : factories_)
    if (std::get<1>(key) == device && (result.empty() || result.back() != std::get<0>(key)))
      result.push_back(std::get<0>(key));
  return result;
}

} // namespace modelpar::runtime
