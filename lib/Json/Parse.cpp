//===- Parse.cpp - strict parsing of JSON with positions -----------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// nlohmann's SAX parser does the grammar; this handler builds the value and adds
// what a document model alone cannot see: duplicate keys, integers that were
// silently turned into reals, and limits, each with its line and column.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace modelpar::json {
namespace {

/// An input iterator that tells how far the parser has read.
class Cursor {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  Cursor(const char *at, const char **seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  Cursor &operator++() {
    ++at_;
    *seen_ = at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor old = *this;
    ++*this;
    return old;
  }
  bool operator==(const Cursor &other) const { return at_ == other.at_; }
  bool operator!=(const Cursor &other) const { return at_ != other.at_; }

private:
  const char *at_;
  const char **seen_;
};

class Handler {
public:
  Handler(std::string_view text, const char *&seen, const Limits &limits) : text_(text), seen_(seen), limits_(limits) {}

  bool null() { return emit(nullptr); }
  bool boolean(bool value) { return emit(value); }
  bool number_integer(int64_t value) { return emit(value); }
  bool number_unsigned(uint64_t value) {
    if (value > static_cast<uint64_t>(Object::kMaxInt))
      return fail(startOfNumber(),
                  "integer " + std::to_string(value) + " is out of range, expected at most 9223372036854775807");
    return emit(static_cast<int64_t>(value));
  }
  bool number_float(double value, const std::string &token) {
    // An integer beyond 64 bits arrives here as a rounded real.
    if (token.find_first_of(".eE") == std::string::npos && token != "-0")
      return fail(startOfNumber(), "integer " + token + " is out of range, expected at most 64 bits with sign");
    return emit(value);
  }
  bool string(std::string &value) {
    if (value.size() > limits_.maxStringBytes)
      return fail(startOfString(), tooLong(value));
    return emit(std::move(value));
  }
  bool binary(Value::binary_t &) { return fail(offset(), "unexpected binary value"); }
  bool start_object(size_t) { return open(Value::object()); }
  bool start_array(size_t) { return open(Value::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string &key) {
    if (key.size() > limits_.maxStringBytes)
      return fail(startOfString(), tooLong(key));
    Frame &frame = stack_.back();
    if (!frame.keys.insert(key).second)
      return fail(startOfString(),
                  "duplicate key " + Value(shorten(key)).dump(-1, ' ', false, Value::error_handler_t::replace));
    frame.key = std::move(key);
    return true;
  }
  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &exception) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...": ours has the place
    // already.
    std::string_view what = exception.what();
    if (size_t end = what.find("] "); end != what.npos)
      what.remove_prefix(end + 2);
    if (what.starts_with("parse error at "))
      if (size_t end = what.find(": "); end != what.npos)
        what.remove_prefix(end + 2);
    if (what.starts_with("number overflow"))
      return fail(startOfNumber(), "number is out of range of a double");
    size_t at = position == 0 ? 0 : position - 1;
    return fail(std::min(at, text_.size()), std::string(shorten(what)));
  }

  Value take() { return std::move(root_); }
  const std::string &error() const { return error_; }

private:
  struct Frame {
    Value container;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  template <typename T> bool emit(T &&value) {
    if (stack_.empty()) {
      root_ = Value(std::forward<T>(value));
      return true;
    }
    Frame &frame = stack_.back();
    // The key is known to be new, so it is appended without the ordered map's search.
    if (frame.container.is_object())
      frame.container.get_ref<Value::object_t &>().emplace_back(std::move(frame.key), Value(std::forward<T>(value)));
    else
      frame.container.get_ref<Value::array_t &>().emplace_back(std::forward<T>(value));
    return true;
  }
  bool open(Value container) {
    if (stack_.size() == limits_.maxDepth)
      return fail(offset() - 1, "nested too deeply, expected at most " + std::to_string(limits_.maxDepth) + " levels");
    stack_.push_back({std::move(container), {}, {}});
    return true;
  }
  bool close() {
    Value done = std::move(stack_.back().container);
    stack_.pop_back();
    return emit(std::move(done));
  }

  static std::string_view shorten(std::string_view text) { return text.substr(0, 300); }
  std::string tooLong(const std::string &text) const {
    return "string of " + std::to_string(text.size()) + " bytes is too long, expected at most " +
           std::to_string(limits_.maxStringBytes);
  }

  /// Bytes read so far. The token just read ends here (numbers: one byte earlier, unless the text ends).
  size_t offset() const { return seen_ - text_.data(); }
  size_t startOfNumber() const {
    auto isNumberByte = [](char c) { return c != 0 && std::strchr("0123456789+-.eE", c); };
    size_t at = offset();
    if (at > 0 && !isNumberByte(text_[at - 1]))
      --at;
    while (at > 0 && isNumberByte(text_[at - 1]))
      --at;
    return at;
  }
  size_t startOfString() const {
    size_t at = offset() - 1; // The closing quote.
    while (at > 0) {
      --at;
      if (text_[at] != '"')
        continue;
      size_t slashes = 0;
      while (slashes < at && text_[at - 1 - slashes] == '\\')
        ++slashes;
      if (slashes % 2 == 0)
        break;
    }
    return at;
  }

  bool fail(size_t at, const std::string &message) {
    if (!error_.empty())
      return false;
    std::string_view before = text_.substr(0, at);
    size_t line = 1 + std::count(before.begin(), before.end(), '\n');
    size_t lastBreak = before.rfind('\n');
    size_t column = lastBreak == before.npos ? at + 1 : at - lastBreak;
    error_ = std::to_string(line) + ":" + std::to_string(column) + ": " + message;
    return false;
  }

  std::string_view text_;
  const char *&seen_;
  const Limits &limits_;
  std::vector<Frame> stack_;
  Value root_;
  std::string error_;
};

} // namespace

bool parse(std::string_view text, Value &out, std::string &error, const Limits &limits) {
  out = nullptr;
  error.clear();
  if (text.size() > limits.maxBytes) {
    error = "1:1: text of " + std::to_string(text.size()) + " bytes is too long, expected at most " +
            std::to_string(limits.maxBytes);
    return false;
  }
  const char *seen = text.data();
  Handler handler(text, seen, limits);
  Cursor begin(text.data(), &seen), end(text.data() + text.size(), &seen);
  bool ok = Value::sax_parse(begin, end, &handler);
  if (!ok) {
    error = handler.error();
    return false;
  }
  out = handler.take();
  return true;
}

std::string dump(const Value &value) { return value.dump(-1, ' ', false, Value::error_handler_t::replace); }

std::string dumpPretty(const Value &value, int indent) {
  return value.dump(indent, ' ', false, Value::error_handler_t::replace);
}

} // namespace modelpar::json
