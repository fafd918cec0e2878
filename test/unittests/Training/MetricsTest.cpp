//===- MetricsTest.cpp -----------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Metrics.h"

#include "modelpar/Json/Json.h"
#include "test/unittests/Checkpoint/TestFiles.h"

#include <array>
#include <gmock/gmock.h>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

std::string format(const StepMetrics &metrics) {
  std::array<char, 512> buffer;
  return {buffer.data(), formatMetrics(metrics, buffer)};
}

TEST(Metrics, OneObjectPerLineReadsBackEqual) {
  StepMetrics metrics{7, 1.0 / 3, 2e-9, 1e-3, 12345.678, 0.1, int64_t{1} << 40};
  std::string line = format(metrics);
  EXPECT_EQ(line.back(), '\n');
  json::Value value;
  std::string error;
  ASSERT_TRUE(json::parse(line, value, error)) << error;
  EXPECT_EQ(value["step"], 7);
  EXPECT_EQ(value["loss"].get<double>(), metrics.loss);
  EXPECT_EQ(value["grad_norm"].get<double>(), metrics.gradNorm);
  EXPECT_EQ(value["lr"].get<double>(), metrics.learningRate);
  EXPECT_EQ(value["tokens_per_second"].get<double>(), metrics.tokensPerSecond);
  EXPECT_EQ(value["step_seconds"].get<double>(), metrics.stepSeconds);
  EXPECT_EQ(value["peak_memory_bytes"], metrics.peakMemoryBytes);
  EXPECT_EQ(value.size(), 7u);
}

TEST(Metrics, NumbersThatAreNotFiniteAreNull) {
  StepMetrics metrics;
  metrics.loss = std::numeric_limits<double>::quiet_NaN();
  metrics.gradNorm = std::numeric_limits<double>::infinity();
  EXPECT_THAT(format(metrics), HasSubstr(R"("loss":null,"grad_norm":null)"));
}

TEST(Metrics, LinesAreInTheFileAtOnce) {
  TemporaryDirectory directory;
  writeFile(directory / "m.jsonl", "of an earlier run\n");
  MetricsFile file;
  ASSERT_TRUE(file.open(directory / "m.jsonl").ok());
  StepMetrics metrics;
  metrics.step = 1;
  ASSERT_TRUE(file.write(metrics).ok());
  EXPECT_EQ(readFile(directory / "m.jsonl"), format(metrics));
  EXPECT_THAT(file.open(directory / "no/m.jsonl").message(), HasSubstr("cannot create"));
}

TEST(Metrics, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full";
  MetricsFile file;
  ASSERT_TRUE(file.open("/dev/full").ok());
  EXPECT_THAT(file.write({}).message(), HasSubstr("cannot write '/dev/full'"));
}

TEST(MetricsFile, AFullDeviceIsAnErrorAtTheFirstLine) {
  MetricsFile file;
  ASSERT_TRUE(file.open("/dev/full").ok());
  EXPECT_EQ(file.write({}).message(), "cannot write '/dev/full': No space left on device");
}

TEST(MetricsFile, ADashIsStandardOutput) {
  testing::internal::CaptureStdout();
  MetricsFile file;
  ASSERT_TRUE(file.open("-").ok());
  EXPECT_TRUE(file.write({7}).ok());
  EXPECT_TRUE(file.close().ok());
  std::printf("open\n"); // The stream stays open.
  EXPECT_THAT(testing::internal::GetCapturedStdout(), AllOf(HasSubstr("{\"step\":7,"), HasSubstr("}\nopen\n")));
}

TEST(Progress, LinesWithoutATerminal) {
  TemporaryDirectory directory;
  std::FILE *stream = std::fopen((directory / "p").c_str(), "w");
  Progress progress(stream, false, 3, "tokens/s");
  for (int64_t step : {1, 2, 3})
    progress.report({step, 1.5, 2, 1e-3, 100, 0.1, 3 << 20});
  progress.finish();
  std::fclose(stream);
  std::string text = readFile(directory / "p");
  EXPECT_THAT(text,
              HasSubstr("step 1/3 | loss 1.5000 | lr 0.001 | grad norm 2.0000 | 100 tokens/s | memory 3.0 MiB\n"));
  EXPECT_THAT(text, HasSubstr("step 3/3"));
  EXPECT_THAT(text, testing::Not(HasSubstr("\r")));
}

TEST(Progress, OneLineOnATerminal) {
  TemporaryDirectory directory;
  std::FILE *stream = std::fopen((directory / "p").c_str(), "w");
  Progress progress(stream, true, 2, "samples/s");
  for (int64_t step : {1, 2})
    progress.report({step, 1.5, 2, 1e-3, 100, 0.1, 0});
  progress.finish();
  progress.finish();
  std::fclose(stream);
  std::string text = readFile(directory / "p");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
}

} // namespace
