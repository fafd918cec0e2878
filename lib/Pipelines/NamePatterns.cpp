//===- NamePatterns.cpp - many names in few lines -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/NamePatterns.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace modelpar::pipelines {

using Numbers = std::vector<uint64_t>;

namespace {

/// A name cut at its numbers: `texts` has one element more, what stands between and around them.
struct Cut {
  std::vector<std::string> texts{""};
  Numbers numbers;
};

/// A choice of values for each number: the product of the sets.
struct Product {
  std::vector<std::vector<uint64_t>> sets;
  size_t first = 0; ///< The smallest index of its names.
};

} // namespace

static bool isDigit(char c) { return c >= '0' && c <= '9'; }

static Cut cutAtNumbers(const std::string &name) {
  constexpr size_t kMaxDigits = 18; // More might not fit a number.
  Cut cut;
  for (size_t i = 0; i < name.size();) {
    size_t end = i;
    while (end < name.size() && isDigit(name[end]))
      ++end;
    const size_t digits = end - i;
    if (digits == 0) {
      cut.texts.back() += name[i++];
      continue;
    }
    const std::string number = name.substr(i, digits);
    i = end;
    if (digits > kMaxDigits || (digits > 1 && number[0] == '0')) {
      cut.texts.back() += number;
      continue;
    }
    cut.numbers.push_back(std::stoull(number));
    cut.texts.emplace_back();
  }
  return cut;
}

using Tails = std::map<Numbers, size_t>; ///< With the index of the name.

/// Products that cover exactly these tuples, from position `at` on: first numbers that are followed by the same tuples
/// are taken together.
static std::vector<Product> cover(const Tails &tuples, size_t at) {
  if (tuples.begin()->first.size() == at)
    return {{{}, tuples.begin()->second}};
  std::map<uint64_t, Tails> byFirst;
  for (const auto &[numbers, index] : tuples)
    byFirst[numbers[at]].emplace(numbers, index);
  // What follows, without the indices and the numbers before: the key of what may be joined.
  std::map<std::set<Numbers>, std::vector<uint64_t>> byTails;
  for (const auto &[value, group] : byFirst) {
    std::set<Numbers> key;
    for (const auto &[numbers, index] : group)
      key.emplace(numbers.begin() + static_cast<ptrdiff_t>(at) + 1, numbers.end());
    byTails[key].push_back(value);
  }
  std::vector<Product> products;
  for (const auto &[key, values] : byTails) {
    Tails joined; // The index of a tail is the smallest of its names'.
    for (uint64_t value : values) {
      for (const auto &[numbers, index] : byFirst[value]) {
        Numbers tail = numbers;
        tail[at] = 0;
        auto [it, inserted] = joined.try_emplace(std::move(tail), index);
        it->second = std::min(it->second, index);
      }
    }
    for (Product &product : cover(joined, at + 1)) {
      product.sets.insert(product.sets.begin(), values);
      products.push_back(std::move(product));
    }
  }
  return products;
}

/// `7`, or `{0..2,7}`; two neighbours are `{0,1}`.
static std::string printSet(const std::vector<uint64_t> &values) {
  if (values.size() == 1)
    return std::to_string(values[0]);
  std::string text = "{";
  for (size_t i = 0; i < values.size();) {
    size_t last = i;
    while (last + 1 < values.size() && values[last + 1] == values[last] + 1)
      ++last;
    last = last == i + 1 ? i : last;
    text += (i ? "," : "") + std::to_string(values[i]);
    if (last > i)
      text += ".." + std::to_string(values[last]);
    i = last + 1;
  }
  return text + "}";
}

std::vector<NamePattern> condenseNames(const std::vector<NamedProperty> &names) {
  std::map<std::pair<std::vector<std::string>, std::string>, Tails> groups;
  for (size_t i = 0; i < names.size(); ++i) {
    Cut cut = cutAtNumbers(names[i].name);
    groups[{std::move(cut.texts), names[i].property}].emplace(std::move(cut.numbers), i);
  }
  std::map<size_t, NamePattern> patterns; // By the first name.
  for (const auto &[key, tuples] : groups) {
    const auto &[texts, property] = key;
    for (const Product &product : cover(tuples, 0)) {
      NamePattern pattern{texts[0], property, 1};
      for (size_t i = 0; i < product.sets.size(); ++i) {
        pattern.pattern += printSet(product.sets[i]) + texts[i + 1];
        pattern.count *= product.sets[i].size();
      }
      patterns.emplace(product.first, std::move(pattern));
    }
  }
  std::vector<NamePattern> result;
  for (auto &[first, pattern] : patterns)
    result.push_back(std::move(pattern));
  return result;
}

} // namespace modelpar::pipelines
