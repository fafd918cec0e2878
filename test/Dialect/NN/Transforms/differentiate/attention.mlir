// Normalisation, packed projection, attention: gradients of members are packed, statistics are saved.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @e : tensor<2x8x32xf32> init <ones> checkpoint "e" [2, 8, 32]
nn.parameter @g : tensor<32xf32> init <ones> checkpoint "g" [32]
nn.parameter @c : tensor<32xf32> init <zeros> checkpoint "c" [32]
nn.parameter @w : tensor<32x3x2x16xf32> init <normal, 0.0, 0.02> checkpoint "w" [32, 96]

func.func private @first(%x: tensor<2x8x32xf32>, %e: tensor<2x8x32xf32>) -> tensor<2x8x32xf32> {
  %0 = nn.mul %x, %e : (tensor<2x8x32xf32>, tensor<2x8x32xf32>) -> tensor<2x8x32xf32>
  return %0 : tensor<2x8x32xf32>
}

// CHECK: func.func private @layer.forward
// CHECK: %[[N:.*]], %[[MEAN:.*]], %[[RSTD:.*]] = nn.layer_norm
// CHECK: %[[Q:.*]]:3 = nn.unpack
// CHECK: %[[O:.*]], %[[LSE:.*]] = nn.attention
// CHECK: return %[[O]], %[[Q]]#0, %[[Q]]#1, %[[Q]]#2, %[[LSE]], %[[MEAN]], %[[RSTD]], %[[N]] :

// CHECK: func.func private @layer.backward_input
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = nn.attention_grad {{.*}} {causal = true, dropout_key = 4 : i64, rate = 1.000000e-01 : f64, scale = 2.500000e-01 : f64}
// CHECK: %[[DP:.*]] = nn.pack %[[DQ]], %[[DK]], %[[DV]] {dim = 2 : i64}
// CHECK: %[[DN:.*]] = nn.matmul %[[DP]], %{{.*}} {subscripts = "bsngd,hngd->bsh"}
// CHECK: %[[DX:.*]] = nn.layer_norm_input_grad %[[DN]],
// CHECK: return %[[DX]], %[[DP]], %[[DN]]

// CHECK: func.func private @layer.backward_weight
// CHECK-DAG: %[[DW:.*]] = nn.matmul %{{.*}}, %{{.*}} {subscripts = "bsh,bsngd->hngd"}
// CHECK-DAG: %[[DG:.*]], %[[DC:.*]] = nn.layer_norm_weight_grad
// CHECK: return %[[DG]], %[[DC]], %[[DW]]
func.func private @layer(%x: tensor<2x8x32xf32>, %g: tensor<32xf32>, %c: tensor<32xf32>, %w: tensor<32x3x2x16xf32>, %s: tensor<16xf64>) -> tensor<2x8x2x16xf32> {
  %n, %mean, %rstd = nn.layer_norm %x, %g, %c {epsilon = 1.0e-5} : (tensor<2x8x32xf32>, tensor<32xf32>, tensor<32xf32>) -> (tensor<2x8x32xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
  %0 = nn.matmul %n, %w {subscripts = "bsh,hngd->bsngd"} : (tensor<2x8x32xf32>, tensor<32x3x2x16xf32>) -> tensor<2x8x3x2x16xf32>
  %q, %k, %v = nn.unpack %0 {dim = 2} : (tensor<2x8x3x2x16xf32>) -> (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>)
  %a, %lse = nn.attention %q, %k, %v, %s {causal = true, scale = 0.25, rate = 0.1, dropout_key = 4} : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>, tensor<16xf64>) -> (tensor<2x8x2x16xf32>, tensor<2x8x2xf32>)
  return %a : tensor<2x8x2x16xf32>
}
func.func private @head(%x: tensor<2x8x2x16xf32>, %t: tensor<2x8x2x16xf32>) -> tensor<f32> {
  %0 = nn.squared_error %x, %t : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
func.func @step(%x: tensor<2x8x32xf32>, %t: tensor<2x8x2x16xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %e = nn.read_parameter @e : tensor<2x8x32xf32>
  %g = nn.read_parameter @g : tensor<32xf32>
  %c = nn.read_parameter @c : tensor<32xf32>
  %w = nn.read_parameter @w : tensor<32x3x2x16xf32>
  %0 = call @first(%x, %e) {nn.instance = 0 : i64} : (tensor<2x8x32xf32>, tensor<2x8x32xf32>) -> tensor<2x8x32xf32>
  %1 = call @layer(%0, %g, %c, %w, %s) {nn.instance = 1 : i64} : (tensor<2x8x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32x3x2x16xf32>, tensor<16xf64>) -> tensor<2x8x2x16xf32>
  %2 = call @head(%1, %t) {nn.instance = 2 : i64} : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
