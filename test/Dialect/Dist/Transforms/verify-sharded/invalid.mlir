// What verify-sharded rejects, by the labels of its description.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-sharded

// A module as it should be.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "tp"=2]>, dist.batch_axes = #dist.axes<["mb"]>} {
  nn.parameter @w : tensor<8x8xf32> init <zeros> checkpoint "w" [8, 8] {dist.storage = #dist.sharding<[{}, {"tp"}]>}
  func.func private @f(%x: tensor<4x8xf32> {dist.sharding = #dist.sharding<[{"mb"}, {}]>}, %w: tensor<8x8xf32> {dist.sharding = #dist.sharding<[{}, {"tp"}]>})
      -> (tensor<4x8xf32> {dist.sharding = #dist.sharding<[{"mb"}, {"tp"}]>}) {
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{a = ["mb"], c = ["tp"]}>} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}

// -----

// expected-error @+1 {{needs attribute dist.mesh (phase sharded)}}
module {
}

// -----

// expected-error @+1 {{dist.batch_axes has axis "dp", which the mesh does not have}}
module @s1 attributes {dist.mesh = #dist.mesh<["tp"=2]>, dist.batch_axes = #dist.axes<["dp"]>} {
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{argument 0 of type 'tensor<8xf32>' has no dist.sharding}}
  func.func private @s2_argument(%x: tensor<8xf32>) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{argument 0 is of type 'i32', expected a tensor}}
  func.func private @s2_type(%x: i32) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{result 0: unknown axis "dp"}}
  func.func private @s2_axis(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) -> (tensor<8xf32> {dist.sharding = #dist.sharding<[{"dp"}]>}) {
    return %x : tensor<8xf32>
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{expected a body of one block}}
  func.func private @s2_body()
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @s3_none(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{has no dist.placement}}
    %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @s3_factor(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{placement does not fit: }}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d7 = ["tp"]}>} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @s3_axis(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{placement of factor "d0": the mesh has no axis "cp"}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["cp"]}>} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @s4(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{has no sharding rule}}
    %0 = builtin.unrealized_conversion_cast %x : tensor<8xf32> to tensor<8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{parameter @s5 of type 'tensor<8xf32>' has no dist.storage}}
  nn.parameter @s5 : tensor<8xf32> init <zeros> checkpoint "w" [8]
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{parameter @s5_partial is stored partial, expected it whole}}
  nn.parameter @s5_partial : tensor<8xf32> init <zeros> checkpoint "w" [8] {dist.storage = #dist.sharding<[{}], partial={"tp":sum}>}
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @m.forward(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) -> (tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    return %x : tensor<8xf32>
  }
  func.func @step(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    %0 = call @m.forward(%x) {dist.stage = 0 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    // expected-error @+1 {{expected attribute "dist.stage" from 0 to 1, found 2}}
    %1 = call @m.forward(%0) {dist.stage = 2 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}

// -----

// Stages do not fall along the data flow.
module attributes {dist.mesh = #dist.mesh<["pp"=2]>} {
  func.func private @s7.forward(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) -> (tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    return %x : tensor<8xf32>
  }
  func.func @step(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-note @+1 {{the result is made here}}
    %0 = call @s7.forward(%x) {dist.stage = 1 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    // expected-error @+1 {{runs in stage 0 and uses a result of stage 1, expected activations to flow to later stages}}
    %1 = call @s7.forward(%0) {dist.stage = 0 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  // expected-error @+1 {{argument 0: a sequence of 6 has no balanced split over "cp"*, expected a multiple of 4}}
  func.func private @s2_order(%x: tensor<6xf32> {dist.sharding = #dist.sharding<[{"cp"*}]>}) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func private @s3_order(%x: tensor<6xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{placement does not fit: factor "d0" of size 6 has no balanced split over "cp"*, expected a multiple of 4}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["cp"*]}>} : (tensor<6xf32>) -> tensor<6xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func private @s8_ring(%x: tensor<8xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{has dist.ring_step, which comes with phase staged}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>, dist.ring_step = 0 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    return
  }
}
