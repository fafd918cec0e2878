//===- TypedValues.cpp - operands of a printed module with their types ----===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TypedValues.h"

#include <algorithm>

using namespace modelpar::test;

/// The text cut at commas outside of brackets.
static std::vector<Span> splitAtCommas(std::string_view text, Span span) {
  std::vector<Span> parts;
  int depth = 0;
  size_t begin = span.begin;
  for (size_t at = span.begin; at <= span.end; ++at) {
    const char c = at < span.end ? text[at] : ',';
    depth += c == '(' || c == '<' || c == '[' || c == '{';
    depth -= c == ')' || c == ']' || c == '}' || (c == '>' && text[at - 1] != '-');
    if (c != ',' || (depth != 0 && at < span.end))
      continue;
    while (begin < at && text[begin] == ' ')
      ++begin;
    if (begin < at)
      parts.push_back({begin, at});
    begin = at + 1;
  }
  return parts;
}

/// Where the bracket that opens at `at` ends, or npos.
static size_t closing(std::string_view text, size_t at) {
  int depth = 0;
  for (; at < text.size() && text[at] != '\n'; ++at) {
    depth += text[at] == '(';
    depth -= text[at] == ')';
    if (depth == 0)
      return at;
  }
  return std::string_view::npos;
}

namespace {

class Finder {
public:
  explicit Finder(std::string_view text) : text_(text) {}

  std::vector<TypedValue> run() {
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      line({begin, end});
      begin = end + 1;
    }
    return std::move(found_);
  }

private:
  void line(Span line) {
    const std::string_view words = text_.substr(line.begin, line.end - line.begin);
    for (std::string_view start : {"func.func", "plan.program", "plan.block"})
      function_ += words.find(start) != std::string_view::npos;
    for (std::string_view group : {"ins(", "outs("})
      if (size_t at = words.find(group); at != std::string_view::npos) {
        const size_t open = line.begin + at + group.size() - 1, close = closing(text_, open);
        const size_t colon = text_.find(" : ", open);
        if (close != std::string_view::npos && colon < close)
          add({open + 1, colon}, {colon + 3, close});
      }
    // Operands reach from the op's name to its attributes, or to the types.
    const size_t types = words.rfind(" : (");
    if (types == std::string_view::npos || words.find("ins(") != std::string_view::npos)
      return;
    const size_t equals = words.find(" = "), start = equals == std::string_view::npos ? 0 : equals + 3;
    const size_t first = words.find('%', start), last = std::min(words.find(" {", start), types);
    const size_t open = line.begin + types + 3, close = closing(text_, open);
    if (first >= last || close == std::string_view::npos)
      return;
    size_t end = line.begin + last;
    end -= text_[end - 1] == ')'; // Of a call.
    add({line.begin + first, end}, {open + 1, close});
  }

  void add(Span values, Span types) {
    const std::vector<Span> names = splitAtCommas(text_, values), each = splitAtCommas(text_, types);
    for (size_t i = 0; i < names.size() && names.size() == each.size(); ++i)
      found_.push_back({names[i], std::string(text_.substr(each[i].begin, each[i].end - each[i].begin)), function_});
  }

  std::string_view text_;
  size_t function_ = 0;
  std::vector<TypedValue> found_;
};

} // namespace

std::vector<TypedValue> modelpar::test::findTypedValues(std::string_view text) { return Finder(text).run(); }

std::vector<TypedOp> modelpar::test::findTypedOps(std::string_view text) {
  std::vector<TypedOp> ops;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const size_t types = line.rfind(" : (");
    const size_t equals = line.find(" = ");
    const size_t start = equals == std::string_view::npos ? line.find_first_not_of(' ') : equals + 3;
    const size_t stop = line.find_first_of("%(", start);
    if (types != std::string_view::npos && start != std::string_view::npos && stop < types && stop > start + 1)
      ops.push_back({{begin + start, begin + stop - (line[stop - 1] == ' ')}, std::string(line.substr(types))});
    begin = end + 1;
  }
  return ops;
}
