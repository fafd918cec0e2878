// RUN: modelpar-opt %s --plan-schedule -verify-diagnostics -split-input-file

// expected-error @+1 {{stage 0: expected a forward, a backward and an update program}}
module {
  plan.program @f forward stage 0 {}
}

// -----

plan.program @f forward stage 0 {}
// expected-error @+1 {{is the second forward program of stage 0}}
plan.program @g forward stage 0 {}

// -----

// expected-error @+1 {{has no place in the schedules gpipe and 1f1b: backward_input}}
plan.program @f backward_input stage 0 {}

// -----

// expected-error @+1 {{expected schedule "gpipe" or "1f1b", found "zigzag"}}
module attributes {plan.schedule_kind = "zigzag"} {
  plan.program @f forward stage 0 {}
  plan.program @b backward stage 0 {}
  plan.program @u update stage 0 {}
}

// -----

// expected-error @+1 {{stage 1: expected a forward, a backward and an update program}}
module {
  plan.program @f0 forward stage 0 {}
  plan.program @b0 backward stage 0 {}
  plan.program @u0 update stage 0 {}
  plan.program @f2 forward stage 2 {}
  plan.program @b2 backward stage 2 {}
  plan.program @u2 update stage 2 {}
}

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64 per_micro_batch
// expected-error @+1 {{expected a channel of stage 1 in the other direction}}
plan.channel @c send stage 0 peer 1 [@x]
plan.program @f forward stage 0 {}
plan.program @b backward stage 0 {}
plan.program @u update stage 0 {}

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64 per_micro_batch
// expected-error @+1 {{expected a neighbouring stage as peer of stage 0, found 2}}
plan.channel @c send stage 0 peer 2 [@x]
plan.program @f forward stage 0 {}
plan.program @b backward stage 0 {}
plan.program @u update stage 0 {}
