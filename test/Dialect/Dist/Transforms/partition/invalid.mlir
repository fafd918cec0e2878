// Modules that cannot be partitioned.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -dist-partition

// expected-error @+1 {{needs attribute dist.mesh (phase sharded)}}
module {}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{argument 0 of type 'tensor<4xf32>' has no dist.sharding}}
  func.func @step(%x: tensor<4xf32>) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  // expected-error @+1 {{argument 0: unknown axis "pp"}}
  func.func @step(%x: tensor<4xf32> {dist.sharding = #dist.sharding<[{"pp"}]>}) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func @step(%x: tensor<4xf32> {dist.sharding = #dist.sharding<[{}]>}) {
    // expected-error @+1 {{has no dist.placement}}
    %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<4xf32>) -> tensor<4xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func @step(%x: tensor<4x4xf32> {dist.sharding = #dist.sharding<[{}, {}]>}) {
    // expected-error @+1 {{placement does not fit: axis "tp" is on factors "d0" and "d1"}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["tp"], d1 = ["tp"]}>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func @step(%x: tensor<4x4xf32> {dist.sharding = #dist.sharding<[{}, {}]>}) {
    // expected-error @+1 {{placement of factor "d0": the mesh has no axis "dp"}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["dp"]}>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    return
  }
}

// -----

// A value of one micro-batch is not whole, and no op can make it so inside the loop.
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  // expected-note @+1 {{the value is defined here}}
  func.func @step(%x: tensor<4xf32> {dist.sharding = #dist.sharding<[{"mb"}]>}) {
    // expected-error @+1 {{operand 0: no path from [{"mb"}] to [{}]}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<4xf32>) -> tensor<4xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
  func.func @step() {
    // expected-error @+1 {{parameter @w has no dist.storage}}
    %w = nn.read_parameter @w : tensor<4xf32>
    return
  }
}

// -----

// A sum over the batch that an op needs whole.
module attributes {dist.mesh = #dist.mesh<["mb"=2]>, dist.batch_axes = #dist.axes<["mb"]>} {
  func.func @step(%x: tensor<4x3xf32> {dist.sharding = #dist.sharding<[{"mb"}, {}]>}) {
    // expected-note @+1 {{the value is defined here}}
    %0 = nn.reduce_sum %x {dist.placement = #dist.placement<{d0 = ["mb"]}>} : (tensor<4x3xf32>) -> tensor<3xf32>
    // expected-error @+1 {{operand 0 is a sum over the whole batch, and the batch is split over 2 micro-batches: expected one micro-batch}}
    %1 = nn.activation %0 {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<3xf32>) -> tensor<3xf32>
    return
  }
}
