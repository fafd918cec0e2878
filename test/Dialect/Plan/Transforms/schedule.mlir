// RUN: modelpar-opt %s --plan-schedule | FileCheck %s

// One stage alternates forward and backward, so one micro-batch is in flight and one slot is enough.

// CHECK: plan.buffer @act activation : tensor<4xf32> bytes 64 per_micro_batch
// CHECK: plan.schedule stage 0 run [@f, @b, @f, @b, @u] on [0, 0, 1, 1, 0]
module attributes {plan.num_micro_batches = 2 : i64} {
  plan.buffer @act activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.program @f forward stage 0 {}
  plan.program @b backward stage 0 {}
  plan.program @u update stage 0 {}
}
