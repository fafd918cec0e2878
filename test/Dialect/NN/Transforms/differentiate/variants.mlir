// The first layer's input is data and needs no gradient: it gets functions of its own. The other two share theirs.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @w0 : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w0" [4, 4]
nn.parameter @w1 : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w1" [4, 4]
nn.parameter @w2 : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w2" [4, 4]

// CHECK: func.func private @layer.forward
// CHECK: func.func private @layer.backward_input
// CHECK: func.func private @layer.backward_weight
// CHECK: func.func private @layer.1.forward
// CHECK-NOT: @layer.1.backward_input
// CHECK: func.func private @layer.1.backward_weight
func.func private @layer(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = nn.activation %0 {kind = #nn.activation<relu>} : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
func.func private @head(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// A block that is not called goes.
// CHECK-NOT: @unused
func.func private @unused(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @step
// CHECK: call @layer.1.forward
// CHECK-SAME: nn.instance = 0
// CHECK: call @layer.forward
// CHECK-SAME: nn.instance = 1
// CHECK: call @layer.forward
// CHECK-SAME: nn.instance = 2
// CHECK: call @layer.backward_input
// CHECK: call @layer.backward_weight
// CHECK-SAME: nn.instance = 2
// CHECK: call @layer.backward_input
// CHECK: call @layer.backward_weight
// CHECK-SAME: nn.instance = 1
// CHECK: call @layer.1.backward_weight
// CHECK-SAME: nn.instance = 0
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %w0 = nn.read_parameter @w0 : tensor<4x4xf32>
  %w1 = nn.read_parameter @w1 : tensor<4x4xf32>
  %w2 = nn.read_parameter @w2 : tensor<4x4xf32>
  %0 = call @layer(%x, %w0) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = call @layer(%0, %w1) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %2 = call @layer(%1, %w2) {nn.instance = 2 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %3 = call @head(%2, %t) {nn.instance = 3 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}
