//===- ObjectTest.cpp - checked reading of JSON objects ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using namespace modelpar::json;
using testing::ElementsAre;
using testing::IsEmpty;

Value parsed(std::string_view text) {
  Value value;
  std::string error;
  EXPECT_TRUE(parse(text, value, error)) << error;
  return value;
}

TEST(JsonObject, ReadsEveryKind) {
  Value value = parsed(
      R"({"i": 3, "n": 2, "s": "x", "b": true, "a": [1, 2], "o": {"k": 1}, "d": [0.5, 1], "w": ["u", "v"], "c": "two"})");
  Errors errors;
  Object o(value, "", errors);
  EXPECT_EQ(o.integer("i", 1, 3), 3);
  EXPECT_EQ(o.number("n"), 2.0);
  EXPECT_EQ(o.string("s"), "x");
  EXPECT_TRUE(o.boolean("b"));
  EXPECT_EQ(o.integers("a"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(o.numbers("d"), (std::vector<double>{0.5, 1}));
  EXPECT_EQ(o.strings("w"), (std::vector<std::string>{"u", "v"}));
  EXPECT_EQ(o.choice("c", {"one", "two"}), 1u);
  Object inner = o.object("o");
  EXPECT_EQ(inner.integer("k"), 1);
  inner.finish();
  o.finish();
  EXPECT_THAT(errors.messages(), IsEmpty());
}

TEST(JsonObject, OptionalFieldsMayBeAbsentOrNull) {
  Value value = parsed(R"({"i": null})");
  Errors errors;
  Object o(value, "", errors);
  EXPECT_FALSE(o.optionalInteger("i"));
  EXPECT_FALSE(o.optionalString("s"));
  EXPECT_FALSE(o.optionalObject("o"));
  EXPECT_EQ(o.optionalArray("a"), nullptr);
  EXPECT_FALSE(o.has("i"));
  o.finish();
  EXPECT_TRUE(errors.empty());
}

TEST(JsonObject, ReportsEverythingAtOnce) {
  Value value = parsed(
      R"({"i": "x", "big": 9, "r": 1.5, "n": null, "l": [1, "a", 3, null], "o": {"q": 1}, "c": "three", "extra/key": 1})");
  Errors errors;
  Object o(value, "/top", errors);
  EXPECT_EQ(o.integer("i"), 0);
  EXPECT_EQ(o.integer("big", 2, 8), 2);
  o.integer("r");
  o.string("n");
  o.string("missing");
  o.integers("l");
  o.choice("c", {"one", "two"});
  Object inner = o.object("o");
  inner.boolean("q");
  inner.finish();
  o.finish();
  EXPECT_THAT(errors.messages(),
              ElementsAre("/top/i: expected an integer, found the string \"x\"",
                          "/top/big: expected an integer from 2 to 8, found the integer 9",
                          "/top/r: expected an integer, found the number 1.5", "/top/n: required field is null",
                          "/top/missing: required field is missing",
                          "/top/l/1: expected an integer, found the string \"a\"",
                          "/top/l/3: expected an integer, found null",
                          "/top/c: expected one of one, two, found the string \"three\"",
                          "/top/o/q: expected true or false, found the integer 1",
                          "/top/extra~1key: unknown field, expected one of i, big, r, n, missing, l, c, o"));
  EXPECT_TRUE(errors.toString("m.json").starts_with("m.json: /top/i: expected an integer"));
}

TEST(JsonObject, NotAnObjectIsReportedOnce) {
  Value value = parsed("[1]");
  Errors errors;
  Object o(value, "", errors);
  EXPECT_FALSE(o.valid());
  EXPECT_EQ(o.string("a"), "");
  EXPECT_TRUE(o.array("b").empty());
  Object inner = o.object("c");
  EXPECT_EQ(inner.integer("d", 5), 5);
  o.finish();
  EXPECT_THAT(errors.messages(), ElementsAre("/: expected an object, found an array of 1 element"));
}

TEST(JsonObject, ErrorsAreBounded) {
  Errors errors;
  for (int i = 0; i < 60; ++i)
    errors.add("/x", "wrong");
  EXPECT_EQ(errors.messages().size(), Errors::kMaxMessages);
  EXPECT_NE(errors.toString().find("and 10 more errors"), std::string::npos);
}

} // namespace
