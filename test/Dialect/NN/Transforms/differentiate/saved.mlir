// What the caller has is not saved: operands of the call, a result of the block. A dropout saves no mask.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @a : tensor<8x4xf32> init <ones> checkpoint "a" [8, 4]
nn.parameter @b : tensor<8x4xf32> init <ones> checkpoint "b" [8, 4]

func.func private @first(%x: tensor<8x4xf32>, %a: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.mul %x, %a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// The product is a result already and the dropout's input is not needed: nothing more is returned.
// CHECK: func.func private @middle.forward(%{{.*}}: tensor<8x4xf32>, %{{.*}}: tensor<8x4xf32>, %{{.*}}: tensor<16xf64>) -> (tensor<8x4xf32>, tensor<8x4xf32>)
// Arguments: result gradients, then saved values, then operands of the call.
// CHECK: func.func private @middle.backward_input(%[[G0:.*]]: tensor<8x4xf32>, %[[G1:.*]]: tensor<8x4xf32>, %[[P:.*]]: tensor<8x4xf32>, %[[B:.*]]: tensor<8x4xf32>, %[[S:.*]]: tensor<16xf64>)
// CHECK-DAG: nn.dropout %[[G1]], %[[S]] {key = 7 : i64, rate = 5.000000e-01 : f64}
// CHECK-DAG: nn.activation_grad %{{.*}}, %[[P]]
func.func private @middle(%x: tensor<8x4xf32>, %b: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %0 = nn.mul %x, %b : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = nn.activation %0 {kind = #nn.activation<tanh>} : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = nn.dropout %1, %s {rate = 0.5, key = 7} : (tensor<8x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %0, %2 : tensor<8x4xf32>, tensor<8x4xf32>
}
func.func private @head(%x: tensor<8x4xf32>, %y: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.add %x, %y : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// Both operands of the head's addition have one gradient, which is returned once; uses of one activation are joined.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[T:[^:]*]]: tensor<8x4xf32>, %[[S:[^:]*]]: tensor<16xf64>)
// CHECK: %[[F:.*]] = call @first.forward
// CHECK: %[[M:.*]]:2 = call @middle.forward(%[[F]], %[[B:.*]], %[[S]])
// CHECK: call @head.forward(%[[M]]#0, %[[M]]#1, %[[T]])
// CHECK: %[[GH:.*]] = call @head.backward_input({{.*}}) {{.*}} -> tensor<8x4xf32>
// CHECK: %[[GM:.*]]:2 = call @middle.backward_input(%[[GH]], %[[GH]], %[[M]]#0, %[[B]], %[[S]])
// CHECK: call @middle.backward_weight(%[[F]], %[[GM]]#1)
// CHECK: call @first.backward_weight(%[[GM]]#0,
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %a = nn.read_parameter @a : tensor<8x4xf32>
  %b = nn.read_parameter @b : tensor<8x4xf32>
  %0 = call @first(%x, %a) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %1, %2 = call @middle(%0, %b, %scalars) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<16xf64>) -> (tensor<8x4xf32>, tensor<8x4xf32>)
  %3 = call @head(%1, %2, %t) {nn.instance = 2 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}
