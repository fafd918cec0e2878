// Modules that cannot be placed.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -dist-assign-placements="dp=2 tp=2"

// A layer norm needs its width whole: a pin is not needed to see it, tp has nothing to split.
// expected-warning @+1 {{no dimension can be split over "tp" of size 2: its ranks all compute the same}}
module {
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0}, %w: tensor<16xf32>) {
    %y, %mean, %rstd = nn.layer_norm %x, %w, %w {epsilon = 1.0e-5} : (tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) -> (tensor<8x16xf32>, tensor<8xf32>, tensor<8xf32>)
    return
  }
}

// -----

// expected-error @+1 {{expected a function @step}}
module {}

// -----

module {
  // expected-error @+1 {{no input has nn.batch_dim, so there is nothing to split over "dp"}}
  func.func @step(%x: tensor<8x16xf32>) {
    return
  }
}

// -----

module {
  // expected-error @+1 {{the batch dimension of argument 0 cannot be split: factor "h" of nn.layer_norm must stay whole}}
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 1}, %w: tensor<16xf32>) {
    %y, %mean, %rstd = nn.layer_norm %x, %w, %w {epsilon = 1.0e-5} : (tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) -> (tensor<8x16xf32>, tensor<8xf32>, tensor<8xf32>)
    return
  }
}

// -----

module {
  // expected-error @+1 {{the batch dimension of argument 0 cannot be split: nn.matmul would have one axis on factors "a" and "b"}}
  func.func @step(%x: tensor<8x8xf32> {nn.batch_dim = 0}) {
    %0 = nn.matmul %x, %x {subscripts = "ab,bc->ac"} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    return
  }
}

// -----

module {
  // expected-error @+1 {{argument 1 has a batch of 4, other inputs have one of 8}}
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0}, %y: tensor<4xf32> {nn.batch_dim = 0}) {
    return
  }
}

// -----

module {
  // expected-error @+1 {{dimension 0 of parameter "w" is the batch dimension, which is split over micro-batches}}
  nn.parameter @w : tensor<8x16xf32> init <zeros> checkpoint "w" [8, 16]
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0}) {
    %w = nn.read_parameter @w : tensor<8x16xf32>
    %0 = nn.mul %x, %w : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
    return
  }
}

// -----

module {
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0}) {
    // expected-error @+1 {{has no sharding rule}}
    %0 = builtin.unrealized_conversion_cast %x : tensor<8x16xf32> to tensor<16x8xf32>
    return
  }
}
