// Sends and receives of a staged module that do not meet.
// RUN: modelpar-opt %s --convert-dist-to-plan -verify-diagnostics -split-input-file

func.func @stage0.forward() attributes {dist.program = "forward", dist.stage = 0} {
  return
}
func.func @stage1.forward() attributes {dist.program = "forward", dist.stage = 1} {
  // expected-error @+1 {{expected a dist.send to 1 in stage 0}}
  %0 = dist.recv from 0 ["a"] : tensor<4xf32>
  return
}

// -----

func.func @stage0.forward(%x: tensor<4xf32> {nn.input = "x"}) attributes {dist.program = "forward", dist.stage = 0} {
  // expected-error @+1 {{expected a dist.recv from 0 in stage 1}}
  dist.send %x to 1 ["a"] : tensor<4xf32>
  return
}

// -----

func.func @stage0.forward(%x: tensor<4xf32> {nn.input = "x"}) attributes {dist.program = "forward", dist.stage = 0} {
  // expected-error @+1 {{expected the names and types of its receive in stage 1}}
  dist.send %x to 1 ["a"] : tensor<4xf32>
  return
}
func.func @stage1.forward() attributes {dist.program = "forward", dist.stage = 1} {
  // expected-note @+1 {{the receive is here}}
  %0 = dist.recv from 0 ["b"] : tensor<4xf32>
  return
}

// -----

func.func @stage0.forward(%x: tensor<4xf32> {nn.input = "x"}) attributes {dist.program = "forward", dist.stage = 0} {
  dist.send %x to 1 ["a"] : tensor<4xf32>
  // expected-error @+1 {{is the second send from stage 0 to stage 1}}
  dist.send %x to 1 ["b"] : tensor<4xf32>
  return
}
