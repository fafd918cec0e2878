// Every op is printed in the form it is read in, and once more the same.
// RUN: modelpar-opt %s | FileCheck %s
// RUN: modelpar-opt %s | modelpar-opt - | FileCheck %s
// RUN: modelpar-opt %s --mlir-print-op-generic | modelpar-opt - | FileCheck %s

// CHECK: nn.parameter @w : tensor<4x6xf32> init <normal, 0.000000e+00, 2.000000e-02> checkpoint "h.w" [2, 12]
nn.parameter @w : tensor<4x6xf32> init <normal, 0.0, 2.0e-02> checkpoint "h.w" [2, 12]
// CHECK: nn.parameter @zeros : tensor<6xf32> init <zeros> checkpoint "h.b" [6] {weight_decay = false}
nn.parameter @zeros : tensor<6xf32> init <zeros> checkpoint "h.b" [6] {weight_decay = false}
// CHECK: nn.parameter @ones : tensor<6xbf16> init <ones>
nn.parameter @ones : tensor<6xbf16> init <ones> checkpoint "h.ones" [6]
// CHECK: nn.parameter @constant : tensor<6xf64> init <constant, -5.000000e-01>
nn.parameter @constant : tensor<6xf64> init <constant, -0.5> checkpoint "h.constant" [6]
// CHECK: nn.parameter @uniform : tensor<6xf32> init <uniform, -1.000000e-01, 1.000000e-01>
nn.parameter @uniform : tensor<6xf32> init <uniform, -0.1, 0.1> checkpoint "h.uniform" [6]
// CHECK: nn.parameter @scalar : tensor<f32> init <zeros> checkpoint "h.scalar" []
nn.parameter @scalar : tensor<f32> init <zeros> checkpoint "h.scalar" []
// CHECK: nn.parameter @named : tensor<4x6xf32> init <ones> checkpoint "a" [4, 6] or ["b", "c"] {zero_row = 3 : i64}
nn.parameter @named : tensor<4x6xf32> init <ones> checkpoint "a" [4, 6] or ["b", "c"] {zero_row = 3}

// CHECK-LABEL: func.func @parameters
func.func @parameters(%g: tensor<4x6xf32>) {
  // CHECK: %[[W:.*]] = nn.read_parameter @w : tensor<4x6xf32>
  %w = nn.read_parameter @w : tensor<4x6xf32>
  // CHECK: nn.read_parameter @ones {slot = #nn.slot<exp_avg>} : tensor<6xf32>
  %m = nn.read_parameter @ones {slot = #nn.slot<exp_avg>} : tensor<6xf32>
  // CHECK: nn.gradient @w, %{{.*}} : tensor<4x6xf32>
  nn.gradient @w, %g : tensor<4x6xf32>
  // CHECK: nn.write_parameter @w, %[[W]] : tensor<4x6xf32>
  nn.write_parameter @w, %w : tensor<4x6xf32>
  // CHECK: nn.write_parameter @w, %[[W]] {slot = #nn.slot<exp_avg_sq>} : tensor<4x6xf32>
  nn.write_parameter @w, %w {slot = #nn.slot<exp_avg_sq>} : tensor<4x6xf32>
  return
}

// CHECK-LABEL: func.func @linear_algebra
func.func @linear_algebra(%x: tensor<2x3x4xf32>, %w: tensor<4x6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  // CHECK: nn.matmul %{{.*}}, %{{.*}} {subscripts = "bsh,hf->bsf"} : (tensor<2x3x4xf32>, tensor<4x6xf32>) -> tensor<2x3x6xf32>
  %0 = nn.matmul %x, %w {subscripts = "bsh,hf->bsf"} : (tensor<2x3x4xf32>, tensor<4x6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.add %{{.*}}, %{{.*}} : (tensor<2x3x6xf32>, tensor<6xf32>) -> tensor<2x3x6xf32>
  %1 = nn.add %0, %b : (tensor<2x3x6xf32>, tensor<6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.mul
  %2 = nn.mul %1, %0 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.activation %{{.*}} {kind = #nn.activation<gelu_tanh>} : (tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %3 = nn.activation %2 {kind = #nn.activation<gelu_tanh>} : (tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.activation_grad %{{.*}}, %{{.*}} {kind = #nn.activation<silu>}
  %4 = nn.activation_grad %3, %2 {kind = #nn.activation<silu>} : (tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.sum %{{.*}}, %{{.*}}, %{{.*}} :
  %5 = nn.sum %4, %3, %2 : (tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  // CHECK: nn.reduce_sum %{{.*}} : (tensor<2x3x6xf32>) -> tensor<6xf32>
  %6 = nn.reduce_sum %5 : (tensor<2x3x6xf32>) -> tensor<6xf32>
  return %6 : tensor<6xf32>
}

// CHECK-LABEL: func.func @packing
func.func @packing(%x: tensor<2x3x4xf32>, %scalars: tensor<16xf64>) -> tensor<2x3x4xf32> {
  // CHECK: nn.dropout %{{.*}}, %{{.*}} {key = 3 : i64, rate = 1.000000e-01 : f64} : (tensor<2x3x4xf32>, tensor<16xf64>)
  %0 = nn.dropout %x, %scalars {rate = 0.1, key = 3} : (tensor<2x3x4xf32>, tensor<16xf64>) -> tensor<2x3x4xf32>
  // CHECK: %[[MEMBERS:.*]]:3 = nn.unpack %{{.*}} {dim = 1 : i64} : (tensor<2x3x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  %a, %b, %c = nn.unpack %0 {dim = 1} : (tensor<2x3x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  // CHECK: nn.pack %[[MEMBERS]]#2, %[[MEMBERS]]#1, %[[MEMBERS]]#0 {dim = 1 : i64}
  %1 = nn.pack %c, %b, %a {dim = 1} : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @embedding
func.func @embedding(%ids: tensor<2x3xi32>, %table: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: nn.embedding %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<8x4xf32>) -> tensor<2x3x4xf32>
  %0 = nn.embedding %ids, %table : (tensor<2x3xi32>, tensor<8x4xf32>) -> tensor<2x3x4xf32>
  // CHECK: nn.embedding_grad %{{.*}}, %{{.*}} : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<8x4xf32>
  %1 = nn.embedding_grad %0, %ids : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @embedding_padding
func.func @embedding_padding(%ids: tensor<2x3xi32>, %table: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: nn.embedding %{{.*}}, %{{.*}} {padding_row = 0 : i64} : (tensor<2x3xi32>, tensor<8x4xf32>) -> tensor<2x3x4xf32>
  %0 = nn.embedding %ids, %table {padding_row = 0} : (tensor<2x3xi32>, tensor<8x4xf32>) -> tensor<2x3x4xf32>
  // CHECK: nn.embedding_grad %{{.*}}, %{{.*}} {padding_row = 7 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<8x4xf32>
  %1 = nn.embedding_grad %0, %ids {padding_row = 7} : (tensor<2x3x4xf32>, tensor<2x3xi32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// Statistics are f32 for smaller types.
// CHECK-LABEL: func.func @layer_norm
func.func @layer_norm(%x: tensor<2x3x4xbf16>, %w: tensor<4xbf16>) -> (tensor<4xbf16>, tensor<4xbf16>) {
  // CHECK: %{{.*}}, %[[MEAN:.*]], %[[RSTD:.*]] = nn.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-05 : f64}
  %y, %mean, %rstd = nn.layer_norm %x, %w, %w {epsilon = 1.0e-5} : (tensor<2x3x4xbf16>, tensor<4xbf16>, tensor<4xbf16>) -> (tensor<2x3x4xbf16>, tensor<2x3xf32>, tensor<2x3xf32>)
  // CHECK: nn.layer_norm_input_grad %{{.*}}, %{{.*}}, %{{.*}}, %[[MEAN]], %[[RSTD]] :
  %0 = nn.layer_norm_input_grad %y, %x, %w, %mean, %rstd : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, tensor<4xbf16>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3x4xbf16>
  // CHECK: nn.layer_norm_weight_grad %{{.*}}, %{{.*}}, %[[MEAN]], %[[RSTD]] :
  %dw, %db = nn.layer_norm_weight_grad %0, %x, %mean, %rstd : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, tensor<2x3xf32>, tensor<2x3xf32>) -> (tensor<4xbf16>, tensor<4xbf16>)
  return %dw, %db : tensor<4xbf16>, tensor<4xbf16>
}

// CHECK-LABEL: func.func @rms_norm
func.func @rms_norm(%x: tensor<2x3x4xbf16>, %w: tensor<4xbf16>) -> tensor<4xbf16> {
  // CHECK: %{{.*}}, %[[RSTD:.*]] = nn.rms_norm %{{.*}}, %{{.*}} {epsilon = 1.000000e-05 : f64}
  %y, %rstd = nn.rms_norm %x, %w {epsilon = 1.0e-5} : (tensor<2x3x4xbf16>, tensor<4xbf16>) -> (tensor<2x3x4xbf16>, tensor<2x3xf32>)
  // CHECK: nn.rms_norm_input_grad %{{.*}}, %{{.*}}, %{{.*}}, %[[RSTD]] :
  %0 = nn.rms_norm_input_grad %y, %x, %w, %rstd : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, tensor<4xbf16>, tensor<2x3xf32>) -> tensor<2x3x4xbf16>
  // CHECK: nn.rms_norm_weight_grad %{{.*}}, %{{.*}}, %[[RSTD]] :
  %dw = nn.rms_norm_weight_grad %0, %x, %rstd : (tensor<2x3x4xbf16>, tensor<2x3x4xbf16>, tensor<2x3xf32>) -> tensor<4xbf16>
  return %dw : tensor<4xbf16>
}

// CHECK-LABEL: func.func @rotary
func.func @rotary(%x: tensor<2x3x5x4xf32>, %p: tensor<3xi32>) -> tensor<2x3x5x4xf32> {
  // CHECK: nn.rotary %{{.*}}, %{{.*}} {inverse = false, theta = 1.000000e+04 : f64} : (tensor<2x3x5x4xf32>, tensor<3xi32>) -> tensor<2x3x5x4xf32>
  %y = nn.rotary %x, %p {theta = 1.0e4, inverse = false} : (tensor<2x3x5x4xf32>, tensor<3xi32>) -> tensor<2x3x5x4xf32>
  // CHECK: nn.rotary %{{.*}} {factor = 8.000000e+00 : f64, high_freq_factor = 4.000000e+00 : f64, inverse = true, low_freq_factor = 1.000000e+00 : f64, original_max_position_embeddings = 8192 : i64, theta = 5.000000e+05 : f64}
  %z = nn.rotary %y, %p {theta = 5.0e5, inverse = true, factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 8192} : (tensor<2x3x5x4xf32>, tensor<3xi32>) -> tensor<2x3x5x4xf32>
  return %z : tensor<2x3x5x4xf32>
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<2x3x2x2x4xf32>, %k: tensor<2x5x2x4xf32>, %scalars: tensor<16xf64>) -> tensor<2x5x2x4xf32> {
  // CHECK: nn.attention %{{.*}} {causal = true, dropout_key = 1 : i64, rate = 1.000000e-01 : f64, scale = 5.000000e-01 : f64}
  // CHECK-SAME: -> (tensor<2x3x2x2x4xf32>, tensor<2x3x2x2xf32>)
  %o, %lse = nn.attention %q, %k, %k, %scalars {causal = true, scale = 0.5, rate = 0.1, dropout_key = 1} : (tensor<2x3x2x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>) -> (tensor<2x3x2x2x4xf32>, tensor<2x3x2x2xf32>)
  // CHECK: nn.attention_grad
  %dq, %dk, %dv = nn.attention_grad %o, %q, %k, %k, %o, %lse, %scalars {causal = true, scale = 0.5, rate = 0.1, dropout_key = 1} : (tensor<2x3x2x2x4xf32>, tensor<2x3x2x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x2x4xf32>, tensor<2x3x2x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return %dk : tensor<2x5x2x4xf32>
}

// Contributions to the gradients of keys and values are added up in f32.
// CHECK-LABEL: func.func @attention_mask
func.func @attention_mask(%q: tensor<2x3x2x4xbf16>, %k: tensor<2x5x2x4xbf16>, %scalars: tensor<16xf64>, %m: tensor<3x5xf32>, %n: tensor<2x3x5xf32>) -> tensor<2x5x2x4xbf16> {
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {{{.*}}} : (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<16xf64>, tensor<3x5xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>)
  %o, %lse = nn.attention %q, %k, %k, %scalars, %m {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<16xf64>, tensor<3x5xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>)
  // CHECK: nn.attention_grad {{.*}}, tensor<16xf64>, tensor<2x3x5xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>)
  %dq, %dk, %dv = nn.attention_grad %o, %q, %k, %k, %o, %lse, %scalars, %n {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>, tensor<16xf64>, tensor<2x3x5xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>)
  return %dk : tensor<2x5x2x4xbf16>
}

// CHECK-LABEL: func.func @attention_parts
func.func @attention_parts(%q: tensor<2x3x2x4xbf16>, %k: tensor<2x5x2x4xbf16>, %o: tensor<2x3x2x4xbf16>, %lse: tensor<2x3x2xf32>, %scalars: tensor<16xf64>) -> tensor<2x5x2x4xf32> {
  // CHECK: nn.attention_merge %{{.*}} : (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>, tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>)
  %o1, %lse1 = nn.attention_merge %o, %lse, %o, %lse : (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>, tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>) -> (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>)
  // CHECK: nn.attention_grad {{.*}} -> (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  %dq, %dk, %dv = nn.attention_grad %o, %q, %k, %k, %o1, %lse1, %scalars {causal = false, scale = 0.5, rate = 0.0, dropout_key = 1} : (tensor<2x3x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return %dk : tensor<2x5x2x4xf32>
}

// CHECK-LABEL: func.func @token_loss
func.func @token_loss(%logits: tensor<2x3x8xf32>, %targets: tensor<2x3xi32>, %scalars: tensor<16xf64>) -> tensor<f32> {
  // CHECK: nn.softmax_stats %{{.*}}, %{{.*}} : (tensor<2x3x8xf32>, tensor<2x3xi32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  %lse, %logit = nn.softmax_stats %logits, %targets : (tensor<2x3x8xf32>, tensor<2x3xi32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  // CHECK: nn.token_loss %{{.*}} -> tensor<f32>
  %loss = nn.token_loss %lse, %logit, %targets, %scalars : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xi32>, tensor<16xf64>) -> tensor<f32>
  // CHECK: nn.token_loss_grad
  %dlse, %dlogit = nn.token_loss_grad %targets, %scalars : (tensor<2x3xi32>, tensor<16xf64>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  // CHECK: nn.softmax_stats_grad
  %0 = nn.softmax_stats_grad %logits, %targets, %lse, %dlse, %dlogit : (tensor<2x3x8xf32>, tensor<2x3xi32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3x8xf32>
  return %loss : tensor<f32>
}

// CHECK-LABEL: func.func @squared_error
func.func @squared_error(%x: tensor<2x3xf64>) -> tensor<f64> {
  // CHECK: nn.squared_error %{{.*}} : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<f64>
  %0 = nn.squared_error %x, %x : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<f64>
  // CHECK: nn.squared_error_grad
  %1 = nn.squared_error_grad %x, %x : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<2x3xf64>
  return %0 : tensor<f64>
}

// CHECK-LABEL: func.func @update
func.func @update(%p: tensor<6xbf16>, %m: tensor<6xf32>, %scalars: tensor<16xf64>) -> tensor<6xbf16> {
  // CHECK: nn.sum_squares %{{.*}}, %{{.*}} : (tensor<6xbf16>, tensor<6xf32>) -> tensor<f32>
  %0 = nn.sum_squares %p, %m : (tensor<6xbf16>, tensor<6xf32>) -> tensor<f32>
  // CHECK: %{{.*}}, %[[SCALE:.*]] = nn.clip_scale
  %norm, %scale = nn.clip_scale %0, %scalars : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  // CHECK: nn.adamw %{{.*}}, %[[SCALE]], %{{.*}} {weight_decay = true}
  %1, %2, %3 = nn.adamw %p, %p, %m, %m, %scale, %scalars {weight_decay = true} : (tensor<6xbf16>, tensor<6xbf16>, tensor<6xf32>, tensor<6xf32>, tensor<f32>, tensor<16xf64>) -> (tensor<6xbf16>, tensor<6xf32>, tensor<6xf32>)
  // CHECK: nn.sgd %{{.*}}, %[[SCALE]], %{{.*}} {weight_decay = false}
  %4 = nn.sgd %1, %p, %scale, %scalars {weight_decay = false} : (tensor<6xbf16>, tensor<6xbf16>, tensor<f32>, tensor<16xf64>) -> tensor<6xbf16>
  return %4 : tensor<6xbf16>
}
