// Stages edited by hand, by the labels P8 and P9 of the pass.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-partitioned

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    // expected-error @+1 {{expected attribute "dist.stage" from 0 to 1, found "none"}}
    %0 = call @b.forward(%x) : (!x) -> !x
    return %0 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    // expected-error @+1 {{expected attribute "dist.stage" from 0 to 1, found 2}}
    %0 = call @b.forward(%x) {dist.stage = 2} : (!x) -> !x
    return %0 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  // expected-error @+1 {{has no forward call of stage 0, expected every one of the 2 stages to have one}}
  func.func @step(%x: !x) -> !x {
    %0 = call @b.forward(%x) {dist.stage = 1} : (!x) -> !x
    return %0 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    // expected-note @+1 {{the result is made here}}
    %0 = call @b.forward(%x) {dist.stage = 1, nn.instance = 0} : (!x) -> !x
    // expected-error @+1 {{runs in stage 0 and uses a result of stage 1, expected activations to flow to later stages}}
    %1 = call @b.forward(%0) {dist.stage = 0, nn.instance = 1} : (!x) -> !x
    return %1 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func private @b.backward_input(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.instance = 0} : (!x) -> !x
    %1 = call @b.forward(%0) {dist.stage = 1, nn.instance = 1} : (!x) -> !x
    %2 = call @b.backward_input(%1) {dist.stage = 1, nn.instance = 1} : (!x) -> !x
    // expected-error @+1 {{runs in stage 1, its forward call in stage 0}}
    %3 = call @b.backward_input(%2) {dist.stage = 1, nn.instance = 0} : (!x) -> !x
    return %1 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4] {dist.storage = #dist.sharding<[{}]>}
  func.func private @b.forward(%x: !x, %w: !x) -> !x {
    return %x : !x
  }
  func.func private @c.forward(%x: !x, %w: !x) -> !x {
    return %x : !x
  }
  func.func private @c.update(%w: !x) -> !x {
    return %w : !x
  }
  func.func @step(%x: !x) -> !x {
    %w = nn.read_parameter @w : !x
    %0 = call @b.forward(%x, %w) {dist.stage = 0} : (!x, !x) -> !x
    %1 = call @c.forward(%0, %w) {dist.stage = 1} : (!x, !x) -> !x
    // expected-error @+1 {{runs in stage 1, the first stage that uses parameter @w is 0}}
    %2 = call @c.update(%w) {dist.stage = 1} : (!x) -> !x
    nn.write_parameter @w, %2 : !x
    return %1 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    // expected-error @+1 {{calls @b, expected a function named BLOCK.forward, BLOCK.backward_input, BLOCK.backward_weight or BLOCK.update}}
    %0 = call @b(%x) {dist.stage = 0} : (!x) -> !x
    return %0 : !x
  }
}

// -----

!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.instance = 0} : (!x) -> !x
    %1 = call @b.forward(%0) {dist.stage = 1, nn.instance = 1} : (!x) -> !x
    // expected-error @+1 {{has a part of stage 1 that is made in stage 0}}
    %2 = dist.stage_parts %0, %0 stages [0, 1] : (!x, !x) -> tensor<4xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    %3 = dist.all_reduce %2 over ["pp"] kind sum : (tensor<4xf32, #dist.sharding<[{}], partial={"pp":sum}>>) -> !x
    return %3 : !x
  }
}

// -----

// What gradients of two stages are joined to in the loop is made in the earlier one.
!x = tensor<4xf32, #dist.sharding<[{}]>>
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @b.forward(%x: !x) -> !x {
    return %x : !x
  }
  func.func @step(%x: !x) -> !x {
    %0 = call @b.forward(%x) {dist.stage = 0, nn.instance = 0} : (!x) -> !x
    %1 = call @b.forward(%0) {dist.stage = 1, nn.instance = 1} : (!x) -> !x
    %2 = nn.sum %0, %1 {dist.placement = #dist.placement<{}>} : (!x, !x) -> !x
    %3 = dist.accumulate %2 over "mb" : (!x) -> !x
    %4 = dist.accumulate %1 over "mb" : (!x) -> !x
    %5 = dist.stage_parts %3, %4 stages [0, 1] : (!x, !x) -> tensor<4xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    // expected-error @+1 {{has a part of stage 1 that is made in stage 0}}
    %6 = dist.stage_parts %3 stages [1] : (!x) -> tensor<4xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    %7 = dist.all_reduce %5 over ["pp"] kind sum : (tensor<4xf32, #dist.sharding<[{}], partial={"pp":sum}>>) -> !x
    return %7 : !x
  }
}
