// RUN: modelpar-opt %s --plan-schedule | FileCheck %s

// Two stages: activations cross before the second stage's forward, gradients before the first one's backward, in one exchange with the next
// activations in between. A buffer has the slots that its own micro-batches need: what is kept for the backward program two, what only
// waits to be sent one; what is sent back from where the next one is received in the same exchange, two.

// CHECK: plan.buffer @kept activation : tensor<4xf32> bytes 64 slots 2 per_micro_batch
// CHECK: plan.buffer @sent activation : tensor<4xf32> bytes 64 per_micro_batch{{$}}
// CHECK: plan.buffer @gradient activation : tensor<4xf32> bytes 64 per_micro_batch{{$}}
// CHECK: plan.buffer @weight parameter : tensor<4xf32> bytes 64{{$}}
// CHECK: plan.buffer @received activation : tensor<4xf32> bytes 64 slots 2 per_micro_batch stage 1
// CHECK: plan.schedule stage 0 run [@f0, [@s0], @f0, [@s0, @r0], @b0, @f0, [@s0, @r0], @b0, [@r0], @b0, @u0] on [0, 0, 1, 1, 0, 0, 2, 2, 1, 1, 2, 2, 0]
// CHECK: plan.schedule stage 1 run {{\[}}[@r1], @f1, @b1, [@s1, @r1], @f1, @b1, [@s1, @r1], @f1, @b1, [@s1], @u1] on [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 0]
module attributes {plan.num_micro_batches = 3 : i64, plan.schedule_kind = "1f1b"} {
  plan.buffer @kept activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.buffer @sent activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.buffer @gradient activation : tensor<4xf32> bytes 64 per_micro_batch
  plan.buffer @weight parameter : tensor<4xf32> bytes 64
  plan.buffer @received activation : tensor<4xf32> bytes 64 per_micro_batch stage 1
  plan.channel @s0 send stage 0 peer 1 [@sent]
  plan.channel @r0 receive stage 0 peer 1 [@gradient]
  plan.channel @r1 receive stage 1 peer 0 [@received]
  plan.channel @s1 send stage 1 peer 0 [@received]
  plan.program @f0 forward stage 0 {
    %0 = plan.use @kept : <tensor<4xf32>>
    %1 = plan.use @sent : <tensor<4xf32>>
  }
  plan.program @b0 backward stage 0 {
    %0 = plan.use @kept : <tensor<4xf32>>
    %1 = plan.use @gradient : <tensor<4xf32>>
  }
  plan.program @u0 update stage 0 {}
  plan.program @f1 forward stage 1 {
    %0 = plan.use @received : <tensor<4xf32>>
  }
  plan.program @b1 backward stage 1 {
    %0 = plan.use @received : <tensor<4xf32>>
  }
  plan.program @u1 update stage 1 {}
}
