// A mask is an input of the gradient too, and has none itself.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @w : tensor<4x4xf32> init <ones> checkpoint "w" [4, 4]

// CHECK: func.func private @model.forward(%{{[^:]*}}: tensor<2x8x2x4xf32>, %[[MASK:[^:]*]]: tensor<2x8x8xf32>
// CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[MASK]] {

// CHECK: func.func private @model.backward_weight(
// CHECK-SAME: %[[GRADMASK:[^:]*]]: tensor<2x8x8xf32>
// CHECK: %[[DQ:.*]], %{{.*}}, %{{.*}} = nn.attention_grad {{.*}}, %[[GRADMASK]] {
// CHECK: %[[DW:.*]] = nn.matmul %{{.*}}, %[[DQ]] {subscripts = "bsgd,bsge->de"}
// CHECK: return %[[DW]]
func.func private @model(%x: tensor<2x8x2x4xf32>, %m: tensor<2x8x8xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %q = nn.matmul %x, %w {subscripts = "bsgd,de->bsge"} : (tensor<2x8x2x4xf32>, tensor<4x4xf32>) -> tensor<2x8x2x4xf32>
  %o, %lse = nn.attention %q, %x, %x, %s, %m {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x8x2x4xf32>, tensor<2x8x2x4xf32>, tensor<2x8x2x4xf32>, tensor<16xf64>, tensor<2x8x8xf32>) -> (tensor<2x8x2x4xf32>, tensor<2x8x2xf32>)
  %l = nn.squared_error %o, %x : (tensor<2x8x2x4xf32>, tensor<2x8x2x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<2x8x2x4xf32>, %m: tensor<2x8x8xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %m, %w, %s) {nn.instance = 0 : i64} : (tensor<2x8x2x4xf32>, tensor<2x8x8xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}
