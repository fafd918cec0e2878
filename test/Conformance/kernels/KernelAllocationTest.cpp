//===- KernelAllocationTest.cpp - no CPU kernel allocates after its first launch ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Launches every conformance case twice on two threads and counts the allocations of
// the second launch, of the process and of the libraries it calls.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"
#include "test/unittests/Runtime/NoAllocation/AllocationCounter.h"

#include <gtest/gtest.h>

using namespace modelpar;
using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

TEST(KernelAllocation, NoneAfterTheFirstLaunch) {
  KernelCases cases;
  addLinearCases(cases);
  addAttentionCases(cases);
  addModelCases(cases);
  addLossCases(cases);
  addUpdateCases(cases);
  for (const KernelCase &c : cases) {
    AllocationCount count;
    RunOptions options{planformat::DType::F32, 2, c.instance};
    options.before = startCountingAllocations;
    options.after = [&] { count = stopCountingAllocations(); };
    Tensors outputs = c.outputs;
    Status status = cpuBackend().run(c.op, c.attributes, c.inputs, outputs, options);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(count.calls, 0) << c.op << " " << c.name << ": " << count.bytes << " bytes, first from "
                              << count.firstCaller;
  }
}
