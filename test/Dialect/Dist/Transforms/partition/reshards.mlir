// One reshard per value and target, right after the definition; partial values only pass sums of values that are all partial.
// RUN: modelpar-opt %s -dist-partition | FileCheck %s

module attributes {dist.mesh = #dist.mesh<["dp"=2, "tp"=2]>} {
  // CHECK-LABEL: func.func private @shared
  // CHECK-NEXT: %[[W:.*]] = dist.reshard %arg0 : tensor<4x4xf32, #tp__r> -> tensor<4x4xf32, #r__r>
  // CHECK-NEXT: nn.activation %[[W]]
  // CHECK-NEXT: nn.activation %[[W]]
  // CHECK-NEXT: return
  func.func private @shared(%x: tensor<4x4xf32> {dist.sharding = #dist.sharding<[{"tp"}, {}]>}) {
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %1 = nn.activation %x {kind = #nn.activation<tanh>, dist.placement = #dist.placement<{}>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    return
  }

  // Both are partial and only added: one reduction of the sum.
  // CHECK-LABEL: func.func private @added
  // CHECK: nn.matmul
  // CHECK-NEXT: nn.matmul
  // CHECK-NEXT: %[[S:.*]] = nn.add {{.*}} -> tensor<4x4xf32, #r__r__sum_tp>
  // CHECK-NEXT: %[[R:.*]] = dist.reshard %[[S]] : tensor<4x4xf32, #r__r__sum_tp> -> tensor<4x4xf32, #r__r>
  // CHECK-NEXT: return %[[R]]
  func.func private @added(%x: tensor<4x8xf32> {dist.sharding = #dist.sharding<[{}, {"tp"}]>}, %w: tensor<8x4xf32> {dist.sharding = #dist.sharding<[{"tp"}, {}]>}) -> (tensor<4x4xf32> {dist.sharding = #dist.sharding<[{}, {}]>}) {
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{b = ["tp"]}>} : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %1 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{b = ["tp"]}>} : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %2 = nn.add %0, %1 {dist.placement = #dist.placement<{}>} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    return %2 : tensor<4x4xf32>
  }

  // One is whole: the other is reduced first (a residual enters after the reduction).
  // CHECK-LABEL: func.func private @residual
  // CHECK: %[[M:.*]] = nn.matmul
  // CHECK-NEXT: %[[R:.*]] = dist.reshard %[[M]]
  // CHECK-NEXT: nn.add %[[R]], %arg2
  func.func private @residual(%x: tensor<4x8xf32> {dist.sharding = #dist.sharding<[{}, {"tp"}]>}, %w: tensor<8x4xf32> {dist.sharding = #dist.sharding<[{"tp"}, {}]>}, %r: tensor<4x4xf32> {dist.sharding = #dist.sharding<[{}, {}]>}) {
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{b = ["tp"]}>} : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %1 = nn.add %0, %r {dist.placement = #dist.placement<{}>} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    return
  }

  // The reader wants it split: what will be a reduce_scatter, or an all_to_all.
  // CHECK-LABEL: func.func private @split
  // CHECK: dist.reshard {{.*}} tensor<4x4xf32, #r__r__sum_tp> -> tensor<4x4xf32, #tp__r>
  func.func private @split(%x: tensor<4x8xf32> {dist.sharding = #dist.sharding<[{}, {"tp"}]>}, %w: tensor<8x4xf32> {dist.sharding = #dist.sharding<[{"tp"}, {}]>}) {
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{b = ["tp"]}>} : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %1 = nn.activation %0 {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["tp"]}>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    return
  }
}
