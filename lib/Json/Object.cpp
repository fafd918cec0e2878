//===- Object.cpp - checked reading of JSON objects ----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"

#include <algorithm>

namespace modelpar::json {

std::string join(const std::string &pointer, std::string_view key) {
  std::string result = pointer + "/";
  for (char c : key) {
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else
      result += c;
  }
  return result;
}

std::string join(const std::string &pointer, size_t index) { return pointer + "/" + std::to_string(index); }

/// A value as it stands in a message: short.
static std::string quote(const std::string &text) {
  constexpr size_t kMaxQuoted = 60;
  return dump(text.size() <= kMaxQuoted ? text : text.substr(0, kMaxQuoted) + "...");
}

std::string describe(const Value &value) {
  switch (value.type()) {
  case Value::value_t::null:
    return "null";
  case Value::value_t::object:
    return "an object";
  case Value::value_t::array:
    return "an array of " + std::to_string(value.size()) + (value.size() == 1 ? " element" : " elements");
  case Value::value_t::string:
    return "the string " + quote(value.get_ref<const std::string &>());
  case Value::value_t::boolean:
    return value.get<bool>() ? "true" : "false";
  case Value::value_t::number_integer:
  case Value::value_t::number_unsigned:
    return "the integer " + dump(value);
  case Value::value_t::number_float:
    return "the number " + dump(value);
  default:
    return "something else";
  }
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void Errors::add(const std::string &pointer, const std::string &message) {
  if (messages_.size() == kMaxMessages) {
    ++dropped_;
    return;
  }
  messages_.push_back((pointer.empty() ? "/" : pointer) + ": " + message);
}

std::string Errors::toString(std::string_view prefix) const {
  std::string result;
  auto line = [&](const std::string &text) {
    if (!result.empty())
      result += '\n';
    if (!prefix.empty())
      result.append(prefix).append(": ");
    result += text;
  };
  for (const std::string &message : messages_)
    line(message);
  if (dropped_)
    line("and " + std::to_string(dropped_) + " more errors");
  return result;
}

//===----------------------------------------------------------------------===//
// Conversions: each gives nothing, and the reason in `problem`, when the value does not fit.
//===----------------------------------------------------------------------===//

static std::optional<int64_t> toInteger(const Value &value, int64_t min, int64_t max, std::string &problem) {
  if (value.is_number_integer()) {
    int64_t number = value.get<int64_t>();
    if (number >= min && number <= max)
      return number;
  }
  problem = "expected an integer";
  if (min != Object::kMinInt && max != Object::kMaxInt)
    problem += " from " + std::to_string(min) + " to " + std::to_string(max);
  else if (min != Object::kMinInt)
    problem += " of at least " + std::to_string(min);
  else if (max != Object::kMaxInt)
    problem += " of at most " + std::to_string(max);
  problem += ", found " + describe(value);
  return std::nullopt;
}

static std::optional<double> toNumber(const Value &value, double min, double max, std::string &problem) {
  if (value.is_number()) {
    double number = value.get<double>();
    if (number >= min && number <= max)
      return number;
  }
  problem = "expected a number";
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (min != -kLargest)
    problem += " of at least " + dump(Value(min));
  if (max != kLargest)
    problem += (min != -kLargest ? " and at most " : " of at most ") + dump(Value(max));
  problem += ", found " + describe(value);
  return std::nullopt;
}

static std::optional<std::string> toString(const Value &value, std::string &problem) {
  if (value.is_string())
    return value.get_ref<const std::string &>();
  problem = "expected a string, found " + describe(value);
  return std::nullopt;
}

static std::optional<size_t> toChoice(const Value &value, std::initializer_list<std::string_view> choices,
                                      std::string &problem) {
  if (value.is_string()) {
    auto found = std::find(choices.begin(), choices.end(), value.get_ref<const std::string &>());
    if (found != choices.end())
      return found - choices.begin();
  }
  problem = "expected one of ";
  for (std::string_view choice : choices)
    problem.append(choice == *choices.begin() ? "" : ", ").append(choice);
  problem += ", found " + describe(value);
  return std::nullopt;
}

/// Converts each element; reports every wrong one.
template <typename T, typename Convert>
static std::vector<T> toVector(const Value &array, const std::string &pointer, Errors &errors, Convert convert) {
  std::vector<T> result;
  std::string problem;
  for (size_t i = 0; i < array.size(); ++i) {
    if (auto element = convert(array[i], problem))
      result.push_back(std::move(*element));
    else
      errors.add(join(pointer, i), problem);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Object
//===----------------------------------------------------------------------===//

static const Value &emptyArray() {
  static const Value empty = Value::array();
  return empty;
}
static const Value &nullValue() {
  static const Value null;
  return null;
}

Object::Object(const Value &value, std::string pointer, Errors &errors)
    : pointer_(std::move(pointer)), errors_(&errors) {
  if (value.is_object())
    value_ = &value;
  else
    errors_->add(pointer_, "expected an object, found " + describe(value));
}

bool Object::has(std::string_view key) const {
  if (!value_)
    return false;
  auto it = value_->find(std::string(key));
  return it != value_->end() && !it->is_null();
}

void Object::note(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end())
    known_.emplace_back(key);
}

const Value *Object::find(std::string_view key) {
  note(key);
  if (!value_)
    return nullptr;
  auto it = value_->find(std::string(key));
  return it == value_->end() || it->is_null() ? nullptr : &*it;
}

const Value *Object::require(std::string_view key) {
  const Value *value = find(key);
  if (!value && value_)
    error(key, has(key) || value_->contains(std::string(key)) ? "required field is null" : "required field is missing");
  return value;
}

std::optional<int64_t> Object::optionalInteger(std::string_view key, int64_t min, int64_t max) {
  const Value *value = find(key);
  std::string problem;
  std::optional<int64_t> result = value ? toInteger(*value, min, max, problem) : std::nullopt;
  if (value && !result)
    error(key, problem);
  return result;
}

int64_t Object::integer(std::string_view key, int64_t min, int64_t max) {
  int64_t fallback = min > 0 || max < 0 ? (min > 0 ? min : max) : 0;
  return require(key) ? optionalInteger(key, min, max).value_or(fallback) : fallback;
}

std::optional<double> Object::optionalNumber(std::string_view key, double min, double max) {
  const Value *value = find(key);
  std::string problem;
  std::optional<double> result = value ? toNumber(*value, min, max, problem) : std::nullopt;
  if (value && !result)
    error(key, problem);
  return result;
}

double Object::number(std::string_view key, double min, double max) {
  double fallback = min > 0 || max < 0 ? (min > 0 ? min : max) : 0;
  return require(key) ? optionalNumber(key, min, max).value_or(fallback) : fallback;
}

std::optional<std::string> Object::optionalString(std::string_view key) {
  const Value *value = find(key);
  std::string problem;
  std::optional<std::string> result = value ? toString(*value, problem) : std::nullopt;
  if (value && !result)
    error(key, problem);
  return result;
}

std::string Object::string(std::string_view key) { return require(key) ? optionalString(key).value_or("") : ""; }

std::optional<bool> Object::optionalBoolean(std::string_view key) {
  const Value *value = find(key);
  if (!value)
    return std::nullopt;
  if (value->is_boolean())
    return value->get<bool>();
  error(key, "expected true or false, found " + describe(*value));
  return std::nullopt;
}

bool Object::boolean(std::string_view key) { return require(key) && optionalBoolean(key).value_or(false); }

const Value *Object::optionalArray(std::string_view key) {
  const Value *value = find(key);
  if (value && !value->is_array()) {
    error(key, "expected an array, found " + describe(*value));
    return nullptr;
  }
  return value;
}

const Value &Object::array(std::string_view key) {
  const Value *value = require(key) ? optionalArray(key) : nullptr;
  return value ? *value : emptyArray();
}

std::optional<Object> Object::optionalObject(std::string_view key) {
  const Value *value = find(key);
  if (!value)
    return std::nullopt;
  return Object(*value, pointer(key), *errors_);
}

Object Object::object(std::string_view key) {
  if (const Value *value = require(key))
    return Object(*value, pointer(key), *errors_);
  // An invalid view, without a second report.
  Errors ignored;
  Object result(nullValue(), pointer(key), ignored);
  result.errors_ = errors_;
  return result;
}

std::optional<std::vector<int64_t>> Object::optionalIntegers(std::string_view key, int64_t min, int64_t max) {
  const Value *value = optionalArray(key);
  if (!value)
    return std::nullopt;
  return toVector<int64_t>(*value, pointer(key), *errors_, [&](const Value &element, std::string &problem) {
    return toInteger(element, min, max, problem);
  });
}

std::vector<int64_t> Object::integers(std::string_view key, int64_t min, int64_t max) {
  return require(key) ? optionalIntegers(key, min, max).value_or(std::vector<int64_t>()) : std::vector<int64_t>();
}

std::vector<double> Object::numbers(std::string_view key) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  return toVector<double>(array(key), pointer(key), *errors_, [](const Value &element, std::string &problem) {
    return toNumber(element, -kLargest, kLargest, problem);
  });
}

std::optional<std::vector<std::string>> Object::optionalStrings(std::string_view key) {
  const Value *value = optionalArray(key);
  if (!value)
    return std::nullopt;
  return toVector<std::string>(*value, pointer(key), *errors_,
                               [](const Value &element, std::string &problem) { return toString(element, problem); });
}

std::vector<std::string> Object::strings(std::string_view key) {
  return require(key) ? optionalStrings(key).value_or(std::vector<std::string>()) : std::vector<std::string>();
}

std::optional<size_t> Object::optionalChoice(std::string_view key, std::initializer_list<std::string_view> choices) {
  const Value *value = find(key);
  std::string problem;
  std::optional<size_t> result = value ? toChoice(*value, choices, problem) : std::nullopt;
  if (value && !result)
    error(key, problem);
  return result;
}

size_t Object::choice(std::string_view key, std::initializer_list<std::string_view> choices) {
  return require(key) ? optionalChoice(key, choices).value_or(0) : 0;
}

const Value *Object::optionalAny(std::string_view key) { return find(key); }

const Value &Object::any(std::string_view key) {
  const Value *value = require(key);
  return value ? *value : nullValue();
}

void Object::finish() {
  if (!value_)
    return;
  std::string expected;
  for (const std::string &name : known_)
    expected += (expected.empty() ? "" : ", ") + name;
  for (const auto &[key, value] : value_->items())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      error(key, "unknown field, expected one of " + expected);
}

} // namespace modelpar::json
