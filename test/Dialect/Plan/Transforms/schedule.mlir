// RUN: modelpar-opt %s --plan-schedule | FileCheck %s

// One stage alternates forward and backward, so of what goes from one to the other one micro-batch is in flight, and one slot is
// enough. What the update reads of a micro-batch is alive while the next one begins.

// CHECK: plan.buffer @act activation : tensor<4xf32> bytes 64 per_micro_batch
// CHECK: plan.buffer @kept activation : tensor<4xf32> bytes 64 slots 2 per_micro_batch
// CHECK: plan.schedule stage 0 run [@f, @b, @f, @b, @u] on [0, 0, 1, 1, 0]
module attributes {plan.num_micro_batches = 2 : i64} {
  plan.buffer @act activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.buffer @kept activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.program @f forward stage 0 {
    %0 = plan.use @act : <tensor<4xf32>>
    %1 = plan.use @kept : <tensor<4xf32>>
  }
  plan.program @b backward stage 0 {
    %0 = plan.use @act : <tensor<4xf32>>
  }
  plan.program @u update stage 0 {
    %0 = plan.use @kept : <tensor<4xf32>>
  }
}
