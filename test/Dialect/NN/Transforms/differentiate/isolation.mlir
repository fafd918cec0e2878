// MLIR's own clean-up works inside one function only: two equal calls stay two calls, equal blocks stay two blocks, and what is
// computed once for the forward and once for the backward function stays twice.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -cse -canonicalize -verify-differentiated | FileCheck %s

nn.parameter @w : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w" [4, 4]
nn.parameter @v : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "v" [4, 4]

// CHECK: func.func private @a.forward
// CHECK-NEXT: nn.matmul
// CHECK-NEXT: nn.dropout
// CHECK: func.func private @a.backward_weight
// CHECK-NEXT: nn.dropout
// CHECK-NEXT: nn.matmul
// CHECK: func.func private @a.update
// CHECK-NEXT: nn.sgd
func.func private @a(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = nn.dropout %0, %s {rate = 0.5, key = 0} : (tensor<8x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
// CHECK: func.func private @b.forward
// CHECK-NEXT: nn.matmul
// CHECK-NEXT: nn.dropout
// CHECK: func.func private @b.backward_weight
// CHECK-NEXT: nn.dropout
// CHECK-NEXT: nn.matmul
// CHECK: func.func private @b.update
// CHECK-NEXT: nn.sgd
func.func private @b(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %1 = nn.dropout %0, %s {rate = 0.5, key = 0} : (tensor<8x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
func.func private @head(%x: tensor<8x4xf32>, %y: tensor<8x4xf32>, %z: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.sum %x, %y, %z : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// CHECK-LABEL: func.func @step
// CHECK: call @a.forward
// CHECK-SAME: nn.instance = 0
// CHECK: call @a.forward
// CHECK-SAME: nn.instance = 1
// CHECK: call @b.forward
// CHECK: call @head.forward
// CHECK: call @head.backward_input
// CHECK: call @b.backward_weight
// CHECK: call @a.backward_weight
// CHECK-SAME: nn.instance = 1
// CHECK: call @a.backward_weight
// CHECK-SAME: nn.instance = 0
// CHECK: nn.gradient @w
// CHECK: nn.gradient @v
// CHECK: nn.write_parameter @w
// CHECK: nn.write_parameter @v
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %v = nn.read_parameter @v : tensor<4x4xf32>
  %0 = call @a(%x, %w, %s) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  %1 = call @a(%x, %w, %s) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  %2 = call @b(%x, %v, %s) {nn.instance = 2 : i64} : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  %3 = call @head(%0, %1, %2, %t) {nn.instance = 3 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}
