// A block becomes forward, backward_input and backward_weight; the pre-activation is the only value that is saved.
// RUN: modelpar-opt %s -nn-differentiate -verify-differentiated | FileCheck %s

module attributes {nn.optimizer = "sgd"} {
  nn.parameter @w : tensor<64x64xf32> init <normal, 0.0, 0.02> checkpoint "w" [64, 64]
  nn.parameter @b : tensor<64xf32> init <zeros> checkpoint "b" [64] {weight_decay = false}
  nn.parameter @e : tensor<9x64xf32> init <zeros> checkpoint "e" [9, 64]

  // CHECK: func.func private @embed.forward(%{{.*}}: tensor<8xi32>, %{{.*}}: tensor<9x64xf32>) -> tensor<8x64xf32>
  // CHECK-SAME: nn.role = #nn.role<forward>
  // Ids are no activation, so there is no gradient of one.
  // CHECK-NOT: @embed.backward_input
  // CHECK: func.func private @embed.backward_weight(%[[G:.*]]: tensor<8x64xf32>, %[[IDS:.*]]: tensor<8xi32>) -> tensor<9x64xf32>
  // CHECK-NEXT: nn.embedding_grad %[[G]], %[[IDS]]
  func.func private @embed(%ids: tensor<8xi32>, %e: tensor<9x64xf32>) -> tensor<8x64xf32> {
    %0 = nn.embedding %ids, %e : (tensor<8xi32>, tensor<9x64xf32>) -> tensor<8x64xf32>
    return %0 : tensor<8x64xf32>
  }

  // CHECK: func.func private @layer.forward(%[[X:.*]]: tensor<8x64xf32>, %[[W:.*]]: tensor<64x64xf32>, %[[B:.*]]: tensor<64xf32>)
  // CHECK-SAME: nn.role = #nn.role<forward>
  // CHECK-NEXT: %[[MM:.*]] = nn.matmul %[[X]], %[[W]]
  // CHECK-NEXT: %[[PRE:.*]] = nn.add %[[MM]], %[[B]]
  // CHECK-NEXT: %[[ACT:.*]] = nn.activation %[[PRE]]
  // CHECK-NEXT: %[[Y:.*]] = nn.add %[[ACT]], %[[X]]
  // CHECK-NEXT: return %[[Y]], %[[PRE]]

  // CHECK: func.func private @layer.backward_input(%[[G:.*]]: tensor<8x64xf32>, %[[PRE:.*]]: tensor<8x64xf32>, %[[W:.*]]: tensor<64x64xf32>)
  // CHECK-SAME: nn.role = #nn.role<backward_input>
  // CHECK-NEXT: %[[GP:.*]] = nn.activation_grad %[[G]], %[[PRE]] {kind = #nn.activation<gelu>}
  // CHECK-NEXT: %[[GM:.*]] = nn.matmul %[[GP]], %[[W]] {subscripts = "bf,df->bd"}
  // CHECK-NEXT: %[[GX:.*]] = nn.sum %[[G]], %[[GM]]
  // CHECK-NEXT: return %[[GX]], %[[GP]]

  // CHECK: func.func private @layer.backward_weight(%[[X:.*]]: tensor<8x64xf32>, %[[GP:.*]]: tensor<8x64xf32>)
  // CHECK-SAME: nn.role = #nn.role<backward_weight>
  // CHECK-DAG: %[[GW:.*]] = nn.matmul %[[X]], %[[GP]] {subscripts = "bd,bf->df"}
  // CHECK-DAG: %[[GB:.*]] = nn.reduce_sum %[[GP]]
  // CHECK: return %[[GW]], %[[GB]]
  func.func private @layer(%x: tensor<8x64xf32>, %w: tensor<64x64xf32>, %b: tensor<64xf32>) -> tensor<8x64xf32> {
    %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %1 = nn.add %0, %b : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
    %2 = nn.activation %1 {kind = #nn.activation<gelu>} : (tensor<8x64xf32>) -> tensor<8x64xf32>
    %3 = nn.add %2, %x : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    return %3 : tensor<8x64xf32>
  }

  // The target has no gradient; the loss's is one.
  // CHECK: func.func private @head.backward_input(%[[X:.*]]: tensor<8x64xf32>, %[[T:.*]]: tensor<8x64xf32>) -> tensor<8x64xf32>
  // CHECK-NEXT: nn.squared_error_grad %[[X]], %[[T]]
  func.func private @head(%x: tensor<8x64xf32>, %t: tensor<8x64xf32>) -> tensor<f32> {
    %0 = nn.squared_error %x, %t : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<f32>
    return %0 : tensor<f32>
  }

  // CHECK: func.func @step(%[[IDS:.*]]: tensor<8xi32>, %[[T:.*]]: tensor<8x64xf32>, %[[S:.*]]: tensor<16xf64>)
  // CHECK-SAME: -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"})
  // CHECK: %[[X:.*]] = call @embed.forward(%[[IDS]], %[[E:.*]]) {nn.instance = 0 : i64, nn.role = #nn.role<forward>}
  // CHECK: %[[Y:.*]]:2 = call @layer.forward(%[[X]], %[[W:.*]], %[[B:.*]]) {nn.instance = 1 : i64, nn.role = #nn.role<forward>}
  // CHECK: %[[LOSS:.*]] = call @head.forward(%[[Y]]#0, %[[T]]) {nn.instance = 2 : i64, nn.role = #nn.role<forward>}
  // CHECK: %[[GY:.*]] = call @head.backward_input(%[[Y]]#0, %[[T]]) {nn.instance = 2 : i64, nn.role = #nn.role<backward_input>}
  // CHECK: %[[GX:.*]]:2 = call @layer.backward_input(%[[GY]], %[[Y]]#1, %[[W]]) {nn.instance = 1 : i64, nn.role = #nn.role<backward_input>}
  // CHECK: %[[GW:.*]]:2 = call @layer.backward_weight(%[[X]], %[[GX]]#1) {nn.instance = 1 : i64, nn.role = #nn.role<backward_weight>}
  // CHECK: %[[GE:.*]] = call @embed.backward_weight(%[[GX]]#0, %[[IDS]])
  // CHECK: nn.gradient @w, %[[GW]]#0
  // CHECK: nn.gradient @b, %[[GW]]#1
  // CHECK: nn.gradient @e, %[[GE]]
  // CHECK: %[[SQ:.*]] = nn.sum_squares %[[GW]]#0, %[[GW]]#1, %[[GE]]
  // CHECK: %[[NORM:.*]], %[[SCALE:.*]] = nn.clip_scale %[[SQ]], %[[S]]
  // CHECK: return %[[LOSS]], %[[NORM]]
  func.func @step(%ids: tensor<8xi32>, %t: tensor<8x64xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
    %e = nn.read_parameter @e : tensor<9x64xf32>
    %w = nn.read_parameter @w : tensor<64x64xf32>
    %b = nn.read_parameter @b : tensor<64xf32>
    %0 = call @embed(%ids, %e) {nn.instance = 0 : i64} : (tensor<8xi32>, tensor<9x64xf32>) -> tensor<8x64xf32>
    %1 = call @layer(%0, %w, %b) {nn.instance = 1 : i64} : (tensor<8x64xf32>, tensor<64x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
    %2 = call @head(%1, %t) {nn.instance = 2 : i64} : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<f32>
    return %2 : tensor<f32>
  }
}
