// What verify-scheduled rejects, by the labels of its description.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-scheduled

// A module as it should be.
module attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.input "x" : tensor<4xf32> role "data" range [0.0, 1.0] dims []
  plan.parameter "w" : tensor<4xf32> init "zeros" [0.0, 0.0] checkpoint "w" [4] value @w state [] []
  plan.output "loss" @l
  plan.output "grad_norm" @l
  plan.buffer @w parameter : tensor<4xf32> bytes 64 at 0
  plan.buffer @l output : tensor<f32> bytes 64 at 64
  plan.buffer @x input : tensor<4xf32> bytes 64 at 128
  plan.block @b ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>) frame 0 {
  }
  plan.program @u update stage 0 frame 64 {
    %0 = plan.use @x : <tensor<4xf32>>
    plan.load "x" into %0 : <tensor<4xf32>>
    %1 = plan.alloc 64 at 0 : <tensor<4xf32>>
    plan.call @b ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%1 : !plan.buffer<tensor<4xf32>>) instance 0 frame 0
  }
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 256 transient 192 parts ["all"] [256]
}

// -----

// expected-error @+1 {{has no stage, expected phase scheduled}}
module {
}

// -----

// expected-error @+1 {{the module has no plan.optimizer, expected "adamw" or "sgd"}}
module {
  plan.program @u update stage 0 {}
}

// -----

// expected-error @+1 {{plan.global_batch is 0 : i64, expected a 64-bit integer of at least 1}}
module attributes {plan.optimizer = "sgd", plan.global_batch = 0 : i64} {
  plan.program @u update stage 0 {}
}

// -----

module attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 {}
  // expected-error @+1 {{stands in a module of phase scheduled, expected ops of dialect plan}}
  func.func private @v1()
}

// -----

// expected-error @+1 {{stage 0: expected programs, a plan.schedule and a plan.memory}}
module @v2 attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 {}
}

// -----

// Stage 0 is missing.
// expected-error @+1 {{stage 0: expected programs, a plan.schedule and a plan.memory}}
module @v2_gap attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 1 {}
  plan.schedule stage 1 run [@u] on [0]
  plan.memory stage 1 arena 0 transient 0 parts [] []
}

// -----

module @v2_stage attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  // expected-error @+1 {{is of stage -1, expected 0 to 65535}}
  plan.program @u update stage -1 {}
}

// -----

module @v2_twice attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 {}
  plan.schedule stage 0 run [@u] on [0]
  // expected-error @+1 {{is the second schedule of stage 0}}
  plan.schedule stage 0 run [@u] on [0]
}

// -----

module @v2_buffer attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
  // expected-error @+1 {{is of stage 1, expected 0 to 0}}
  plan.buffer @w parameter : tensor<4xf32> bytes 64 at 0 stage 1
}

// -----

module @v3_buffer attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
  // expected-error @+1 {{has no offset, expected phase scheduled (plan-allocate)}}
  plan.buffer @w parameter : tensor<4xf32> bytes 64
}

// -----

module @v3_frame attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  // expected-error @+1 {{has no frame, expected phase scheduled (plan-allocate)}}
  plan.program @u update stage 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

module @v3_alloc attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 frame 0 {
    // expected-error @+1 {{has no offset, expected phase scheduled (plan-allocate)}}
    %0 = plan.alloc 64 : <tensor<4xf32>>
  }
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

// A block that calls itself.
module @v4 attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.block @b ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>) frame 0 {
    // expected-error @+1 {{calls @b in front of where it stands}}
    plan.call @b ins(%x : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) instance 0 frame 0
  }
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

module @v5 attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
  plan.input "x" : tensor<4xf32> role "data" range [0.0, 1.0] dims []
  // expected-error @+1 {{has the name "x" of another one}}
  plan.input "x" : tensor<4xf32> role "data" range [0.0, 1.0] dims []
}

// -----

module @v6 attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.buffer @x input : tensor<4xf32> bytes 64 at 0
  plan.program @u update stage 0 frame 0 {
    %0 = plan.use @x : <tensor<4xf32>>
    // expected-error @+1 {{fills from "y", expected the name of a plan.input}}
    plan.load "y" into %0 : <tensor<4xf32>>
  }
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

module @v6_type attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.input "x" : tensor<8xf32> role "data" range [0.0, 1.0] dims []
  plan.buffer @x input : tensor<4xf32> bytes 64 at 0
  plan.program @u update stage 0 frame 0 {
    %0 = plan.use @x : <tensor<4xf32>>
    // expected-error @+1 {{fills 'tensor<4xf32>' from "x", which is 'tensor<8xf32>'}}
    plan.load "x" into %0 : <tensor<4xf32>>
  }
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

module @v7 attributes {plan.optimizer = "adamw", plan.global_batch = 4 : i64} {
  plan.buffer @w parameter : tensor<4xf32> bytes 64 at 0
  // expected-error @+1 {{has states [], expected those of adamw}}
  plan.parameter "w" : tensor<4xf32> init "zeros" [0.0, 0.0] checkpoint "w" [4] value @w state [] []
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}

// -----

// expected-error @+1 {{has no output "grad_norm"}}
module @v8 attributes {plan.optimizer = "sgd", plan.global_batch = 4 : i64} {
  plan.output "loss" @l
  plan.buffer @l output : tensor<f32> bytes 64 at 0
  plan.program @u update stage 0 frame 0 {}
  plan.schedule stage 0 run [@u] on [0]
  plan.memory stage 0 arena 0 transient 0 parts [] []
}
