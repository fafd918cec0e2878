// What verify-staged rejects, by the labels of its description.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-staged

#r = #dist.sharding<[{}]>
#s = #dist.sharding<[]>
// A module as it should be.
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
  func.func private @m.forward(%x: tensor<4xf32, #r>) -> tensor<4xf32, #r> attributes {nn.role = #nn.role<forward>} {
    return %x : tensor<4xf32, #r>
  }
  func.func @stage0.forward(%x: tensor<4xf32, #r> {nn.input = "x"}) -> (tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch})
      attributes {dist.program = "forward", dist.stage = 0 : i64} {
    %0 = call @m.forward(%x) : (tensor<4xf32, #r>) -> tensor<4xf32, #r>
    return %0 : tensor<4xf32, #r>
  }
  func.func @stage0.backward(%x: tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch})
      attributes {dist.program = "backward", dist.stage = 0 : i64} {
    return
  }
  func.func @stage0.update(%l: tensor<f32, #s> {nn.input = "l"}) -> (tensor<f32, #s> {nn.output = "loss"}, tensor<f32, #s> {nn.output = "grad_norm"})
      attributes {dist.program = "update", dist.stage = 0 : i64} {
    %w = nn.read_parameter @w : tensor<4xf32, #r>
    nn.gradient @w, %w : tensor<4xf32, #r>
    nn.write_parameter @w, %w : tensor<4xf32, #r>
    return %l, %l : tensor<f32, #s>, tensor<f32, #s>
  }
}

// -----

// expected-error @+1 {{needs attribute dist.mesh (phase staged)}}
module {
}

// -----

// expected-error @+1 {{expected functions with "dist.program" (phase staged)}}
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{dist.program is "sideways", expected "forward", "backward" or "update"}}
  func.func @t1() attributes {dist.program = "sideways", dist.stage = 0 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  // expected-error @+1 {{expected attribute dist.stage from 0 to 1, found 2 : i64}}
  func.func @t1_stage() attributes {dist.program = "update", dist.stage = 2 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @a() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
  // expected-error @+1 {{is the second update program of stage 0}}
  func.func @t1_twice() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

// expected-error @+1 {{stage 0 has no backward program}}
module @t1_missing attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func @a() attributes {dist.program = "forward", dist.stage = 0 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{is neither a program (dist.program) nor a private function with nn.role}}
  func.func private @t2() {
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
  func.func private @t2_op() attributes {nn.role = #nn.role<forward>} {
    // expected-error @+1 {{is in block @t2_op, expected computation and collectives}}
    %w = nn.read_parameter @w : tensor<4xf32, #r>
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{has a tensor without sharding, 'tensor<4xf32>'}}
  func.func @t3(%x: tensor<4xf32> {nn.input = "x"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
#tp = #dist.sharding<[{"tp"}]>
module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @t3_types(%x: tensor<4xf32, #tp>) attributes {nn.role = #nn.role<forward>} {
    // expected-error @+1 {{operand 0 is [{"tp"}], its rule and placement need [{}]}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<4xf32, #tp>) -> tensor<4xf32, #r>
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func private @m.forward() attributes {nn.role = #nn.role<forward>} {
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    // expected-error @+1 {{calls a block of role forward in a program of kind update}}
    call @m.forward() : () -> ()
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{expected argument 0 to have nn.input, or dist.buffer with the name of an earlier program's result}}
  func.func @t5(%x: tensor<4xf32, #r> {dist.buffer = "act.0"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @f(%x: tensor<4xf32, #r> {nn.input = "x"}) -> (tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch})
      attributes {dist.program = "forward", dist.stage = 0 : i64} {
    return %x : tensor<4xf32, #r>
  }
  // expected-error @+1 {{argument 0 ("act.0") has type 'tensor<8xf32}}
  func.func @t5_type(%x: tensor<8xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @f(%x: tensor<4xf32, #r> {nn.input = "x"}) -> (tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch})
      attributes {dist.program = "forward", dist.stage = 0 : i64} {
    return %x : tensor<4xf32, #r>
  }
  // expected-error @+1 {{argument 0 ("act.0") and the earlier program's result do not both have dist.per_micro_batch}}
  func.func @t5_kept(%x: tensor<4xf32, #r> {dist.buffer = "act.0"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @f(%x: tensor<4xf32, #r> {nn.input = "x"}) -> (tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch})
      attributes {dist.program = "forward", dist.stage = 0 : i64} {
    return %x : tensor<4xf32, #r>
  }
  // expected-error @+1 {{argument 0 ("act.0") is of one micro-batch, the update runs after all of them}}
  func.func @t5_update(%x: tensor<4xf32, #r> {dist.buffer = "act.0", dist.per_micro_batch}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{expected result 0 to have dist.buffer or nn.output}}
  func.func @t6(%x: tensor<4xf32, #r> {nn.input = "x"}) -> tensor<4xf32, #r> attributes {dist.program = "update", dist.stage = 0 : i64} {
    return %x : tensor<4xf32, #r>
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{result 0 is an output, expected in the last stage's update}}
  func.func @t6_output(%x: tensor<4xf32, #r> {nn.input = "x"}) -> (tensor<4xf32, #r> {nn.output = "loss"}) attributes {dist.program = "forward", dist.stage = 0 : i64} {
    return %x : tensor<4xf32, #r>
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

// Stage 0 has nobody to receive activations from.
#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @f() attributes {dist.program = "forward", dist.stage = 0 : i64} {
    // expected-error @+1 {{from stage 1 in the forward program of stage 0, expected activations from the stage before or gradients from the one behind}}
    %0 = dist.recv from 1 ["act.0"] : tensor<4xf32, #r>
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func @u(%x: tensor<4xf32, #r> {nn.input = "x"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    // expected-error @+1 {{to stage 1 in the update program of stage 0, expected activations to the stage behind or gradients to the one before}}
    dist.send %x to 1 ["act.0"] : tensor<4xf32, #r>
    return
  }
}

// -----

// The write goes to another parameter than the read.
#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @a : tensor<4xf32> init <zeros> checkpoint "a" [4]
  nn.parameter @b : tensor<4xf32> init <zeros> checkpoint "b" [4]
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    // expected-error @+1 {{reads exp_avg of @a, which is never written here}}
    %m = nn.read_parameter @a {slot = #nn.slot<exp_avg>} : tensor<4xf32, #r>
    nn.write_parameter @b, %m {slot = #nn.slot<exp_avg>} : tensor<4xf32, #r>
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @a : tensor<4xf32> init <zeros> checkpoint "a" [4]
  func.func @u(%x: tensor<4xf32, #r> {nn.input = "x"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    // expected-error @+1 {{names the gradient of @a, which is never read here}}
    nn.gradient @a, %x : tensor<4xf32, #r>
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @a : tensor<4xf32> init <zeros> checkpoint "a" [4]
  func.func @f(%x: tensor<4xf32, #r> {nn.input = "x"}) attributes {dist.program = "forward", dist.stage = 0 : i64} {
    // expected-error @+1 {{is in a program of kind forward, expected in the update}}
    nn.write_parameter @a, %x : tensor<4xf32, #r>
    return
  }
  func.func @u() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-error @+1 {{has no output "loss"}}
  func.func @t9() attributes {dist.program = "update", dist.stage = 0 : i64} {
    return
  }
}
