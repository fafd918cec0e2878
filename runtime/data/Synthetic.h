//===- Synthetic.h - data that can be learned, from nothing ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_DATA_SYNTHETIC_H
#define MODELPAR_RUNTIME_DATA_SYNTHETIC_H

#include "runtime/data/Inputs.h"

namespace modelpar::runtime::data {

/// Tokens follow a noisy rule from one to the next; targets are the next token, or a fixed function of the first real
/// input.
Status createSynthetic(const planformat::Plan &plan, const InputRoles &roles, uint64_t seed,
                       std::unique_ptr<DataSource> &source);

} // namespace modelpar::runtime::data

#endif // MODELPAR_RUNTIME_DATA_SYNTHETIC_H
