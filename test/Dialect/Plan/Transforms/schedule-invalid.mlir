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
