// rms_norm and rotary: the gradient turns back by the same frequencies, positions have none, rstd is saved.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @e : tensor<2x8x2x16xf32> init <ones> checkpoint "e" [2, 8, 32]
nn.parameter @g : tensor<16xf32> init <ones> checkpoint "g" [16]

func.func private @first(%x: tensor<2x8x2x16xf32>, %e: tensor<2x8x2x16xf32>) -> tensor<2x8x2x16xf32> {
  %0 = nn.mul %x, %e : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<2x8x2x16xf32>
  return %0 : tensor<2x8x2x16xf32>
}

// CHECK: func.func private @layer.forward
// CHECK: %[[N:.*]], %[[RSTD:.*]] = nn.rms_norm
// CHECK: %[[Y:.*]] = nn.rotary %[[N]], %{{.*}} {factor = 8.000000e+00 : f64, {{.*}}inverse = false
// CHECK: return %[[Y]], %[[RSTD]]

// CHECK: func.func private @layer.backward_input
// CHECK: %[[DN:.*]] = nn.rotary %{{.*}}, %{{.*}} {factor = 8.000000e+00 : f64, high_freq_factor = 4.000000e+00 : f64, inverse = true, low_freq_factor = 1.000000e+00 : f64, original_max_position_embeddings = 64 : i64, theta = 1.000000e+04 : f64}
// CHECK: %[[DX:.*]] = nn.rms_norm_input_grad %[[DN]],
// CHECK: return %[[DX]], %[[DN]]

// CHECK: func.func private @layer.backward_weight
// CHECK: %[[DG:.*]] = nn.rms_norm_weight_grad
// CHECK: return %[[DG]]
func.func private @layer(%x: tensor<2x8x2x16xf32>, %p: tensor<8xi32>, %g: tensor<16xf32>) -> tensor<2x8x2x16xf32> {
  %n, %rstd = nn.rms_norm %x, %g {epsilon = 1.0e-5} : (tensor<2x8x2x16xf32>, tensor<16xf32>) -> (tensor<2x8x2x16xf32>, tensor<2x8x2xf32>)
  %0 = nn.rotary %n, %p {theta = 1.0e4, inverse = false, factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 64} : (tensor<2x8x2x16xf32>, tensor<8xi32>) -> tensor<2x8x2x16xf32>
  return %0 : tensor<2x8x2x16xf32>
}
func.func private @head(%x: tensor<2x8x2x16xf32>, %t: tensor<2x8x2x16xf32>) -> tensor<f32> {
  %0 = nn.squared_error %x, %t : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
func.func @step(%x: tensor<2x8x2x16xf32>, %t: tensor<2x8x2x16xf32>, %p: tensor<8xi32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %e = nn.read_parameter @e : tensor<2x8x2x16xf32>
  %g = nn.read_parameter @g : tensor<16xf32>
  %0 = call @first(%x, %e) {nn.instance = 0 : i64} : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<2x8x2x16xf32>
  %1 = call @layer(%0, %p, %g) {nn.instance = 1 : i64} : (tensor<2x8x2x16xf32>, tensor<8xi32>, tensor<16xf32>) -> tensor<2x8x2x16xf32>
  %2 = call @head(%1, %t) {nn.instance = 2 : i64} : (tensor<2x8x2x16xf32>, tensor<2x8x2x16xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}
