// The order of a sequence belongs to its dimensions: attention has one of its queries and one of its keys.
// RUN: modelpar-opt %s -split-input-file -dist-assign-placements="cp=2" | FileCheck %s

// Keys that are no sequence are whole on every rank, in their natural order, under a causal mask too.
// CHECK-LABEL: func.func @step
// CHECK-SAME: tensor<8x16x2x4xf32> {dist.sharding = #dist.sharding<[{}, {"cp"*}, {}, {}]>
// CHECK-SAME: tensor<8x16x2x4xf32> {dist.sharding = #dist.sharding<[{}, {}, {}, {}]>
// CHECK: nn.attention {{.*}}dist.placement = #dist.placement<{s = ["cp"*]}>
module {
  func.func @step(%q: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %k: tensor<8x16x2x4xf32> {nn.batch_dim = 0}, %s: tensor<16xf64>) {
    %o, %lse = nn.attention %q, %k, %k, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}

// -----

// A second sequence that nothing is causal along stays in its natural order, and goes round the ring in it.
// CHECK-LABEL: func.func @step
// CHECK-SAME: tensor<8x16x2x4xf32> {dist.sharding = #dist.sharding<[{}, {"cp"*}, {}, {}]>
// CHECK-SAME: tensor<8x7x2x4xf32> {dist.sharding = #dist.sharding<[{}, {"cp"}, {}, {}]>
// CHECK: nn.attention {{.*}}dist.placement = #dist.placement<{s = ["cp"*], t = ["cp"*]}>
// CHECK: nn.attention {{.*}}dist.placement = #dist.placement<{s = ["cp"*], t = ["cp"]}>
module {
  func.func @step(%q: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %k: tensor<8x7x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %s: tensor<16xf64>) {
    %o, %lse = nn.attention %q, %q, %q, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    %p, %rows = nn.attention %o, %k, %k, %s {causal = false, scale = 0.5, rate = 0.0, dropout_key = 1} : (tensor<8x16x2x4xf32>, tensor<8x7x2x4xf32>, tensor<8x7x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}

// -----

// An input that does not say where its sequence is is filled in the order of its type like any other.
// CHECK-LABEL: func.func @step
// CHECK-SAME: tensor<16x2x4xf32> {dist.sharding = #dist.sharding<[{"cp"*}, {}, {}]>
module {
  func.func @step(%x: tensor<8x16x2x4xf32> {nn.batch_dim = 0, nn.seq_dim = 1}, %p: tensor<16x2x4xf32>, %s: tensor<16xf64>) {
    %y = nn.add %x, %p : (tensor<8x16x2x4xf32>, tensor<16x2x4xf32>) -> tensor<8x16x2x4xf32>
    %o, %lse = nn.attention %y, %y, %y, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<8x16x2x4xf32>, tensor<16xf64>) -> (tensor<8x16x2x4xf32>, tensor<8x16x2xf32>)
    return
  }
}
