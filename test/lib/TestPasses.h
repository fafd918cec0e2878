//===- TestPasses.h - passes that only tests run ----------------*- C++ -*-===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_TEST_LIB_TESTPASSES_H
#define MODELPAR_TEST_LIB_TESTPASSES_H

namespace modelpar::test {

/// Registers `test-mutate-reductions`.
void registerTestPasses();

} // namespace modelpar::test

#endif // MODELPAR_TEST_LIB_TESTPASSES_H
