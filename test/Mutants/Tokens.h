//===- Tokens.h - what a text is made of ------------------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As much of the syntax of JSON and of MLIR as a change of one part needs.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_MUTANTS_TOKENS_H
#define MODELPAR_TEST_MUTANTS_TOKENS_H

#include "Mutation.h"

#include <vector>

namespace modelpar::test {

struct Token {
  enum class Class { Number, String, Word, Symbol, Value, Attribute, Type, Punctuation };
  Class kind = Class::Punctuation;
  size_t begin = 0, end = 0;
};

/// A part of the text.
struct Span {
  size_t begin = 0, end = 0;
};

/// The list between two brackets: its elements, between commas.
struct List {
  char bracket = '('; ///< The opening one.
  std::vector<Span> elements;
};

std::vector<Token> tokenize(std::string_view text, Language language);
/// Lists with at least one element. Brackets that do not match end the search.
std::vector<List> findLists(std::string_view text, const std::vector<Token> &tokens);
/// Every "tensor<...>" of the text.
std::vector<Span> findTensorTypes(std::string_view text);

} // namespace modelpar::test

#endif // MODELPAR_TEST_MUTANTS_TOKENS_H
