//===- ActivityTest.cpp ---------------------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Activity.h"
#include "runtime/base/Thread.h"
#include "test/unittests/Runtime/Spin.h"

#include <gtest/gtest.h>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

constexpr int64_t kMillisecond = 1000000; // ns

TEST(Activity, CountsWhatAMemberComputes) {
  Activity activity;
  spin(2); // Before it joins.
  EXPECT_EQ(activity.used(), 0);
  {
    Activity::Member member(&activity);
    EXPECT_EQ(Activity::current(), &activity);
    spin(5);
    EXPECT_GE(activity.used(), 5 * kMillisecond);
  }
  EXPECT_EQ(Activity::current(), nullptr);
  const int64_t used = activity.used();
  EXPECT_GE(used, 5 * kMillisecond); // Of members that left, too.
  spin(2);
  EXPECT_EQ(activity.used(), used);
}

TEST(Activity, WaitsDoNotCount) {
  Activity activity;
  Activity::Member member(&activity);
  int64_t before = 0;
  {
    Activity::Pause pause;
    before = activity.used();
    spin(3);
    EXPECT_EQ(activity.used(), before);
  }
  // Nor do they afterwards: what is added now is new.
  EXPECT_LT(activity.used(), before + 3 * kMillisecond);
  spin(3);
  EXPECT_GE(activity.used(), before + 3 * kMillisecond);
}

TEST(Activity, ThreadsInheritIt) {
  Activity activity;
  std::thread thread;
  {
    Activity::Member member(&activity);
    ASSERT_TRUE(startThread([] { spin(5); }, thread).ok());
  }
  thread.join();
  EXPECT_GE(activity.used(), 5 * kMillisecond);
}

TEST(Activity, WithoutMembershipNothingHappens) {
  Activity::Member none(nullptr);
  EXPECT_EQ(Activity::current(), nullptr);
  Activity::Pause pause;
}

} // namespace
