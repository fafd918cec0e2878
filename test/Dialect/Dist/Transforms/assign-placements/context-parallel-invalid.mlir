// Sequences that cannot be split, and those that are not dealt out for equal work.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -dist-assign-placements="cp=2"

// A norm over the sequence needs all of it, and nothing streams it.
module {
  // expected-error @+1 {{the sequence cannot be split over "cp": factor "h" of nn.layer_norm must stay whole}}
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %w: tensor<16xf32>) {
    %y, %mean, %rstd = nn.layer_norm %x, %w, %w {epsilon = 1.0e-5} : (tensor<8x16xf32>, tensor<16xf32>, tensor<16xf32>) -> (tensor<8x16xf32>, tensor<8xf32>, tensor<8xf32>)
    return
  }
}

// -----

// Scores written out have the sequence twice.
module {
  // expected-error @+1 {{the sequence cannot be split over "cp": nn.matmul would have one axis on factors "s" and "t"}}
  func.func @step(%x: tensor<8x16x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}) {
    %0 = nn.matmul %x, %x {subscripts = "bsd,btd->bst"} : (tensor<8x16x4xf32>, tensor<8x16x4xf32>) -> tensor<8x16x16xf32>
    return
  }
}

// -----

// Queries that are not of the sequence have no ranks for its keys to go round.
module {
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %q: tensor<8x3x2x4xf32> {nn.batch_dim = 0}, %s: tensor<16xf64>) {
    // expected-error @+1 {{needs the whole sequence (factor "t"), which is split over "cp": it can only be streamed along factor "s", which is not of the sequence}}
    %o, %lse = nn.attention %q, %x, %x, %s {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x3x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>) -> (tensor<8x3x2x4xf32>, tensor<8x3x2xf32>)
    return
  }
}

// -----

module {
  // expected-error @+1 {{nn.seq_dim 2 on argument 0 of type 'tensor<8x16xf32>'}}
  func.func @step(%x: tensor<8x16xf32> {nn.batch_dim = 0, nn.seq_dim = 2}) {
    return
  }
}

// -----

// A parameter with the sequence as a dimension is stored in the sequence's own order.
module {
  nn.parameter @p : tensor<16x2x4xf32> init <zeros> checkpoint "p" [16, 2, 4]
  // expected-remark @+1 {{the sequence is split into contiguous parts over "cp", whose work under the causal mask is not equal: parameter "p" has it as dimension 0}}
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    %p = nn.read_parameter @p : tensor<16x2x4xf32>
    %y = nn.add %x, %p : (tensor<8x16x2x4xf32>, tensor<16x2x4xf32>) -> tensor<8x16x2x4xf32>
    %o, %lse = nn.attention %y, %y, %y, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}

// -----

// Two sequences: each is dealt out for itself, here only the one that 2*cp divides.
module {
  // expected-remark @+1 {{the sequence is split into contiguous parts over "cp", whose work under the causal mask is not equal: its size 18 is no multiple of 2*cp = 4}}
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %k: tensor<8x18x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    %o, %lse = nn.attention %x, %k, %k, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x18x2x4xf32>, tensor<8x18x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}

// -----

// Without a causal mask all positions have equal work.
module {
  func.func @step(%x: tensor<8x15x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    %o, %lse = nn.attention %x, %x, %x, %s {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x15x2x4xf32>, tensor<8x15x2x4xf32>, tensor<8x15x2x4xf32>, tensor<16xf64>) -> (tensor<8x15x2x4xf32>, tensor<8x15x2xf32>)
    return
  }
}

// -----

// A mask that is data cannot be streamed past: a rank has it for its queries, not for keys that come from others.
module {
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %m: tensor<8x16x16xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    // expected-error @+1 {{'nn.attention' op needs the whole sequence (factor "t"), which is split over "cp": its mask is data, not a function of the two positions, so keys cannot be streamed past it}}
    %o, %lse = nn.attention %x, %x, %x, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>, tensor<8x16x16xf32>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}

// -----

// Keys that are not of the sequence are whole on every rank, and so is the mask along them.
module {
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %k: tensor<8x5x2x4xf32> {nn.batch_dim = 0}, %m: tensor<8x16x5xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    %o, %lse = nn.attention %x, %k, %k, %s, %m {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x5x2x4xf32>, tensor<8x5x2x4xf32>, tensor<16xf64>, tensor<8x16x5xf32>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}
