//===- NamePatternsTest.cpp -----------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Pipelines/NamePatterns.h"

#include <gmock/gmock.h>
#include <set>

using namespace modelpar::pipelines;
using testing::ElementsAre;

namespace {

/// `PATTERN PROPERTY` of each line.
std::vector<std::string> condense(const std::vector<NamedProperty> &names) {
  std::vector<std::string> lines;
  for (const NamePattern &pattern : condenseNames(names))
    lines.push_back(pattern.pattern + " " + pattern.property);
  return lines;
}

std::vector<NamedProperty> numbered(const std::vector<int> &numbers, const std::string &property = "p") {
  std::vector<NamedProperty> names;
  for (int number : numbers)
    names.push_back({"layers." + std::to_string(number) + ".w", property});
  return names;
}

TEST(NamePatterns, NumbersInARow) {
  EXPECT_THAT(condense(numbered({0, 1, 2, 3})), ElementsAre("layers.{0..3}.w p"));
  EXPECT_THAT(condense(numbered({0, 1})), ElementsAre("layers.{0,1}.w p"));
  EXPECT_THAT(condense(numbered({5})), ElementsAre("layers.5.w p"));
  EXPECT_THAT(condense({}), ElementsAre());
  EXPECT_THAT(condense({{"w", "p"}, {"12", "p"}, {"1a2", "p"}}), ElementsAre("w p", "12 p", "1a2 p"));
}

TEST(NamePatterns, SetsWithHoles) {
  EXPECT_THAT(condense(numbered({0, 2, 4, 5, 6, 7})), ElementsAre("layers.{0,2,4..7}.w p"));
  EXPECT_THAT(condense(numbered({9, 10, 11, 100})), ElementsAre("layers.{9..11,100}.w p")); // By value, not as text.
  EXPECT_THAT(condense(numbered({3, 1, 2})), ElementsAre("layers.{1..3}.w p"));
}

TEST(NamePatterns, PropertiesSeparate) {
  EXPECT_THAT(condense({{"l.0", "a"}, {"l.1", "b"}, {"l.2", "a"}, {"l.3", "a"}}), ElementsAre("l.{0,2,3} a", "l.1 b"));
}

TEST(NamePatterns, SeveralNumbersAreAProduct) {
  EXPECT_THAT(condense({{"h.0.ln_1", "p"}, {"h.0.ln_2", "p"}, {"h.1.ln_1", "p"}, {"h.1.ln_2", "p"}}),
              ElementsAre("h.{0,1}.ln_{1,2} p"));
  EXPECT_THAT(condense({{"a0.b0.c7", "p"}, {"a0.b1.c7", "p"}, {"a1.b0.c7", "p"}, {"a1.b1.c7", "p"}}),
              ElementsAre("a{0,1}.b{0,1}.c7 p"));
  // 1.1 is missing: the second numbers of 0 and 1 differ.
  EXPECT_THAT(condense({{"0.0", "p"}, {"0.1", "p"}, {"1.0", "p"}}), ElementsAre("0.{0,1} p", "1.0 p"));
  EXPECT_THAT(condense({{"0.0", "p"}, {"1.1", "p"}}), ElementsAre("0.0 p", "1.1 p"));
}

TEST(NamePatterns, InTheOrderOfTheFirstNames) {
  EXPECT_THAT(condense({{"z", "p"}, {"l.0.b", "p"}, {"l.0.a", "p"}, {"l.1.b", "p"}, {"l.1.a", "p"}, {"c", "p"}}),
              ElementsAre("z p", "l.{0,1}.b p", "l.{0,1}.a p", "c p"));
}

TEST(NamePatterns, NumbersWithLeadingZerosOrWithoutEndAreText) {
  EXPECT_THAT(condense({{"l.00", "p"}, {"l.0", "p"}, {"l.1", "p"}}), ElementsAre("l.00 p", "l.{0,1} p"));
  EXPECT_THAT(condense({{"l.00000000000000000000000000000001", "p"}, {"l.99999999999999999999999999999999", "p"}}),
              ElementsAre("l.00000000000000000000000000000001 p", "l.99999999999999999999999999999999 p"));
}

/// Every choice of a pattern, for patterns of `a..b` and single numbers.
void expand(const std::string &pattern, std::multiset<std::string> &names) {
  const size_t open = pattern.find('{');
  if (open == std::string::npos) {
    names.insert(pattern);
    return;
  }
  const size_t close = pattern.find('}', open);
  std::string set = pattern.substr(open + 1, close - open - 1) + ",";
  for (size_t comma; (comma = set.find(',')) != std::string::npos; set.erase(0, comma + 1)) {
    const std::string part = set.substr(0, comma);
    const size_t dots = part.find("..");
    const int first = std::stoi(part), last = dots == std::string::npos ? first : std::stoi(part.substr(dots + 2));
    for (int i = first; i <= last; ++i)
      expand(pattern.substr(0, open) + std::to_string(i) + pattern.substr(close + 1), names);
  }
}

TEST(NamePatterns, EverySubsetIsCoveredExactly) {
  // All subsets of the names i.j.k with numbers from 0 to 1, and of i.j up to 2.
  std::vector<std::string> cube, square;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      square.push_back(std::to_string(i) + "." + std::to_string(j));
  for (int i = 0; i < 8; ++i)
    cube.push_back(std::to_string(i / 4) + "." + std::to_string(i / 2 % 2) + "." + std::to_string(i % 2));
  for (const std::vector<std::string> &all : {cube, square}) {
    for (unsigned subset = 0; subset < 1u << all.size(); ++subset) {
      std::vector<NamedProperty> names;
      std::multiset<std::string> expected, found;
      for (size_t i = 0; i < all.size(); ++i) {
        if (subset >> i & 1) {
          names.push_back({all[i], "p"});
          expected.insert(all[i]);
        }
      }
      size_t count = 0;
      for (const NamePattern &pattern : condenseNames(names)) {
        expand(pattern.pattern, found);
        count += pattern.count;
      }
      ASSERT_EQ(found, expected);
      ASSERT_EQ(count, names.size());
    }
  }
}

} // namespace
