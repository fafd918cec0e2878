// What cannot be cut into stages.
// RUN: modelpar-opt %s --dist-stage -verify-diagnostics -split-input-file

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) {
    // expected-error @+1 {{expected attribute "dist.stage" from 0 to 1}}
    %0 = call @b.forward(%x) {nn.role = #nn.role<forward>} : (!x) -> !x
    return
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) {
    // expected-note @+1 {{value is defined here}}
    %0 = call @b.forward(%x) {dist.stage = 1, nn.role = #nn.role<forward>} : (!x) -> !x
    // expected-error @+1 {{of stage 0 needs a value that the forward program of stage 1 makes, expected activations to flow to later stages}}
    %1 = call @b.forward(%0) {dist.stage = 0, nn.role = #nn.role<forward>} : (!x) -> !x
    return
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) -> (!x {nn.output = "loss"}) {
    // expected-note @+1 {{value is defined here}}
    %0 = call @b.forward(%x) {dist.stage = 0, nn.role = #nn.role<forward>} : (!x) -> !x
    // expected-error @+1 {{of stage 1 needs a value that the forward program of stage 0 makes, expected dist.stage_parts between}}
    return %0 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.role = #nn.role<forward>} : (!x) -> !x
    %1 = call @b.forward(%0) {dist.stage = 1, nn.role = #nn.role<forward>} : (!x) -> !x
    // expected-error @+1 {{adds values of stages 0 and 1, expected dist.stage_parts after one accumulation for each}}
    %2 = dist.accumulate %0, %1 over "mb" : (!x, !x) -> !x
    return
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
!s = tensor<f32, #dist.sharding<[]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.role = #nn.role<forward>} : (!x) -> !x
    %1 = call @b.forward(%0) {dist.stage = 1, nn.role = #nn.role<forward>} : (!x) -> !x
    %2 = dist.accumulate %0 over "mb" : (!x) -> !x
    %3 = dist.accumulate %1 over "mb" : (!x) -> !x
    // expected-error @+1 {{needs values of several stages after the micro-batches, expected dist.stage_parts between}}
    %4 = nn.sum_squares %2, %3 : (!x, !x) -> !s
    return
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func private @b.update(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x {nn.input = "x"}) {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.role = #nn.role<forward>} : (!x) -> !x
    %1 = dist.accumulate %0 over "mb" : (!x) -> !x
    // expected-error @+1 {{runs in stage 1 and needs a value of stage 0 after the micro-batches, expected dist.stage_parts between}}
    %2 = call @b.update(%1) {dist.stage = 1, nn.role = #nn.role<update>} : (!x) -> !x
    return
  }
}
