//===- ContractTable.h - the contracts as data ------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor is written "ELEMENTS:DIMENSIONS", an input that the kernel is linear in with its group, "T:bd0", an output
// that joins by another kind than the sum with that, "S:*:lse". Elements: T, what the kernel computes in, a float type;
// S, T's statistics (f64 for f64, else f32); U, T or S; I, i32 or i64; C, the step's scalars. Dimensions: a letter is
// one of them, `*` and `&` stand for any number, `?` for a shape of its own. What is written alike in one kernel has
// one extent and is split alike. Linear groups and letters say what the op's sharding rule says (NNShardingRules.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_LIB_PLANFORMAT_CONTRACTTABLE_H
#define MODELPAR_LIB_PLANFORMAT_CONTRACTTABLE_H

#include "modelpar/PlanFormat/Plan.h"

namespace modelpar::planformat {

struct AttributeContract {
  enum class Type { Bool, Integer, Real, Text };
  std::string_view name;
  Type type = Type::Real;
  bool optional = false;
  double low = 0, high = 0; ///< Of numbers; no bounds where both are 0.
};

/// One tensor of a contract, taken apart.
struct Pattern {
  char elements = 'T';
  std::string_view dims;
  /// Sums pass through the operand where those of the whole group are partial alike; -1: the kernel is not linear in
  /// it.
  int linearGroup = -1;
  sharding::ReduceKind kind = sharding::ReduceKind::Sum;
};
Pattern parsePattern(std::string_view text);

/// Letters that are not just split alike.
struct Letters {
  /// Summed over, or joined by the output's kind: an output without the letter is partial over the axes on it.
  std::string_view reduced = {};
  std::string_view whole = {}; ///< Never split.
  /// Empty, or the letter of parts that go round a ring, and the one whose axes its ranks share: over axes on both,
  /// nothing is partial.
  std::string_view streamed = {};
  /// The outputs may be what a stage adds to a sum over stages, which hold different values, never parts of one.
  bool overStages = false;
};

struct Contract {
  std::string_view op;
  std::vector<std::string_view> inputs, outputs;
  Letters letters = {};
  std::vector<AttributeContract> attributes = {};
  bool manyInputs = false; ///< One or more like the only input.
  /// More than the table says; empty when it fits.
  std::string (*more)(const Instruction &, const std::vector<const TensorType *> &inputs,
                      const std::vector<const TensorType *> &outputs) = nullptr;
};

/// Of one op there may be several, for operands of different ranks or number.
const std::vector<Contract> &contracts();

} // namespace modelpar::planformat

#endif // MODELPAR_LIB_PLANFORMAT_CONTRACTTABLE_H
