//===- Partials.h - what a kernel makes of partial values -------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an op's sharding rule says in the compiler, said of a kernel's operands in a plan, where there are no
// placements: the operands' dimensions have letters, and the axes on a letter are those that its dimensions are split
// over.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_PARTIALS_H
#define MODELPAR_LIB_PLANFORMAT_PARTIALS_H

#include "lib/PlanFormat/ContractTable.h"

namespace modelpar::planformat {

/// A tensor of a kernel, with what its contract says of it.
struct Operand {
  std::string name; ///< "input 1"
  const TensorType *type = nullptr;
  Pattern pattern;
  std::string letters = {}; ///< Of each dimension: what the contract's pattern has there.
};

/// Axes in one order, neighbours of one kind joined: equal for equal contributions of ranks.
std::vector<sharding::PartialAxis> joined(std::vector<sharding::PartialAxis> partial);

/// What is wrong with what the operands are partial over, or with how a dimension is split that must be whole; empty
/// when nothing is.
std::string partialsError(const std::vector<Operand> &inputs, const std::vector<Operand> &outputs,
                          const Letters &letters);

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_PARTIALS_H
