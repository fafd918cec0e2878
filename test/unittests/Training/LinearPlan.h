//===- LinearPlan.h - linear regression under any small mesh ---------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan by hand, with the real kernels: prediction = x · weight, squared error, one bucket of gradients, clipping,
// SGD.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_TRAINING_LINEARPLAN_H
#define MODELPAR_TEST_TRAINING_LINEARPLAN_H

#include "test/unittests/PlanFormat/SmallPlan.h"

namespace modelpar::runtime::test {

/// `tp` shards the outputs, `dp` and `mb` the batch. Axes of size 1 are left out.
struct LinearPlanOptions {
  int64_t microBatches = 1, dp = 1, tp = 1;
  int64_t batch = 8, inputs = 6, outputs = 5; ///< Five outputs: shards are uneven.
};
planformat::Plan linearPlan(const LinearPlanOptions &options);

} // namespace modelpar::runtime::test

#endif // MODELPAR_TEST_TRAINING_LINEARPLAN_H
