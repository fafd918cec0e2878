//===- Json.h - the one reader of JSON ------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that reads JSON (models, clusters, plans, manifests, safetensors
// headers) reads it here: a strict parse with limits, and a checked view of an
// object that reports every wrong, missing or unknown field with its JSON
// pointer, all at once. Nothing here throws.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_JSON_JSON_H
#define MODELPAR_JSON_JSON_H

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelpar::json {

/// Objects keep the order of their fields.
using Value = nlohmann::ordered_json;

struct Limits {
  size_t maxBytes = size_t{1} << 30;        ///< Of the whole text.
  size_t maxDepth = 64;                     ///< Of nested arrays and objects.
  size_t maxStringBytes = size_t{64} << 20; ///< Of one string or key, unescaped.
};

/// Parses exactly one JSON value. Refused, beside bad syntax: duplicate keys of an object, invalid UTF-8, comments, NaN
/// and infinities, reals beyond double (1e400), integers beyond int64, and what exceeds `limits`. On failure `error` is
/// one line, "LINE:COLUMN: message" (both from 1, columns in bytes), so that "FILE:" can stand before it, and `out` is
/// null.
bool parse(std::string_view text, Value &out, std::string &error, const Limits &limits = {});

/// The value as text on one line; invalid UTF-8 in strings is replaced. Doubles are written so that they read back
/// equal.
std::string dump(const Value &value);
/// The same with line breaks, `indent` spaces a level.
std::string dumpPretty(const Value &value, int indent = 2);

/// `pointer` extended by a key (escaped) or an index: "/layers" + "0" = "/layers/0".
std::string join(const std::string &pointer, std::string_view key);
std::string join(const std::string &pointer, size_t index);

/// What JSON calls this value: "an object", "a string", "the integer 3", ...
std::string describe(const Value &value);

/// Collects messages, each "pointer: message" ("/" is the whole document).
class Errors {
public:
  void add(const std::string &pointer, const std::string &message);
  bool empty() const { return messages_.empty(); }
  /// All messages in the order found; after the first `kMaxMessages` only their number is kept.
  const std::vector<std::string> &messages() const { return messages_; }
  /// One message a line; `prefix` (a file name) before each.
  std::string toString(std::string_view prefix = "") const;

  static constexpr size_t kMaxMessages = 50;

private:
  std::vector<std::string> messages_;
  size_t dropped_ = 0;
};

/// A checked view of an object's fields. Each getter marks its field as known; finish() reports the others. A required
/// field that is missing or wrong is reported and reads as the least legal value (an empty string, array or object), so
/// that reading can go on and find all errors; the caller asks the Errors at the end. An optional field that is null
/// counts as absent.
///
///     json::Errors errors;
///     json::Object o(value, "", errors);
///     int64_t width = o.integer("width", 1, 1 << 20);
///     o.finish();
///     if (!errors.empty()) ...
class Object {
public:
  static constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

  /// `value` must outlive the view. Reports when it is not an object; then every getter reads as above without more
  /// reports.
  Object(const Value &value, std::string pointer, Errors &errors);

  /// Element `index` of an array found at `pointer`.
  static Object element(const Value &array, size_t index, const std::string &pointer, Errors &errors) {
    return Object(array[index], join(pointer, index), errors);
  }

  bool valid() const { return value_ != nullptr; }
  /// True when the field is there and not null.
  bool has(std::string_view key) const;
  const std::string &pointer() const { return pointer_; }
  std::string pointer(std::string_view key) const { return join(pointer_, key); }
  Errors &errors() const { return *errors_; }
  /// Adds a message about a field.
  void error(std::string_view key, const std::string &message) const { errors_->add(pointer(key), message); }

  // Required fields.
  int64_t integer(std::string_view key, int64_t min = kMinInt, int64_t max = kMaxInt);
  double number(std::string_view key, double min = -std::numeric_limits<double>::max(),
                double max = std::numeric_limits<double>::max());
  std::string string(std::string_view key);
  bool boolean(std::string_view key);
  /// An array (an empty one after an error).
  const Value &array(std::string_view key);
  Object object(std::string_view key);
  std::vector<int64_t> integers(std::string_view key, int64_t min = kMinInt, int64_t max = kMaxInt);
  std::vector<double> numbers(std::string_view key);
  std::vector<std::string> strings(std::string_view key);
  /// The index of the string among `choices`; 0 after an error.
  size_t choice(std::string_view key, std::initializer_list<std::string_view> choices);
  /// A value of any kind; null after an error.
  const Value &any(std::string_view key);

  // Optional fields: nothing when absent, null or wrong (the last is reported).
  std::optional<int64_t> optionalInteger(std::string_view key, int64_t min = kMinInt, int64_t max = kMaxInt);
  std::optional<double> optionalNumber(std::string_view key, double min = -std::numeric_limits<double>::max(),
                                       double max = std::numeric_limits<double>::max());
  std::optional<std::string> optionalString(std::string_view key);
  std::optional<bool> optionalBoolean(std::string_view key);
  const Value *optionalArray(std::string_view key);
  std::optional<Object> optionalObject(std::string_view key);
  std::optional<std::vector<int64_t>> optionalIntegers(std::string_view key, int64_t min = kMinInt,
                                                       int64_t max = kMaxInt);
  std::optional<std::vector<std::string>> optionalStrings(std::string_view key);
  std::optional<size_t> optionalChoice(std::string_view key, std::initializer_list<std::string_view> choices);
  const Value *optionalAny(std::string_view key);

  /// Marks a field as known without reading it.
  void ignore(std::string_view key) { note(key); }
  /// Reports fields that no getter asked for, with the names it would have taken.
  void finish();

private:
  void note(std::string_view key);
  const Value *find(std::string_view key);    ///< Null when absent or null; marks the key.
  const Value *require(std::string_view key); ///< The same, reporting a missing field.

  const Value *value_ = nullptr; ///< Null after a wrong value.
  std::string pointer_;
  Errors *errors_;
  std::vector<std::string> known_;
};

} // namespace modelpar::json

#endif // MODELPAR_JSON_JSON_H
