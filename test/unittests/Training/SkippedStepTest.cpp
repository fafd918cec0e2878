//===- SkippedStepTest.cpp - steps whose update is skipped ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinearPlan.h"

#include "runtime/executor/RunRanks.h"
#include "test/unittests/PlanFormat/PipelinePlan.h"

#include <gtest/gtest.h>
#include <limits>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

/// Small numbers; one NaN, the first element of the batch, in the steps of `bad`.
class Batches final : public InputProvider {
public:
  explicit Batches(std::vector<int64_t> bad) : bad_(std::move(bad)) {}
  Status fill(const planformat::Input &, int64_t step, int64_t, const TensorView &view) override {
    for (int64_t i = 0, n = view.numElements(); i < n; ++i)
      view.as<float>()[i] = static_cast<float>(i % 3) - 1;
    bool first = view.numElements() > 0;
    for (int d = 0; d < view.rank; ++d)
      first &= view.offsets[d] == 0;
    if (first && std::find(bad_.begin(), bad_.end(), step) != bad_.end())
      *view.as<float>() = std::numeric_limits<float>::quiet_NaN();
    return {};
  }

private:
  std::vector<int64_t> bad_;
};

/// The numbers of the updates that the programs of each rank read from the scalars, step by step.
std::vector<std::vector<int64_t>> updateNumbers(const planformat::Plan &plan, std::vector<int64_t> bad, int64_t steps) {
  std::vector<std::vector<int64_t>> result(static_cast<size_t>(plan.mesh.numRanks()));
  Status status = runRanks(plan, {}, [&](Executor &executor) -> Status {
    Batches batches(bad);
    std::vector<int64_t> &mine = result[static_cast<size_t>(executor.rank())];
    planformat::BufferId scalars = 0;
    while (executor.stage().buffers[static_cast<size_t>(scalars)].kind != planformat::Buffer::Kind::Scalars)
      ++scalars;
    for (int64_t step = 1; step <= steps; ++step) {
      StepScalars values;
      values.step = step;
      values.labelCount = 1;
      MODELPAR_RETURN_IF_ERROR(executor.runStep(values, batches));
      double read[planformat::kNumScalars];
      MODELPAR_RETURN_IF_ERROR(executor.readBuffer(scalars, std::as_writable_bytes(std::span(read))));
      EXPECT_EQ(read[static_cast<size_t>(planformat::Scalar::Step)], static_cast<double>(step));
      mine.push_back(static_cast<int64_t>(read[static_cast<size_t>(planformat::Scalar::Update)]));
    }
    mine.push_back(executor.appliedUpdates());
    return {};
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return result;
}

using Numbers = std::vector<int64_t>;

TEST(SkippedStep, DoesNotCountOnAnyRankOfAnyPlan) {
  for (LinearPlanOptions o : {LinearPlanOptions{}, {2, 1, 1}, {1, 2, 1}, {1, 1, 4}, {2, 2, 2}})
    for (const Numbers &numbers : updateNumbers(linearPlan(o), {1, 3, 4}, 6))
      EXPECT_EQ(numbers, (Numbers{1, 1, 2, 2, 2, 3, 3}));
}

TEST(SkippedStep, DoesNotCountOnAnyStage) {
  for (const Numbers &numbers : updateNumbers(planformat::pipelinePlan({.pp = 2, .dp = 2, .microBatches = 2}), {2}, 3))
    EXPECT_EQ(numbers, (Numbers{1, 2, 2, 2}));
}

TEST(SkippedStep, EveryStepCountsWhereNoneIsSkipped) {
  for (const Numbers &numbers : updateNumbers(linearPlan({1, 2, 1}), {}, 3))
    EXPECT_EQ(numbers, (Numbers{1, 2, 3, 3}));
}

} // namespace
