//===- TokenFileTest.cpp --------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DataTesting.h"

#include <set>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::HasSubstr;

namespace {

Status create(const planformat::Plan &plan, const std::string &path, std::unique_ptr<DataSource> &source,
              DataFormat format = DataFormat::Auto, uint64_t seed = 1) {
  return createDataSource(plan, {path, format, seed}, source);
}

std::string llmc(std::vector<int32_t> header, const std::string &tokens) {
  header.resize(256);
  return bytesOf(header) + tokens;
}

/// A text whose byte i is i % 256: the token at a place tells the place.
std::string ramp(size_t size) {
  std::string text(size, 0);
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(i % 256);
  return text;
}

TEST(TokenFile, TextGivesWindowsAndTheNextBytes) {
  TemporaryDirectory directory;
  writeFile(directory / "t.txt", ramp(200));
  planformat::Plan plan = tokenPlan(16, 8, 256);
  std::unique_ptr<DataSource> source;
  ASSERT_TRUE(create(plan, directory / "t.txt", source, DataFormat::Text).ok());
  EXPECT_THAT(source->describe(), HasSubstr("200 bytes"));
  EXPECT_EQ(source->labelCount(1), 128);
  std::set<int32_t> starts;
  for (int64_t step = 1; step <= 100; ++step) {
    auto tokens = fillAll<int32_t>(*source, plan, plan.inputs[0], step);
    auto targets = fillAll<int32_t>(*source, plan, plan.inputs[1], step);
    for (int row = 0; row < 16; ++row) {
      starts.insert(tokens[row * 8]);
      for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(tokens[row * 8 + i], tokens[row * 8] + i);
        EXPECT_EQ(targets[row * 8 + i], tokens[row * 8 + i] + 1);
      }
    }
  }
  // 200 bytes have 192 windows of 9; 1600 draws see nearly all, the first and the last among them for this seed.
  EXPECT_EQ(*starts.begin(), 0);
  EXPECT_EQ(*starts.rbegin(), 191);
  EXPECT_GT(starts.size(), 180u);
}

TEST(TokenFile, TheBatchDependsOnSeedAndStepAlone) {
  TemporaryDirectory directory;
  writeFile(directory / "t.txt", ramp(200));
  planformat::Plan plan = tokenPlan(4, 6, 256);
  std::unique_ptr<DataSource> a, b, c;
  ASSERT_TRUE(create(plan, directory / "t.txt", a, DataFormat::Text).ok());
  ASSERT_TRUE(create(plan, directory / "t.txt", b, DataFormat::Text).ok());
  ASSERT_TRUE(create(plan, directory / "t.txt", c, DataFormat::Text, 2).ok());
  (void)fillAll<int32_t>(*a, plan, plan.inputs[0], 7);
  auto first = fillAll<int32_t>(*a, plan, plan.inputs[0], 3);
  EXPECT_EQ(first, fillAll<int32_t>(*b, plan, plan.inputs[0], 3));
  EXPECT_NE(first, fillAll<int32_t>(*b, plan, plan.inputs[0], 4));
  EXPECT_NE(first, fillAll<int32_t>(*c, plan, plan.inputs[0], 3));
  for (int input : {0, 1, 2})
    expectPartsAgree<int32_t>(*a, plan, plan.inputs[input], 3);
}

TEST(TokenFile, AFileOfOneWindowIsEnough) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(2, 8, 256);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "t.txt", ramp(9));
  ASSERT_TRUE(create(plan, directory / "t.txt", source, DataFormat::Text).ok());
  EXPECT_EQ(fillAll<int32_t>(*source, plan, plan.inputs[1], 1)[7], 8);
  writeFile(directory / "t.txt", ramp(8));
  EXPECT_THAT(create(plan, directory / "t.txt", source, DataFormat::Text).message(),
              HasSubstr("has 8 tokens, the plan's sequences need at least 9"));
}

TEST(TokenFile, ReadsTokensOfTwoAndFourBytes) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 100000);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "n.bin", bytesOf<uint16_t>({50256, 2, 3}));
  ASSERT_TRUE(create(plan, directory / "n.bin", source, DataFormat::NanoGPT).ok());
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[0], 1), testing::ElementsAre(50256, 2));
  writeFile(directory / "l.bin", llmc({20240520, 1, 3}, bytesOf<uint16_t>({7, 8, 9})));
  ASSERT_TRUE(create(plan, directory / "l.bin", source).ok());
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[1], 1), testing::ElementsAre(8, 9));
  writeFile(directory / "l3.bin", llmc({20240801, 7, 3}, bytesOf<uint32_t>({70000, 80000, 90000})));
  ASSERT_TRUE(create(plan, directory / "l3.bin", source).ok());
  EXPECT_THAT(fillAll<int32_t>(*source, plan, plan.inputs[0], 1), testing::ElementsAre(70000, 80000));
}

TEST(TokenFile, RefusesFilesThatAreNotWhatTheySay) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 100000);
  std::unique_ptr<DataSource> source;
  auto expect = [&](const std::string &name, const std::string &bytes, DataFormat format, const std::string &part) {
    writeFile(directory / name, bytes);
    Status status = create(plan, directory / name, source, format);
    EXPECT_FALSE(status.ok()) << part;
    EXPECT_THAT(status.message(), HasSubstr(part));
    EXPECT_THAT(status.message(), HasSubstr(directory / name));
  };
  const std::string three = bytesOf<uint16_t>({1, 2, 3});
  expect("a.bin", three, DataFormat::Auto, "use --data-format=nanogpt");
  expect("a.bin", three + "x", DataFormat::NanoGPT, "not whole 16-bit tokens");
  expect("a.bin", three, DataFormat::LlmC, "not an llm.c token file");
  expect("a.bin", llmc({20240520, 2, 3}, three), DataFormat::Auto, "version 2, expected 1");
  expect("a.bin", llmc({20240520, 1, 4}, three), DataFormat::Auto, "says 4 tokens");
  expect("a.bin", llmc({20240520, 1, -1}, three), DataFormat::Auto, "says 4294967295 tokens");
  expect("a.bin", llmc({20240520, 1, 3}, three).substr(0, 100), DataFormat::Auto, "cut off");
  expect("a.bin", llmc({20240520, 1, 3}, three) + "x", DataFormat::Auto,
         "3 tokens, which take 1030 bytes; the file has 1031");
  expect("a.idx", "MMIDIDX", DataFormat::Auto, "not supported");
  expect("a.txt", "", DataFormat::Auto, "has 0 tokens");
  EXPECT_THAT(create(plan, directory / "none.txt", source).message(), HasSubstr("none.txt': No such file"));
}

TEST(TokenFile, RefusesTokensOutsideTheVocabulary) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 100);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "t.txt", "aaaa\xff");
  EXPECT_THAT(create(plan, directory / "t.txt", source).message(),
              HasSubstr("token 4 is 255, input 'tokens' takes 0 to 99"));
  writeFile(directory / "l.bin", llmc({20240801, 7, 4}, bytesOf<uint32_t>({1, 99, 70000, 100})));
  EXPECT_THAT(create(plan, directory / "l.bin", source).message(),
              HasSubstr("l.bin': token 2 is 70000, input 'tokens' takes 0 to 99"));
  plan.inputs[1].rangeHigh = 5; // Each of the inputs has a range of its own.
  writeFile(directory / "n.bin", bytesOf<uint16_t>({1, 2, 3, 6}));
  EXPECT_THAT(create(plan, directory / "n.bin", source, DataFormat::NanoGPT).message(),
              HasSubstr("token 3 is 6, input 'targets' takes 0 to 4"));
}

// One bad token among many: the file is longer than one window of the check and the token near its end.
TEST(TokenFile, LooksAtEveryToken) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 1000);
  std::unique_ptr<DataSource> source;
  std::vector<uint16_t> tokens(40'000'000, 999);
  tokens[39'999'998] = 1000;
  writeFile(directory / "n.bin", bytesOf(tokens));
  EXPECT_THAT(create(plan, directory / "n.bin", source, DataFormat::NanoGPT).message(),
              HasSubstr("token 39999998 is 1000, input 'tokens' takes 0 to 999"));
}

TEST(TokenFile, ChangesDuringTheRunAreFound) {
  TemporaryDirectory directory;
  planformat::Plan plan = tokenPlan(1, 2, 100);
  std::unique_ptr<DataSource> source;
  writeFile(directory / "t.txt", "abc");
  ASSERT_TRUE(create(plan, directory / "t.txt", source).ok());
  std::fstream(directory / "t.txt", std::ios::in | std::ios::out | std::ios::binary).write("\xff", 1);
  Shard<int32_t> shard(plan, plan.inputs[0]);
  EXPECT_THAT(source->fill(plan.inputs[0], 1, 0, shard.view).message(),
              HasSubstr("t.txt' was changed during the run: token 0 is 255, input 'tokens' takes 0 to 99"));
}

TEST(TokenFile, RefusesPlansThatAreNoLanguageModels) {
  TemporaryDirectory directory;
  writeFile(directory / "t.txt", ramp(100));
  std::unique_ptr<DataSource> source;
  planformat::Plan plan = regressionPlan(4);
  EXPECT_THAT(create(plan, directory / "t.txt", source, DataFormat::Text).message(),
              HasSubstr("input 'x' [4, 3, 2] of f32 of role 'data'"));
}

TEST(TokenFile, FormatsHaveNames) {
  DataFormat format;
  EXPECT_TRUE(parseDataFormat("nanogpt", format));
  EXPECT_EQ(format, DataFormat::NanoGPT);
  EXPECT_FALSE(parseDataFormat("megatron", format));
}

} // namespace
