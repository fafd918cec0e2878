// RUN: modelpar-opt %s --convert-dist-to-plan -verify-diagnostics -split-input-file

// expected-error @+1 {{expected functions with "dist.program" (phase staged)}}
module {}

// -----

// expected-error @+1 {{expected "dist.program" to name a kind of program, found "sideways"}}
func.func @p() attributes {dist.program = "sideways"} {
  return
}

// -----

// Eight bits are no element of a plan.
// expected-error @+1 {{has a tensor of type 'tensor<4xi8>', expected elements of type f32, f64, bf16, f16, i32 or i64}}
func.func @p(%x: tensor<4xi8> {nn.input = "x"}) attributes {dist.program = "forward"} {
  return
}

// -----

// A reshard must have been lowered.
module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @b(%x: tensor<4xf32, #dist.sharding<[{"tp"}]>>) -> tensor<4xf32, #dist.sharding<[{}]>> {
    // expected-error @+1 {{has no instruction, expected compute ops, collectives and calls}}
    %0 = dist.reshard %x : tensor<4xf32, #dist.sharding<[{"tp"}]>> -> tensor<4xf32, #dist.sharding<[{}]>>
    return %0 : tensor<4xf32, #dist.sharding<[{}]>>
  }
  func.func @p() attributes {dist.program = "forward"} {
    return
  }
}

// -----

nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
func.func private @b() -> tensor<4xf32> {
  // expected-error @+1 {{expected in a program, found in block @b}}
  %0 = nn.read_parameter @w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @p() attributes {dist.program = "forward"} {
  return
}

// -----

// expected-error @+1 {{expected argument 0 to have "nn.input", or "dist.buffer" with the name of an earlier program's result}}
func.func @p(%x: tensor<4xf32> {dist.buffer = "act.0"}) attributes {dist.program = "forward"} {
  return
}

// -----

// expected-error @+1 {{expected result 0 to have "dist.buffer" or "nn.output"}}
func.func @p(%x: tensor<4xf32> {nn.input = "x"}) -> tensor<4xf32> attributes {dist.program = "forward"} {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{is read by no program}}
nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
func.func @p() attributes {dist.program = "forward"} {
  return
}
