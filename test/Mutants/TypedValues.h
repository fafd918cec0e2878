//===- TypedValues.h - operands of a printed module with their types -*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A module whose operands are exchanged at random is mostly one that does not parse. Operands of one type can be
// exchanged so that only the verifiers of the phase see it.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_TYPEDVALUES_H
#define MODELPAR_TEST_MUTANTS_TYPEDVALUES_H

#include "Tokens.h"

namespace modelpar::test {

/// An operand of a line "%r = op %a, %b {...} : (T, U) -> V" or "op ins(%a : T) outs(%b : U)".
struct TypedValue {
  Span value;
  std::string type;
  size_t function = 0; ///< Number of the function, block or program that it is in.
};

/// All operands whose types stand on their line.
std::vector<TypedValue> findTypedValues(std::string_view text);

/// A line with an op, and the types behind it.
struct TypedOp {
  Span name; ///< "nn.add", "call @layer.forward"
  std::string signature;
};
std::vector<TypedOp> findTypedOps(std::string_view text);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_TYPEDVALUES_H
