//===- TrainerAllocationTest.cpp ------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Data, schedule, metrics and progress of the training loop do not allocate between steps, beside the executor's own
// test.
//
//===----------------------------------------------------------------------===//

#include "LinearPlan.h"

#include "modelpar/PlanFormat/Writer.h"
#include "runtime/training/Trainer.h"
#include "test/unittests/Checkpoint/TestFiles.h"
#include "test/unittests/PlanFormat/PipelinePlan.h"
#include "test/unittests/Runtime/NoAllocation/AllocationCounter.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

AllocationCount countAllocations(const TemporaryDirectory &directory, const planformat::Plan &plan,
                                 const std::string &data, const std::string &trace = "") {
  std::string error;
  EXPECT_TRUE(planformat::writePlanFile(directory / "p.plan", plan, error)) << error;
  TrainerOptions options;
  options.planPath = directory / "p.plan";
  options.data.path = data;
  options.metricsPath = directory / "m.jsonl";
  options.steps = 20;
  options.tracePath = trace;
  if (!trace.empty())
    options.traceSteps = options.steps;
  options.threadsPerRank = 2;
  options.checkNumerics = true;
  options.learningRate = {.peak = 1e-3, .warmup = 5, .decaySteps = 15};
  AllocationCount count;
  // No rank can end the last step before all have begun it, so counting ends while every rank is inside the loop.
  options.onStep = [&](const StepMetrics &metrics) {
    if (metrics.step == 2)
      startCountingAllocations();
    else if (metrics.step == options.steps - 1)
      count = stopCountingAllocations();
  };
  Status status = train(options);
  EXPECT_TRUE(status.ok()) << status.message();
  return count;
}

TEST(TrainerAllocation, NoneWithSyntheticData) {
  TemporaryDirectory directory;
  AllocationCount count = countAllocations(directory, linearPlan({2, 2, 2}), "");
  EXPECT_EQ(count.calls, 0) << count.bytes << " bytes, first from " << count.firstCaller;
}

TEST(TrainerAllocation, NoneInAPipeline) {
  for (schedule::Kind kind : {schedule::Kind::GPipe, schedule::Kind::OneFOneB}) {
    TemporaryDirectory directory;
    AllocationCount count =
        countAllocations(directory, planformat::pipelinePlan({.kind = kind, .pp = 4, .microBatches = 8}), "");
    EXPECT_EQ(count.calls, 0) << count.bytes << " bytes, first from " << count.firstCaller;
  }
}

TEST(TrainerAllocation, NoneWithATrace) {
  TemporaryDirectory directory;
  AllocationCount count =
      countAllocations(directory, planformat::pipelinePlan({.pp = 2, .microBatches = 4}), "", directory / "t.json");
  EXPECT_EQ(count.calls, 0) << count.bytes << " bytes, first from " << count.firstCaller;
}

TEST(TrainerAllocation, NoneWithArrays) {
  TemporaryDirectory directory;
  SafetensorsWriter writer;
  ASSERT_TRUE(SafetensorsWriter::create(directory / "d.safetensors",
                                        {{"x", FileType::F64, {5, 6}}, {"y", FileType::F32, {5, 5}}}, writer)
                  .ok());
  ASSERT_TRUE(writer.finish().ok());
  AllocationCount count = countAllocations(directory, linearPlan({2, 2, 2}), directory / "d.safetensors");
  EXPECT_EQ(count.calls, 0) << count.bytes << " bytes, first from " << count.firstCaller;
}

} // namespace
