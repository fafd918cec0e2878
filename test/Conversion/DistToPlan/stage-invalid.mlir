// RUN: modelpar-opt %s --dist-stage -verify-diagnostics -split-input-file

// expected-error @+1 {{expected a function @step}}
module {}

// -----

func.func private @b.forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @step(%x: tensor<4xf32> {nn.input = "x"}) -> (tensor<4xf32> {nn.output = "loss"}) {
  // expected-error @+1 {{expected attribute "nn.role" on every call of @step}}
  %0 = call @b.forward(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A value of one micro-batch cannot be what the step returns.
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  func.func private @b.forward(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
  func.func @step(%x: tensor<4xf32> {nn.input = "x"}) -> (tensor<4xf32> {nn.output = "loss"}) {
    // expected-note @+1 {{value is defined here}}
    %0 = call @b.forward(%x) {nn.role = #nn.role<forward>} : (tensor<4xf32>) -> tensor<4xf32>
    // expected-error @+1 {{uses a value of one micro-batch after the micro-batches, expected dist.accumulate between}}
    return %0 : tensor<4xf32>
  }
}

// -----

// Forward cannot use what backward makes.
func.func private @b.backward_input(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func private @b.forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @step(%x: tensor<4xf32> {nn.input = "x"}) -> (tensor<4xf32> {nn.output = "loss"}) {
  %0 = call @b.backward_input(%x) {nn.role = #nn.role<backward_input>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{needs a value of the backward program in the forward program, which runs before it}}
  %1 = call @b.forward(%0) {nn.role = #nn.role<forward>} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
