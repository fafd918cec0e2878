// Layers that share a matrix but not their bias: the first layer updates both, the others only their bias, by a function of its own.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @w : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w" [4, 4]
nn.parameter @b0 : tensor<4xf32> init <zeros> checkpoint "b0" [4]
nn.parameter @b1 : tensor<4xf32> init <zeros> checkpoint "b1" [4]
nn.parameter @b2 : tensor<4xf32> init <zeros> checkpoint "b2" [4]

func.func private @first(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = nn.add %x, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}
// CHECK: func.func private @layer.update(
// CHECK-COUNT-2: nn.sgd
// CHECK: func.func private @layer.update.1(
// CHECK-COUNT-1: nn.sgd
func.func private @layer(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = nn.add %0, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
func.func private @head(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// CHECK-LABEL: func.func @step
// CHECK: %[[G2:.*]]:2 = call @layer.backward_weight({{.*}}) {nn.instance = 2
// CHECK: %[[G1:.*]]:2 = call @layer.backward_weight({{.*}}) {nn.instance = 1
// CHECK: %[[G:.*]] = nn.sum %[[G2]]#0, %[[G1]]#0
// CHECK: nn.gradient @w, %[[G]]
// CHECK: call @first.update
// CHECK: %[[U1:.*]]:2 = call @layer.update(
// CHECK-SAME: nn.instance = 1
// CHECK-NEXT: nn.write_parameter @w, %[[U1]]#0
// CHECK-NEXT: nn.write_parameter @b1, %[[U1]]#1
// CHECK-NEXT: %[[U2:.*]] = call @layer.update.1(
// CHECK-SAME: nn.instance = 2
// CHECK-NEXT: nn.write_parameter @b2, %[[U2]]
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %b0 = nn.read_parameter @b0 : tensor<4xf32>
  %b1 = nn.read_parameter @b1 : tensor<4xf32>
  %b2 = nn.read_parameter @b2 : tensor<4xf32>
  %0 = call @first(%x, %b0) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %1 = call @layer(%0, %w, %b1) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %2 = call @layer(%1, %w, %b2) {nn.instance = 2 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %3 = call @head(%2, %t) {nn.instance = 3 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}
