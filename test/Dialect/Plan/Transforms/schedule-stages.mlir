// RUN: modelpar-opt %s --plan-schedule | FileCheck %s

// With two stages the first keeps two micro-batches in flight: two slots.

// CHECK: plan.buffer @act0 activation : tensor<4xf32> bytes 64 slots 2 per_micro_batch
// CHECK: plan.buffer @weight parameter : tensor<4xf32> bytes 64{{$}}
// CHECK: plan.buffer @act1 activation : tensor<4xf32> bytes 64 per_micro_batch stage 1
// CHECK: plan.schedule stage 0 run [@f0, @f0, @b0, @f0, @b0, @b0, @u0] on [0, 1, 0, 2, 1, 2, 0]
// CHECK: plan.schedule stage 1 run [@f1, @b1, @f1, @b1, @f1, @b1, @u1] on [0, 0, 1, 1, 2, 2, 0]
module attributes {plan.num_micro_batches = 3 : i64, plan.schedule_kind = "1f1b"} {
  plan.buffer @act0 activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.buffer @weight parameter : tensor<4xf32> bytes 64
  plan.buffer @act1 activation : tensor<4xf32> bytes 64 per_micro_batch stage 1
  plan.program @f0 forward stage 0 {}
  plan.program @b0 backward stage 0 {}
  plan.program @u0 update stage 0 {}
  plan.program @f1 forward stage 1 {}
  plan.program @b1 backward stage 1 {}
  plan.program @u1 update stage 1 {}
}
