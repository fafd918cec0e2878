// A layer is cut where a single tensor crosses, the heaviest block first, and all its calls with it.
// RUN: modelpar-opt --nn-split-blocks=min-calls=4 %s | FileCheck %s --check-prefix=LAYER
// RUN: modelpar-opt --nn-split-blocks=min-calls=7 %s | FileCheck %s --check-prefix=ALL
// Calls enough: nothing to do.
// RUN: modelpar-opt --nn-split-blocks=min-calls=3 %s | FileCheck %s --check-prefix=NONE
// RUN: modelpar-opt --nn-split-blocks %s | FileCheck %s --check-prefix=NONE

// NONE: func.func private @layer(
// NONE: func.func private @head(
// NONE-NOT: _front

nn.parameter @w : tensor<8x8xf32> init <zeros> checkpoint "w" [8, 8]
nn.parameter @v : tensor<8x8xf32> init <zeros> checkpoint "v" [8, 8]
nn.parameter @u : tensor<8x2xf32> init <zeros> checkpoint "u" [8, 2]

// Two residual halves: between the matmul and its sum the activation %x crosses too, so the cut is behind the first sum.
// LAYER-LABEL: func.func private @layer_front(
// LAYER-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x8xf32>) -> tensor<4x8xf32>
// LAYER: %[[P:.*]] = nn.matmul %[[X]], %[[W]]
// LAYER: %[[S:.*]] = nn.add %[[P]], %[[X]]
// LAYER: return %[[S]]
// LAYER-LABEL: func.func private @layer_back(
// LAYER-SAME: %[[S:.*]]: tensor<4x8xf32>, %[[V:.*]]: tensor<8x8xf32>) -> tensor<4x8xf32>
// LAYER: %[[P:.*]] = nn.matmul %[[S]], %[[V]]
// LAYER: %[[R:.*]] = nn.add %[[P]], %[[S]]
// LAYER: return %[[R]]
// LAYER-NOT: @layer(
func.func private @layer(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %v: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = nn.add %0, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = nn.matmul %1, %v {subscripts = "bd,df->bf"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = nn.add %2, %1 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// The head has one place; the inputs of the step do not count as crossing. Then no place is left: 6 calls, not 7.
// LAYER: func.func private @head(
// ALL-LABEL: func.func private @head_front(
// ALL-SAME: %{{.*}}: tensor<4x8xf32>, %{{.*}}: tensor<8x2xf32>) -> tensor<4x2xf32>
// ALL-LABEL: func.func private @head_back(
// ALL-SAME: %{{.*}}: tensor<4x2xf32>, %{{.*}}: tensor<4x2xf32>) -> tensor<f32>
func.func private @head(%x: tensor<4x8xf32>, %u: tensor<8x2xf32>, %t: tensor<4x2xf32>) -> tensor<f32> {
  %0 = nn.matmul %x, %u {subscripts = "bd,df->bf"} : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %1 = nn.squared_error %0, %t : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// LAYER-LABEL: func.func @step
// LAYER: %[[A:.*]] = call @layer_front(%{{.*}}, %{{.*}}) {nn.instance = 5 : i64}
// LAYER: %[[B:.*]] = call @layer_back(%[[A]], %{{.*}}) {nn.instance = 5 : i64}
// LAYER: %[[C:.*]] = call @layer_front(%[[B]], %{{.*}}) {nn.instance = 6 : i64}
// LAYER: %[[D:.*]] = call @layer_back(%[[C]], %{{.*}}) {nn.instance = 6 : i64}
// LAYER: call @head(%[[D]],
// ALL-LABEL: func.func @step
// ALL: call @layer_front(
// ALL: call @layer_back(
// ALL: call @layer_front(
// ALL: call @layer_back(
// ALL: call @head_front(
// ALL: %[[LOSS:.*]] = call @head_back(
// ALL-NOT: call
// ALL: return %[[LOSS]]
func.func @step(%x: tensor<4x8xf32>, %t: tensor<4x2xf32>, %scalars: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<8x8xf32>
  %v = nn.read_parameter @v : tensor<8x8xf32>
  %u = nn.read_parameter @u : tensor<8x2xf32>
  %0 = call @layer(%x, %w, %v) {nn.instance = 5 : i64} : (tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = call @layer(%0, %v, %w) {nn.instance = 6 : i64} : (tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = call @head(%1, %u, %t) {nn.instance = 0 : i64} : (tensor<4x8xf32>, tensor<8x2xf32>, tensor<4x2xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
