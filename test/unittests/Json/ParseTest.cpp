//===- ParseTest.cpp - what the JSON reader takes and refuses ------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Json/Json.h"

#include <gtest/gtest.h>

namespace {
using namespace modelpar::json;

std::string errorOf(std::string_view text, const Limits &limits = {}) {
  Value value = 1;
  std::string error;
  EXPECT_FALSE(parse(text, value, error, limits)) << text;
  EXPECT_TRUE(value.is_null());
  return error;
}

Value parsed(std::string_view text) {
  Value value;
  std::string error;
  EXPECT_TRUE(parse(text, value, error)) << error;
  EXPECT_EQ(error, "");
  return value;
}

TEST(JsonParse, KeepsOrderAndKinds) {
  Value value = parsed(R"({"z": 1, "a": [true, null, -2.5, "x\u00e9\n"], "m": {"k": {}}})");
  EXPECT_EQ(dump(value), R"({"z":1,"a":[true,null,-2.5,"xé\n"],"m":{"k":{}}})");
  EXPECT_TRUE(value["z"].is_number_integer());
}

TEST(JsonParse, ScalarAtTheTop) {
  EXPECT_EQ(parsed(" 7 "), 7);
  EXPECT_EQ(parsed("7"), 7);
  EXPECT_EQ(parsed("\"s\""), "s");
}

TEST(JsonParse, ExtremeIntegersAreExact) {
  Value value = parsed("[9223372036854775807, -9223372036854775808]");
  EXPECT_EQ(value[0].get<int64_t>(), Object::kMaxInt);
  EXPECT_EQ(value[1].get<int64_t>(), Object::kMinInt);
}

TEST(JsonParse, DoublesReadBackEqual) {
  for (double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 1e-5}) {
    EXPECT_EQ(parsed(dump(Value(number))).get<double>(), number);
  }
}

TEST(JsonParse, SameKeyInDifferentObjectsIsFine) { parsed(R"([{"a": 1}, {"a": {"a": 2}}])"); }

TEST(JsonParse, DuplicateKey) {
  EXPECT_EQ(errorOf("{\"a\": 1,\n  \"b\": 2,\n  \"a\": 3}"), "3:3: duplicate key \"a\"");
  EXPECT_EQ(errorOf(R"({"x\"y": 1, "x\"y": 2})"), R"(1:13: duplicate key "x\"y")");
}

TEST(JsonParse, NumbersOutOfRange) {
  EXPECT_EQ(errorOf("[1, 1e400]"), "1:5: number is out of range of a double");
  EXPECT_EQ(errorOf("9223372036854775808"),
            "1:1: integer 9223372036854775808 is out of range, expected at most 9223372036854775807");
  EXPECT_EQ(errorOf("[\n 123456789012345678901234567890 ]"),
            "2:2: integer 123456789012345678901234567890 is out of range, expected at most 64 bits with sign");
  EXPECT_EQ(errorOf("[-9223372036854775809]"),
            "1:2: integer -9223372036854775809 is out of range, expected at most 64 bits with sign");
}

TEST(JsonParse, NotANumber) {
  EXPECT_NE(errorOf("{\"a\": NaN}").find("1:7: syntax error"), std::string::npos);
  EXPECT_NE(errorOf("[Infinity]").find("syntax error"), std::string::npos);
  EXPECT_NE(errorOf("[01]").find("syntax error"), std::string::npos);
  EXPECT_NE(errorOf("[.5]").find("syntax error"), std::string::npos);
}

TEST(JsonParse, SyntaxErrorsNameThePlace) {
  EXPECT_NE(errorOf("").find("1:1: syntax error"), std::string::npos);
  EXPECT_NE(errorOf("{\n\"a\": [1, 2\n").find("unexpected end of input"), std::string::npos);
  EXPECT_NE(errorOf("{\"a\": 1} x").find("1:10: syntax error"), std::string::npos);
  EXPECT_NE(errorOf("[1,]").find("1:4: syntax error"), std::string::npos);
  EXPECT_NE(errorOf("// c\n1").find("1:1: syntax error"), std::string::npos);
  EXPECT_NE(errorOf("\"\xff\"").find("UTF-8"), std::string::npos);
}

TEST(JsonParse, Limits) {
  Limits limits;
  limits.maxDepth = 3;
  EXPECT_EQ(errorOf("[[[[1]]]]", limits), "1:4: nested too deeply, expected at most 3 levels");
  limits.maxStringBytes = 4;
  EXPECT_EQ(errorOf("[\"abc\", \"abcde\"]", limits), "1:9: string of 5 bytes is too long, expected at most 4");
  EXPECT_EQ(errorOf("{\"abcde\": 1}", limits), "1:2: string of 5 bytes is too long, expected at most 4");
  limits.maxBytes = 5;
  EXPECT_EQ(errorOf("[1, 2]", limits), "1:1: text of 6 bytes is too long, expected at most 5");
}

TEST(JsonParse, DeepInputIsRefusedEarly) {
  EXPECT_EQ(errorOf(std::string(1 << 20, '[')), "1:65: nested too deeply, expected at most 64 levels");
}

TEST(JsonDump, InvalidUtf8IsReplaced) { EXPECT_EQ(dump(Value("a\xff")), "\"a\xEF\xBF\xBD\""); }

} // namespace
