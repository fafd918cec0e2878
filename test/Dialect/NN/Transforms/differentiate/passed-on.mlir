// The gradient of an activation that is another one unchanged is no result of a function: the step passes the value on.
// That of a parameter is made by the block that uses the parameter.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @w : tensor<8x4xf32> init <zeros> checkpoint "w" [8, 4]
nn.parameter @v : tensor<8x4xf32> init <zeros> checkpoint "v" [8, 4]

// CHECK: func.func private @add.forward
// CHECK-NOT: @add.backward_input
// CHECK: func.func private @add.backward_weight(%[[R:.*]]: tensor<8x4xf32>)
// CHECK-NEXT: %[[OWN:.*]] = nn.sum %[[R]] : (tensor<8x4xf32>)
// CHECK-NEXT: return %[[OWN]]
// CHECK: func.func private @add.update
func.func private @add(%x: tensor<8x4xf32>, %w: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.add %x, %w : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}
func.func private @head(%x: tensor<8x4xf32>, %y: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.mul %x, %y : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// The first block's result is used twice: its gradient is a sum.
// CHECK-LABEL: func.func @step
// CHECK: %[[G:.*]]:2 = call @head.backward_input
// CHECK-NEXT: %[[GV:.*]] = call @add.1.backward_weight(%[[G]]#1) {nn.instance = 1
// CHECK-NEXT: %[[GX:.*]] = nn.sum %[[G]]#{{[01]}}, %[[G]]#{{[01]}}
// CHECK-NEXT: %[[GW:.*]] = call @add.backward_weight(%[[GX]]) {nn.instance = 0
// CHECK-NEXT: nn.gradient @w, %[[GW]]
// CHECK-NEXT: nn.gradient @v, %[[GV]]
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %w = nn.read_parameter @w : tensor<8x4xf32>
  %v = nn.read_parameter @v : tensor<8x4xf32>
  %0 = call @add(%x, %w) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = call @add(%0, %v) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = call @head(%0, %1, %t) {nn.instance = 2 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
