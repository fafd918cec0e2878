//===- Mutation.cpp - small changes of an input ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"
#include "Tokens.h"

#include <algorithm>
#include <cstdlib>

using namespace modelpar::test;

namespace {

/// Where numbers go wrong: signs, the borders of 32 and 64 bits, beyond all of them, and reals.
constexpr const char *kNumbers[] = {"0",
                                    "1",
                                    "-1",
                                    "2",
                                    "3",
                                    "5",
                                    "7",
                                    "1000",
                                    "65536",
                                    "1000003",
                                    "2147483647",
                                    "2147483648",
                                    "-2147483648",
                                    "4294967295",
                                    "4294967296",
                                    "1099511627776",
                                    "3037000500",
                                    "4611686018427387904",
                                    "9223372036854775807",
                                    "-9223372036854775808",
                                    "9223372036854775808",
                                    "18446744073709551616",
                                    "0.5",
                                    "-0.0",
                                    "1.0",
                                    "1e-400",
                                    "1e308",
                                    "1e400"};
constexpr const char *kJsonValues[] = {"null",  "true", "false", "[]",       "{}",         "\"\"",
                                       "\"x\"", "0",    "1.5",   "[[[[]]]]", "{\"a\":[1]}"};
constexpr const char *kWords[] = {"f32", "f64", "bf16", "f16", "i32", "i64", "i1", "index", "true", "false", "unit"};

class TextMutator {
public:
  TextMutator(std::string &text, Language language, Random &random)
      : text_(text), language_(language), random_(random), tokens_(tokenize(text, language)) {}

  std::string run() {
    struct Change {
      unsigned weight;
      std::string (TextMutator::*make)();
    };
    static constexpr Change kChanges[] = {{10, &TextMutator::number},    {12, &TextMutator::exchangeToken},
                                          {4, &TextMutator::swapTokens}, {8, &TextMutator::element},
                                          {6, &TextMutator::line},       {5, &TextMutator::string},
                                          {3, &TextMutator::word},       {5, &TextMutator::type},
                                          {3, &TextMutator::jsonValue},  {3, &TextMutator::dropToken},
                                          {1, &TextMutator::cut},        {1, &TextMutator::bytes}};
    size_t total = 0;
    for (const Change &change : kChanges)
      total += change.weight;
    for (int attempt = 0; attempt < 50; ++attempt) {
      size_t choice = random_.below(total);
      const Change *change = kChanges;
      while (choice >= change->weight)
        choice -= (change++)->weight;
      if (std::string what = (this->*change->make)(); !what.empty())
        return what;
    }
    return mutateBytes(text_, random_);
  }

private:
  using Class = Token::Class;
  std::string textOf(size_t begin, size_t end) const { return text_.substr(begin, end - begin); }
  std::string textOf(const Token &token) const { return textOf(token.begin, token.end); }
  std::string textOf(const Span &span) const { return textOf(span.begin, span.end); }
  static std::string brief(const std::string &text) { return text.size() <= 60 ? text : text.substr(0, 57) + "..."; }

  /// A token of the class, or null.
  const Token *pick(Class kind) {
    std::vector<const Token *> found;
    for (const Token &token : tokens_)
      if (token.kind == kind)
        found.push_back(&token);
    return found.empty() ? nullptr : found[random_.below(found.size())];
  }

  /// Puts `text` in place of the token, or sometimes of every one that is spelled alike.
  std::string replace(const Token &token, const std::string &text) {
    const std::string old = textOf(token);
    if (old == text)
      return {};
    const bool everywhere = random_.oneIn(language_ == Language::Mlir ? 2 : 3);
    std::string result;
    size_t at = 0;
    for (const Token &each : tokens_) {
      if (&each != &token && (!everywhere || each.kind != token.kind || textOf(each) != old))
        continue;
      result += textOf(at, each.begin) + text;
      at = each.end;
    }
    text_ = result + text_.substr(at);
    return brief(old) + (everywhere ? " becomes everywhere " : " becomes ") + brief(text);
  }

  std::string number() {
    const Token *token = pick(Class::Number);
    if (!token)
      return {};
    const std::string old = textOf(*token);
    if (random_.oneIn(2))
      return replace(*token, kNumbers[random_.below(std::size(kNumbers))]);
    const bool isInteger = old.find_first_of(".eE") == std::string::npos;
    if (!isInteger || old.size() > 17)
      return replace(*token, "-" + old);
    const long long value = std::atoll(old.c_str());
    const long long near[] = {value + 1, value - 1, value * 2, value / 2, -value, value * 3, value + 2};
    return replace(*token, std::to_string(near[random_.below(std::size(near))]));
  }

  /// A name, number, type or word becomes another of its class that the text has.
  std::string exchangeToken() {
    const Class kinds[] = {Class::Symbol,    Class::Value,  Class::Word,  Class::Number,
                           Class::Attribute, Class::String, Class::Symbol};
    const Class kind = kinds[random_.below(std::size(kinds))];
    const Token *token = pick(kind), *other = pick(kind);
    if (!token)
      return {};
    // Ops have a dialect's name before a point: another op is nearer than a keyword.
    auto isOp = [&](const Token &each) { return textOf(each).find('.') != std::string::npos; };
    for (int i = 0; i < 20 && kind == Class::Word && isOp(*token) != isOp(*other); ++i)
      other = pick(kind);
    return replace(*token, textOf(*other));
  }

  std::string swapTokens() {
    if (tokens_.empty())
      return {};
    const Token *a = &tokens_[random_.below(tokens_.size())];
    if (a->kind == Class::Punctuation)
      return {};
    const Token *b = pick(a->kind);
    if (textOf(*a) == textOf(*b))
      return {};
    return swap({a->begin, a->end}, {b->begin, b->end});
  }

  std::string swap(Span a, Span b) {
    if (b.begin < a.begin)
      std::swap(a, b);
    if (a.end > b.begin)
      return {};
    const std::string first = textOf(a), second = textOf(b);
    text_ = textOf(0, a.begin) + second + textOf(a.end, b.begin) + first + text_.substr(b.end);
    return brief(first) + " swapped with " + brief(second);
  }

  /// An element of a list is dropped, doubled, swapped with its neighbour or replaced by one of another list.
  std::string element() {
    const std::vector<List> lists = findLists(text_, tokens_);
    if (lists.empty())
      return {};
    const List &list = lists[random_.below(lists.size())];
    const size_t index = random_.below(list.elements.size()), count = list.elements.size();
    const Span element = list.elements[index];
    const std::string old = textOf(element);
    switch (random_.below(4)) {
    case 0: {
      const size_t begin = index + 1 < count ? element.begin : index > 0 ? list.elements[index - 1].end : element.begin;
      const size_t end = index + 1 < count ? list.elements[index + 1].begin : element.end;
      text_.erase(begin, end - begin);
      return "element " + brief(old) + " dropped";
    }
    case 1:
      text_.insert(element.end, ", " + old);
      return "element " + brief(old) + " doubled";
    case 2:
      return count < 2 ? std::string() : swap(element, list.elements[(index + 1) % count]);
    default: {
      const List &from = lists[random_.below(lists.size())];
      if (from.bracket != list.bracket)
        return {};
      const std::string other = textOf(from.elements[random_.below(from.elements.size())]);
      if (other == old)
        return {};
      text_.replace(element.begin, old.size(), other);
      return "element " + brief(old) + " becomes " + brief(other);
    }
    }
  }

  /// A field gets the value that a field of the same name has elsewhere.
  std::string field() {
    struct Field {
      Span key, value;
    };
    const char separator = language_ == Language::Json ? ':' : '=';
    std::vector<Field> fields;
    for (const List &list : findLists(text_, tokens_))
      for (const Span &element : list.elements) {
        auto key = std::lower_bound(tokens_.begin(), tokens_.end(), element.begin,
                                    [](const Token &token, size_t begin) { return token.begin < begin; });
        auto middle = key + 1, value = key + 2;
        if (value < tokens_.end() && value->begin < element.end && text_[middle->begin] == separator)
          fields.push_back({{key->begin, key->end}, {value->begin, element.end}});
      }
    if (fields.empty())
      return {};
    const Field &field = fields[random_.below(fields.size())];
    const std::string key = textOf(field.key), old = textOf(field.value);
    std::vector<std::string> others;
    for (const Field &each : fields)
      if (textOf(each.key) == key && textOf(each.value) != old)
        others.push_back(textOf(each.value));
    if (others.empty())
      return {};
    const std::string other = others[random_.below(others.size())];
    text_.replace(field.value.begin, old.size(), other);
    return key + ": " + brief(old) + " becomes " + brief(other);
  }

  std::string line() {
    std::vector<Span> lines;
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = std::min(text_.find('\n', begin), text_.size() - 1) + 1;
      lines.push_back({begin, end});
      begin = end;
    }
    if (lines.size() < 3)
      return {};
    const Span line = lines[random_.below(lines.size())], other = lines[random_.below(lines.size())];
    const std::string old = textOf(line);
    const std::string shown = brief(old.substr(0, old.size() - 1));
    switch (random_.below(4)) {
    case 0:
      text_.erase(line.begin, old.size());
      return "line dropped: " + shown;
    case 1:
      text_.insert(line.end, old);
      return "line doubled: " + shown;
    case 2:
      text_.insert(other.begin, old);
      return "line copied to elsewhere: " + shown;
    default:
      return swap(line, other);
    }
  }

  std::string string() {
    const Token *token = pick(Class::String);
    if (!token)
      return {};
    const std::string inside = textOf(token->begin + 1, std::max(token->begin + 1, token->end - 1));
    const std::string strings[] = {"",
                                   "x",
                                   inside + inside,
                                   inside.substr(0, inside.size() / 2),
                                   std::string(1 + random_.below(3000), 'a'),
                                   "../" + inside,
                                   "\xff",
                                   "\\u0000",
                                   "*"};
    return replace(*token, '"' + strings[random_.below(std::size(strings))] + '"');
  }

  std::string word() {
    const Token *token = pick(Class::Word);
    return token ? replace(*token, kWords[random_.below(std::size(kWords))]) : std::string();
  }

  /// A tensor's type becomes another one of the text, mostly wherever it stands: the module may then still be one.
  std::string type() {
    const std::vector<Span> types = findTensorTypes(text_);
    if (types.empty())
      return {};
    const Span chosen = types[random_.below(types.size())];
    const std::string old = textOf(chosen), other = textOf(types[random_.below(types.size())]);
    if (old == other)
      return {};
    const bool everywhere = !random_.oneIn(3);
    if (!everywhere)
      text_.replace(chosen.begin, old.size(), other);
    for (size_t at = text_.find(old); everywhere && at != std::string::npos; at = text_.find(old, at + other.size()))
      text_.replace(at, old.size(), other);
    return brief(old) + (everywhere ? " becomes everywhere " : " becomes ") + brief(other);
  }

  std::string jsonValue() {
    const Class kinds[] = {Class::Number, Class::String, Class::Word};
    const Token *token = language_ == Language::Json ? pick(kinds[random_.below(3)]) : nullptr;
    return token ? replace(*token, kJsonValues[random_.below(std::size(kJsonValues))]) : std::string();
  }

  std::string dropToken() {
    if (tokens_.empty())
      return {};
    const Token token = tokens_[random_.below(tokens_.size())];
    const std::string old = textOf(token);
    if (random_.oneIn(2)) {
      text_.erase(token.begin, old.size());
      return brief(old) + " dropped";
    }
    text_.insert(token.end, " " + old);
    return brief(old) + " doubled";
  }

  std::string cut() {
    if (text_.empty())
      return {};
    text_.resize(random_.below(text_.size()));
    return "cut off after byte " + std::to_string(text_.size());
  }

  std::string bytes() { return mutateBytes(text_, random_); }

  std::string &text_;
  Language language_;
  Random &random_;
  std::vector<Token> tokens_;
};

/// Mostly one change, sometimes up to three.
size_t numberOfChanges(Random &random) { return random.oneIn(4) ? 2 + random.below(2) : 1; }

std::string changeBytes(std::string &bytes, Random &random) {
  if (bytes.empty())
    return bytes.push_back(static_cast<char>(random.below(256))), "a byte added";
  const size_t at = random.below(bytes.size());
  const std::string where = " at byte " + std::to_string(at);
  switch (random.below(6)) {
  case 0:
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    return "bit flipped" + where;
  case 1:
    bytes[at] = static_cast<char>(random.below(256));
    return "byte changed" + where;
  case 2: {
    const size_t count = std::min(bytes.size() - at, size_t{1} << random.below(6));
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, static_cast<char>(random.oneIn(2) ? 0 : 0xff));
    return std::to_string(count) + " bytes filled" + where;
  }
  case 3:
    bytes.erase(at, 1 + random.below(16));
    return "bytes removed" + where;
  case 4:
    bytes.insert(at, 1 + random.below(16), static_cast<char>(random.below(256)));
    return "bytes inserted" + where;
  default:
    bytes.resize(at);
    return "cut off after byte " + std::to_string(at);
  }
}

} // namespace

std::string modelpar::test::mutateText(std::string &text, Language language, Random &random) {
  std::string what;
  for (size_t left = numberOfChanges(random); left > 0; --left)
    what += (what.empty() ? "" : "; ") + TextMutator(text, language, random).run();
  return what;
}

std::string modelpar::test::mutateBytes(std::string &bytes, Random &random) {
  std::string what;
  for (size_t left = numberOfChanges(random); left > 0; --left)
    what += (what.empty() ? "" : "; ") + changeBytes(bytes, random);
  return what;
}
