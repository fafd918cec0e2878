//===- Tokens.cpp - what a text is made of --------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tokens.h"

#include <cctype>

using namespace modelpar::test;

static bool isDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }
static bool isNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
static bool isName(char c) { return isNameStart(c) || isDigit(c) || c == '.' || c == '$' || c == '-'; }

namespace {

class Lexer {
public:
  Lexer(std::string_view text, Language language) : text_(text), mlir_(language == Language::Mlir) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    while (skipBlanks()) {
      Token token;
      token.begin = at_;
      token.kind = next();
      token.end = at_;
      tokens.push_back(token);
    }
    return tokens;
  }

private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  bool skipBlanks() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(peek())))
        ++at_;
      else if (mlir_ && peek() == '/' && peek(1) == '/')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else
        return true;
    }
    return false;
  }

  Token::Class next() {
    using Class = Token::Class;
    const char c = peek();
    if (c == '"')
      return string(), Class::String;
    if (isDigit(c) || (c == '-' && isDigit(peek(1))))
      return number(), Class::Number;
    if (mlir_ && afterNumber_ == at_ && c == 'x')
      return ++at_, Class::Punctuation; // Between two extents of a shape.
    if (mlir_ && c == '-' && peek(1) == '>')
      return at_ += 2, Class::Punctuation;
    const bool named = isNameStart(peek(1)) || isDigit(peek(1)) || peek(1) == '"';
    if (mlir_ && (c == '@' || c == '%' || c == '#' || c == '!') && named) {
      ++at_;
      peek() == '"' ? string() : name();
      if (c == '%' && peek() == '#' && isDigit(peek(1)))
        ++at_, name();
      return c == '@' ? Class::Symbol : c == '%' ? Class::Value : c == '#' ? Class::Attribute : Class::Type;
    }
    if (isNameStart(c))
      return name(), Class::Word;
    return ++at_, Class::Punctuation;
  }

  void string() {
    for (++at_; at_ < text_.size() && peek() != '"'; ++at_)
      at_ += peek() == '\\';
    at_ = std::min(at_ + 1, text_.size());
  }

  void number() {
    ++at_;
    while (isDigit(peek()))
      ++at_;
    if (peek() == '.' && isDigit(peek(1)))
      for (++at_; isDigit(peek());)
        ++at_;
    if ((peek() == 'e' || peek() == 'E') &&
        (isDigit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && isDigit(peek(2)))))
      for (at_ += 2; isDigit(peek());)
        ++at_;
    afterNumber_ = at_;
  }

  void name() {
    while (isName(peek()) && !(peek() == '-' && peek(1) == '>'))
      ++at_;
  }

  std::string_view text_;
  bool mlir_;
  size_t at_ = 0, afterNumber_ = std::string_view::npos;
};

} // namespace

std::vector<Token> modelpar::test::tokenize(std::string_view text, Language language) {
  return Lexer(text, language).run();
}

std::vector<List> modelpar::test::findLists(std::string_view text, const std::vector<Token> &tokens) {
  struct Open {
    List list;
    Span element;
  };
  std::vector<Open> open;
  std::vector<List> lists;
  auto extend = [&](const Token &token) {
    if (open.empty())
      return;
    Span &element = open.back().element;
    if (element.end == 0)
      element.begin = token.begin;
    element.end = token.end;
  };
  auto endElement = [&] {
    if (open.back().element.end > 0)
      open.back().list.elements.push_back(open.back().element);
    open.back().element = {};
  };
  for (const Token &token : tokens) {
    const char c = text[token.begin];
    const bool punctuation = token.kind == Token::Class::Punctuation && token.end == token.begin + 1;
    if (punctuation && (c == ']' || c == ')' || c == '}' || c == '>')) {
      if (open.empty())
        continue;
      endElement();
      if (!open.back().list.elements.empty())
        lists.push_back(std::move(open.back().list));
      open.pop_back();
      extend(token);
    } else if (punctuation && c == ',' && !open.empty()) {
      endElement();
    } else {
      extend(token);
      if (punctuation && (c == '[' || c == '(' || c == '{' || c == '<'))
        open.push_back({{c, {}}, {}});
    }
  }
  return lists;
}

std::vector<Span> modelpar::test::findTensorTypes(std::string_view text) {
  constexpr std::string_view kStart = "tensor<";
  std::vector<Span> types;
  for (size_t at = text.find(kStart); at != std::string_view::npos; at = text.find(kStart, at + 1)) {
    int depth = 0;
    for (size_t end = at + kStart.size() - 1; end < text.size() && text[end] != '\n'; ++end) {
      depth += text[end] == '<';
      depth -= text[end] == '>' && text[end - 1] != '-';
      if (depth == 0) {
        types.push_back({at, end + 1});
        break;
      }
    }
  }
  return types;
}
