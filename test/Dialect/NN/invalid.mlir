// Each constraint C1..Cn of the ops' descriptions, broken once.
// RUN: modelpar-opt %s -verify-diagnostics -split-input-file

func.func @matmul_c1_no_arrow(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op subscripts "ab,bc" do not have the form "ab,bc->ac"}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab,bc"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c1_no_comma(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op subscripts "ab->ac" do not have the form}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab->ac"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c1_no_letter(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op subscripts "a1,1c->ac" do not have the form}}
  %r = nn.matmul %a0, %a1 {subscripts = "a1,1c->ac"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c2(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op lhs has 2 dimensions, but subscripts "abd,bc->ac" give it 3}}
  %r = nn.matmul %a0, %a1 {subscripts = "abd,bc->ac"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c3(%a0: tensor<2x2xf32>, %a1: tensor<2x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op subscripts "aa,ac->ac" have 'a' twice in lhs}}
  %r = nn.matmul %a0, %a1 {subscripts = "aa,ac->ac"} : (tensor<2x2xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c4(%a0: tensor<2x3xf32>, %a1: tensor<5x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op rhs dim 0 ('b') has size 5, expected 3}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab,bc->ac"} : (tensor<2x3xf32>, tensor<5x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c5(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op subscripts "ab,bc->c" have 'a' in one tensor only, expected in two or three}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab,bc->c"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @matmul_c6_rhs(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf64>) {
  // expected-error@+1 {{'nn.matmul' op rhs has element type 'f64', expected 'f32'}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab,bc->ac"} : (tensor<2x3xf32>, tensor<3x4xf64>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c6_result(%a0: tensor<2x3xf32>, %a1: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.matmul' op result has element type 'bf16', expected 'f32'}}
  %r = nn.matmul %a0, %a1 {subscripts = "ab,bc->ac"} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xbf16>
  return
}

// -----

func.func @add_c1_leading(%a0: tensor<2x3xf32>, %a1: tensor<2xf32>) {
  // expected-error@+1 {{'nn.add' op rhs has shape [2], expected [2, 3] or its last dimensions}}
  %r = nn.add %a0, %a1 : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @add_c1_larger(%a0: tensor<3xf32>, %a1: tensor<2x3xf32>) {
  // expected-error@+1 {{'nn.add' op rhs has shape [2, 3], expected [3] or its last dimensions}}
  %r = nn.add %a0, %a1 : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @add_c2_rhs(%a0: tensor<2x3xf32>, %a1: tensor<3xf64>) {
  // expected-error@+1 {{'nn.add' op rhs has element type 'f64', expected 'f32'}}
  %r = nn.add %a0, %a1 : (tensor<2x3xf32>, tensor<3xf64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @add_c2_result(%a0: tensor<2x3xf32>, %a1: tensor<3xf32>) {
  // expected-error@+1 {{'nn.add' op result has shape [2, 4], expected [2, 3]}}
  %r = nn.add %a0, %a1 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @mul_c1(%a0: tensor<2x3xf32>, %a1: tensor<3xf32>) {
  // expected-error@+1 {{'nn.mul' op operand #1 has shape [3], expected [2, 3]}}
  %r = nn.mul %a0, %a1 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @reduce_sum_c1(%a0: tensor<2x3xf32>) {
  // expected-error@+1 {{'nn.reduce_sum' op result has shape [2], expected the last dimensions of [2, 3], without at least the first}}
  %r = nn.reduce_sum %a0 : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @reduce_sum_c1_nothing(%a0: tensor<2x3xf32>) {
  // expected-error@+1 {{'nn.reduce_sum' op result has shape [2, 3], expected the last dimensions of [2, 3], without at least the first}}
  %r = nn.reduce_sum %a0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @reduce_sum_c2(%a0: tensor<2x3xf32>) {
  // expected-error@+1 {{'nn.reduce_sum' op result has element type 'f64', expected 'f32'}}
  %r = nn.reduce_sum %a0 : (tensor<2x3xf32>) -> tensor<3xf64>
  return
}

// -----

func.func @sum_c1() {
  // expected-error@+1 {{'nn.sum' op has no operand, expected at least one}}
  %r = nn.sum : () -> tensor<2xf32>
  return
}

// -----

func.func @sum_c2(%a0: tensor<2xf32>, %a1: tensor<3xf32>) {
  // expected-error@+1 {{'nn.sum' op operand #1 has shape [3], expected [2]}}
  %r = nn.sum %a0, %a1 : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @activation_c1(%a0: tensor<2xf32>) {
  // expected-error@+1 {{'nn.activation' op result #0 has shape [3], expected [2]}}
  %r = nn.activation %a0 {kind = #nn.activation<relu>} : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @activation_grad_c1(%a0: tensor<2xf32>, %a1: tensor<2xf64>) {
  // expected-error@+1 {{'nn.activation_grad' op operand #1 has element type 'f64', expected 'f32'}}
  %r = nn.activation_grad %a0, %a1 {kind = #nn.activation<relu>} : (tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @dropout_c1(%a0: tensor<2xf32>, %a1: tensor<16xf64>) {
  // expected-error@+1 {{'nn.dropout' op result has shape [3], expected [2]}}
  %r = nn.dropout %a0, %a1 {rate = 0.1, key = 0} : (tensor<2xf32>, tensor<16xf64>) -> tensor<3xf32>
  return
}

// -----

func.func @dropout_c2(%a0: tensor<2xf32>, %a1: tensor<8xf64>) {
  // expected-error@+1 {{'nn.dropout' op scalars has shape [8], expected [16]}}
  %r = nn.dropout %a0, %a1 {rate = 0.1, key = 0} : (tensor<2xf32>, tensor<8xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @dropout_c3(%a0: tensor<2xf32>, %a1: tensor<16xf64>) {
  // expected-error@+1 {{'nn.dropout' op rate is 1.000000e+00, expected at least 0 and below 1}}
  %r = nn.dropout %a0, %a1 {rate = 1.0, key = 0} : (tensor<2xf32>, tensor<16xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @unpack_c1(%a0: tensor<2x3xf32>) {
  // expected-error@+1 {{'nn.unpack' op dim is 2, expected a dimension of [2, 3]}}
  %r0, %r1 = nn.unpack %a0 {dim = 2} : (tensor<2x3xf32>) -> (tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @unpack_c2(%a0: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.unpack' op has 2 members, expected 3, the size of dim 0}}
  %r0, %r1 = nn.unpack %a0 {dim = 0} : (tensor<3x4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @unpack_c3(%a0: tensor<2x4xf32>) {
  // expected-error@+1 {{'nn.unpack' op member #1 has shape [5], expected [4]}}
  %r0, %r1 = nn.unpack %a0 {dim = 0} : (tensor<2x4xf32>) -> (tensor<4xf32>, tensor<5xf32>)
  return
}

// -----

func.func @pack_c1(%a0: tensor<4xf32>, %a1: tensor<4xf32>) {
  // expected-error@+1 {{'nn.pack' op dim is -1, expected a dimension of [2, 4]}}
  %r = nn.pack %a0, %a1 {dim = -1} : (tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @pack_c2(%a0: tensor<4xf32>) {
  // expected-error@+1 {{'nn.pack' op has 1 members, expected 2, the size of dim 0}}
  %r = nn.pack %a0 {dim = 0} : (tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @pack_c3(%a0: tensor<4xf32>, %a1: tensor<4xf64>) {
  // expected-error@+1 {{'nn.pack' op member #1 has element type 'f64', expected 'f32'}}
  %r = nn.pack %a0, %a1 {dim = 0} : (tensor<4xf32>, tensor<4xf64>) -> tensor<2x4xf32>
  return
}

// -----

func.func @embedding_c1(%a0: tensor<2xi32>, %a1: tensor<8x4x2xf32>) {
  // expected-error@+1 {{'nn.embedding' op table has shape [8, 4, 2], expected two dimensions}}
  %r = nn.embedding %a0, %a1 : (tensor<2xi32>, tensor<8x4x2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @embedding_c2(%a0: tensor<2xi32>, %a1: tensor<8x4xf32>) {
  // expected-error@+1 {{'nn.embedding' op result has shape [2, 8], expected [2, 4]}}
  %r = nn.embedding %a0, %a1 : (tensor<2xi32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @embedding_c3(%a0: tensor<2xi32>, %a1: tensor<8x4xf32>) {
  // expected-error@+1 {{'nn.embedding' op result has element type 'f64', expected 'f32'}}
  %r = nn.embedding %a0, %a1 : (tensor<2xi32>, tensor<8x4xf32>) -> tensor<2x4xf64>
  return
}

// -----

func.func @embedding_c4(%a0: tensor<2xi32>, %a1: tensor<8x4xf32>) {
  // expected-error@+1 {{'nn.embedding' op padding_row is 8, expected a row of the 8 of the table}}
  %r = nn.embedding %a0, %a1 {padding_row = 8} : (tensor<2xi32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @embedding_grad_c1(%a0: tensor<2x4xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.embedding_grad' op result has shape [8], expected two dimensions}}
  %r = nn.embedding_grad %a0, %a1 : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @embedding_grad_c2(%a0: tensor<3x4xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.embedding_grad' op grad has shape [3, 4], expected [2, 4]}}
  %r = nn.embedding_grad %a0, %a1 : (tensor<3x4xf32>, tensor<2xi32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @embedding_grad_c3(%a0: tensor<2x4xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.embedding_grad' op result has element type 'f64', expected 'f32'}}
  %r = nn.embedding_grad %a0, %a1 : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<8x4xf64>
  return
}

// -----

func.func @embedding_grad_c4(%a0: tensor<2x4xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.embedding_grad' op padding_row is -1, expected a row of the 8 of the table}}
  %r = nn.embedding_grad %a0, %a1 {padding_row = -1} : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @layer_norm_c1(%a0: tensor<f32>, %a1: tensor<4xf32>, %a2: tensor<4xf32>) {
  // expected-error@+1 {{'nn.layer_norm' op input has shape [], expected at least 1 dimension}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = 1.0e-5} : (tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @layer_norm_c2(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>, %a2: tensor<4xf32>) {
  // expected-error@+1 {{'nn.layer_norm' op result has shape [2, 5], expected [2, 4]}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x5xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @layer_norm_c3(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>, %a2: tensor<2x4xf32>) {
  // expected-error@+1 {{'nn.layer_norm' op bias has shape [2, 4], expected [4]}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @layer_norm_c4_shape(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>, %a2: tensor<4xf32>) {
  // expected-error@+1 {{'nn.layer_norm' op rstd has shape [4], expected [2]}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_c4_type(%a0: tensor<2x4xbf16>, %a1: tensor<4xbf16>, %a2: tensor<4xbf16>) {
  // expected-error@+1 {{'nn.layer_norm' op mean has element type 'bf16', expected 'f32'}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = 1.0e-5} : (tensor<2x4xbf16>, tensor<4xbf16>, tensor<4xbf16>) -> (tensor<2x4xbf16>, tensor<2xbf16>, tensor<2xf32>)
  return
}

// -----

func.func @layer_norm_c5(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>, %a2: tensor<4xf32>) {
  // expected-error@+1 {{'nn.layer_norm' op epsilon is -1.000000e+00, expected at least 0}}
  %r0, %r1, %r2 = nn.layer_norm %a0, %a1, %a2 {epsilon = -1.0} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @layer_norm_input_grad_c1(%a0: tensor<f32>, %a1: tensor<f32>, %a2: tensor<4xf32>, %a3: tensor<f32>, %a4: tensor<f32>) {
  // expected-error@+1 {{'nn.layer_norm_input_grad' op input has shape [], expected at least 1 dimension}}
  %r = nn.layer_norm_input_grad %a0, %a1, %a2, %a3, %a4 : (tensor<f32>, tensor<f32>, tensor<4xf32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @layer_norm_input_grad_c2(%a0: tensor<3x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<4xf32>, %a3: tensor<2xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.layer_norm_input_grad' op grad has shape [3, 4], expected [2, 4]}}
  %r = nn.layer_norm_input_grad %a0, %a1, %a2, %a3, %a4 : (tensor<3x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @layer_norm_input_grad_c3(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.layer_norm_input_grad' op weight has shape [2], expected [4]}}
  %r = nn.layer_norm_input_grad %a0, %a1, %a2, %a3, %a4 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @layer_norm_input_grad_c4(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<4xf32>, %a3: tensor<4xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.layer_norm_input_grad' op mean has shape [4], expected [2]}}
  %r = nn.layer_norm_input_grad %a0, %a1, %a2, %a3, %a4 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @layer_norm_weight_grad_c1(%a0: tensor<f32>, %a1: tensor<f32>, %a2: tensor<f32>, %a3: tensor<f32>) {
  // expected-error@+1 {{'nn.layer_norm_weight_grad' op input has shape [], expected at least 1 dimension}}
  %r0, %r1 = nn.layer_norm_weight_grad %a0, %a1, %a2, %a3 : (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_weight_grad_c2(%a0: tensor<2x4xf64>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>) {
  // expected-error@+1 {{'nn.layer_norm_weight_grad' op grad has element type 'f64', expected 'f32'}}
  %r0, %r1 = nn.layer_norm_weight_grad %a0, %a1, %a2, %a3 : (tensor<2x4xf64>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @layer_norm_weight_grad_c3(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>) {
  // expected-error@+1 {{'nn.layer_norm_weight_grad' op bias_grad has shape [2, 4], expected [4]}}
  %r0, %r1 = nn.layer_norm_weight_grad %a0, %a1, %a2, %a3 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<4xf32>, tensor<2x4xf32>)
  return
}

// -----

func.func @layer_norm_weight_grad_c4(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>, %a3: tensor<2x4xf32>) {
  // expected-error@+1 {{'nn.layer_norm_weight_grad' op rstd has shape [2, 4], expected [2]}}
  %r0, %r1 = nn.layer_norm_weight_grad %a0, %a1, %a2, %a3 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2x4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @rms_norm_c1(%a0: tensor<f32>, %a1: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm' op input has shape [], expected at least 1 dimension}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = 1.0e-5} : (tensor<f32>, tensor<4xf32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @rms_norm_c2(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm' op result has shape [2, 5], expected [2, 4]}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x5xf32>, tensor<2xf32>)
  return
}

// -----

func.func @rms_norm_c3(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>) {
  // expected-error@+1 {{'nn.rms_norm' op weight has shape [2, 4], expected [4]}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
  return
}

// -----

func.func @rms_norm_c4_shape(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm' op rstd has shape [4], expected [2]}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @rms_norm_c4_type(%a0: tensor<2x4xbf16>, %a1: tensor<4xbf16>) {
  // expected-error@+1 {{'nn.rms_norm' op rstd has element type 'bf16', expected 'f32'}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = 1.0e-5} : (tensor<2x4xbf16>, tensor<4xbf16>) -> (tensor<2x4xbf16>, tensor<2xbf16>)
  return
}

// -----

func.func @rms_norm_c5(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm' op epsilon is -1.000000e+00, expected at least 0}}
  %r0, %r1 = nn.rms_norm %a0, %a1 {epsilon = -1.0} : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
  return
}

// -----

func.func @rms_norm_input_grad_c1(%a0: tensor<f32>, %a1: tensor<f32>, %a2: tensor<4xf32>, %a3: tensor<f32>) {
  // expected-error@+1 {{'nn.rms_norm_input_grad' op input has shape [], expected at least 1 dimension}}
  %r0 = nn.rms_norm_input_grad %a0, %a1, %a2, %a3 : (tensor<f32>, tensor<f32>, tensor<4xf32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @rms_norm_input_grad_c2(%a0: tensor<3x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<4xf32>, %a3: tensor<2xf32>) {
  // expected-error@+1 {{'nn.rms_norm_input_grad' op grad has shape [3, 4], expected [2, 4]}}
  %r0 = nn.rms_norm_input_grad %a0, %a1, %a2, %a3 : (tensor<3x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @rms_norm_input_grad_c3(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>) {
  // expected-error@+1 {{'nn.rms_norm_input_grad' op weight has shape [2], expected [4]}}
  %r0 = nn.rms_norm_input_grad %a0, %a1, %a2, %a3 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @rms_norm_input_grad_c4(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<4xf32>, %a3: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm_input_grad' op rstd has shape [4], expected [2]}}
  %r0 = nn.rms_norm_input_grad %a0, %a1, %a2, %a3 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @rms_norm_weight_grad_c1(%a0: tensor<f32>, %a1: tensor<f32>, %a2: tensor<f32>) {
  // expected-error@+1 {{'nn.rms_norm_weight_grad' op input has shape [], expected at least 1 dimension}}
  %r0 = nn.rms_norm_weight_grad %a0, %a1, %a2 : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

func.func @rms_norm_weight_grad_c2(%a0: tensor<3x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>) {
  // expected-error@+1 {{'nn.rms_norm_weight_grad' op grad has shape [3, 4], expected [2, 4]}}
  %r0 = nn.rms_norm_weight_grad %a0, %a1, %a2 : (tensor<3x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @rms_norm_weight_grad_c3(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<2xf32>) {
  // expected-error@+1 {{'nn.rms_norm_weight_grad' op result has shape [2], expected [4]}}
  %r0 = nn.rms_norm_weight_grad %a0, %a1, %a2 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @rms_norm_weight_grad_c4(%a0: tensor<2x4xf32>, %a1: tensor<2x4xf32>, %a2: tensor<4xf32>) {
  // expected-error@+1 {{'nn.rms_norm_weight_grad' op rstd has shape [4], expected [2]}}
  %r0 = nn.rms_norm_weight_grad %a0, %a1, %a2 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @rotary_c1(%a0: tensor<3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op input has shape [3, 4], expected at least 3 dimensions}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false} : (tensor<3x4xf32>, tensor<3xi32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @rotary_c2(%a0: tensor<2x3x5xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op input has shape [2, 3, 5], expected an even last dimension}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false} : (tensor<2x3x5xf32>, tensor<3xi32>) -> tensor<2x3x5xf32>
  return
}

// -----

func.func @rotary_c3(%a0: tensor<2x3x4xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.rotary' op positions has shape [2], expected [3]}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false} : (tensor<2x3x4xf32>, tensor<2xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_c4_shape(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op result has shape [2, 3, 6], expected [2, 3, 4]}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @rotary_c4_type(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op result has element type 'f64', expected 'f32'}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf64>
  return
}

// -----

func.func @rotary_c5(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op theta is 0.000000e+00, expected more than 0}}
  %r0 = nn.rotary %a0, %a1 {theta = 0.0, inverse = false} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_c6(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op has 1 of factor, low_freq_factor, high_freq_factor and original_max_position_embeddings, expected all or none}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false, factor = 8.0} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_c7_factor(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op factor is 5.000000e-01, expected at least 1}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false, factor = 0.5, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 8192} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_c7_frequencies(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op low_freq_factor is 4.000000e+00 and high_freq_factor 4.000000e+00, expected 0 < low_freq_factor < high_freq_factor}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false, factor = 8.0, low_freq_factor = 4.0, high_freq_factor = 4.0, original_max_position_embeddings = 8192} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @rotary_c7_original(%a0: tensor<2x3x4xf32>, %a1: tensor<3xi32>) {
  // expected-error@+1 {{'nn.rotary' op original_max_position_embeddings is 0, expected at least 1}}
  %r0 = nn.rotary %a0, %a1 {theta = 1.0e4, inverse = false, factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 0} : (tensor<2x3x4xf32>, tensor<3xi32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @attention_c1(%a0: tensor<2x3x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op query has shape [2, 3, 4], expected [b, s, g, d] or [b, s, g, r, d]}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>) -> (tensor<2x3x4xf32>, tensor<2x3xf32>)
  return
}

// -----

func.func @attention_c2_heads(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x1x4xf32>, %a2: tensor<2x5x1x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op key has shape [2, 5, 1, 4], expected [2, t, 2, 4] as the query [2, 3, 2, 4] has}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x1x4xf32>, tensor<2x5x1x4xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c2_type(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf64>, %a2: tensor<2x5x2x4xf64>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op key has element type 'f64', expected 'f32'}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf64>, tensor<2x5x2x4xf64>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c3_value(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x6x2x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op value has shape [2, 6, 2, 4], expected [2, 5, 2, 4]}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x6x2x4xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c3_result(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op result has shape [2, 5, 2, 4], expected [2, 3, 2, 4]}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>) -> (tensor<2x5x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c4(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op lse has shape [2, 3], expected [2, 3, 2]}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3xf32>)
  return
}

// -----

func.func @attention_c5(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<f64>) {
  // expected-error@+1 {{'nn.attention' op scalars has shape [], expected [16]}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<f64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c6(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x5x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention' op rate is -1.000000e-01, expected at least 0 and below 1}}
  %r0, %r1 = nn.attention %a0, %a1, %a2, %a3 {causal = true, scale = 0.5, rate = -0.1, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_grad_c1(%a0: tensor<2x3x4xf32>, %a1: tensor<2x3x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op query has shape [2, 3, 4], expected [b, s, g, d] or [b, s, g, r, d]}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x4xf32>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c2(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<3x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x2x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op key has shape [3, 5, 2, 4], expected [2, t, 2, 4] as the query [2, 3, 2, 4] has}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<3x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c3_out(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x5x2x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op out has shape [2, 5, 2, 4], expected [2, 3, 2, 4]}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c3_key_grad(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x2x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op key_grad has shape [2, 3, 2, 4], expected [2, 5, 2, 4]}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c4(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x2x4xf32>, %a5: tensor<2x3x2xf64>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op lse has element type 'f64', expected 'f32'}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2xf64>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c5(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x2x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<4xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op scalars has shape [4], expected [16]}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2xf32>, tensor<4xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_grad_c6(%a0: tensor<2x3x2x4xf32>, %a1: tensor<2x3x2x4xf32>, %a2: tensor<2x5x2x4xf32>, %a3: tensor<2x5x2x4xf32>, %a4: tensor<2x3x2x4xf32>, %a5: tensor<2x3x2xf32>, %a6: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op rate is 2.000000e+00, expected at least 0 and below 1}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %a6 {causal = true, scale = 0.5, rate = 2.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @softmax_stats_c1_rank(%a0: tensor<f32>, %a1: tensor<i32>) {
  // expected-error@+1 {{'nn.softmax_stats' op logits has shape [], expected at least 1 dimension}}
  %r0, %r1 = nn.softmax_stats %a0, %a1 : (tensor<f32>, tensor<i32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @softmax_stats_c1(%a0: tensor<2x8xf32>, %a1: tensor<8xi32>) {
  // expected-error@+1 {{'nn.softmax_stats' op targets has shape [8], expected [2]}}
  %r0, %r1 = nn.softmax_stats %a0, %a1 : (tensor<2x8xf32>, tensor<8xi32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @softmax_stats_c2(%a0: tensor<2x8xf32>, %a1: tensor<2xi32>) {
  // expected-error@+1 {{'nn.softmax_stats' op target_logit has shape [2, 8], expected [2]}}
  %r0, %r1 = nn.softmax_stats %a0, %a1 : (tensor<2x8xf32>, tensor<2xi32>) -> (tensor<2xf32>, tensor<2x8xf32>)
  return
}

// -----

func.func @softmax_stats_grad_c1(%a0: tensor<2x8xf32>, %a1: tensor<3xi32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.softmax_stats_grad' op targets has shape [3], expected [2]}}
  %r = nn.softmax_stats_grad %a0, %a1, %a2, %a3, %a4 : (tensor<2x8xf32>, tensor<3xi32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @softmax_stats_grad_c2(%a0: tensor<2x8xf32>, %a1: tensor<2xi32>, %a2: tensor<2xf32>, %a3: tensor<3xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.softmax_stats_grad' op lse_grad has shape [3], expected [2]}}
  %r = nn.softmax_stats_grad %a0, %a1, %a2, %a3, %a4 : (tensor<2x8xf32>, tensor<2xi32>, tensor<2xf32>, tensor<3xf32>, tensor<2xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @softmax_stats_grad_c3(%a0: tensor<2x8xf32>, %a1: tensor<2xi32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<2xf32>) {
  // expected-error@+1 {{'nn.softmax_stats_grad' op result has shape [2], expected [2, 8]}}
  %r = nn.softmax_stats_grad %a0, %a1, %a2, %a3, %a4 : (tensor<2x8xf32>, tensor<2xi32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @token_loss_c1_shape(%a0: tensor<3xf32>, %a1: tensor<2xf32>, %a2: tensor<2xi32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.token_loss' op lse has shape [3], expected [2]}}
  %r = nn.token_loss %a0, %a1, %a2, %a3 : (tensor<3xf32>, tensor<2xf32>, tensor<2xi32>, tensor<16xf64>) -> tensor<f32>
  return
}

// -----

func.func @token_loss_c1_type(%a0: tensor<2xf32>, %a1: tensor<2xf64>, %a2: tensor<2xi32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.token_loss' op target_logit has element type 'f64', expected 'f32'}}
  %r = nn.token_loss %a0, %a1, %a2, %a3 : (tensor<2xf32>, tensor<2xf64>, tensor<2xi32>, tensor<16xf64>) -> tensor<f32>
  return
}

// -----

func.func @token_loss_c2(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xi32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.token_loss' op loss has shape [1], expected []}}
  %r = nn.token_loss %a0, %a1, %a2, %a3 : (tensor<2xf32>, tensor<2xf32>, tensor<2xi32>, tensor<16xf64>) -> tensor<1xf32>
  return
}

// -----

func.func @token_loss_c3(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xi32>, %a3: tensor<2xf64>) {
  // expected-error@+1 {{'nn.token_loss' op scalars has shape [2], expected [16]}}
  %r = nn.token_loss %a0, %a1, %a2, %a3 : (tensor<2xf32>, tensor<2xf32>, tensor<2xi32>, tensor<2xf64>) -> tensor<f32>
  return
}

// -----

func.func @token_loss_grad_c1(%a0: tensor<2xi32>, %a1: tensor<16xf64>) {
  // expected-error@+1 {{'nn.token_loss_grad' op target_grad has shape [3], expected [2]}}
  %r0, %r1 = nn.token_loss_grad %a0, %a1 : (tensor<2xi32>, tensor<16xf64>) -> (tensor<2xf32>, tensor<3xf32>)
  return
}

// -----

func.func @token_loss_grad_c2(%a0: tensor<2xi32>, %a1: tensor<2xf64>) {
  // expected-error@+1 {{'nn.token_loss_grad' op scalars has shape [2], expected [16]}}
  %r0, %r1 = nn.token_loss_grad %a0, %a1 : (tensor<2xi32>, tensor<2xf64>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @squared_error_c1(%a0: tensor<2x3xf32>, %a1: tensor<3x2xf32>) {
  // expected-error@+1 {{'nn.squared_error' op target has shape [3, 2], expected [2, 3]}}
  %r = nn.squared_error %a0, %a1 : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<f32>
  return
}

// -----

func.func @squared_error_c2(%a0: tensor<2xf32>, %a1: tensor<2xf32>) {
  // expected-error@+1 {{'nn.squared_error' op loss has element type 'f64', expected 'f32'}}
  %r = nn.squared_error %a0, %a1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<f64>
  return
}

// -----

func.func @squared_error_grad_c1(%a0: tensor<2xf32>, %a1: tensor<2xf32>) {
  // expected-error@+1 {{'nn.squared_error_grad' op result #0 has shape [3], expected [2]}}
  %r = nn.squared_error_grad %a0, %a1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @sum_squares_c1() {
  // expected-error@+1 {{'nn.sum_squares' op has no operand, expected at least one}}
  %r = nn.sum_squares : () -> tensor<f32>
  return
}

// -----

func.func @sum_squares_c2(%a0: tensor<2xf32>) {
  // expected-error@+1 {{'nn.sum_squares' op result has shape [2], expected []}}
  %r = nn.sum_squares %a0 : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @clip_scale_c1_operand(%a0: tensor<2xf32>, %a1: tensor<16xf64>) {
  // expected-error@+1 {{'nn.clip_scale' op sum_squares has shape [2], expected []}}
  %r0, %r1 = nn.clip_scale %a0, %a1 : (tensor<2xf32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @clip_scale_c1_result(%a0: tensor<f32>, %a1: tensor<16xf64>) {
  // expected-error@+1 {{'nn.clip_scale' op scale has element type 'f64', expected 'f32'}}
  %r0, %r1 = nn.clip_scale %a0, %a1 : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f64>)
  return
}

// -----

func.func @clip_scale_c2(%a0: tensor<f32>, %a1: tensor<1xf64>) {
  // expected-error@+1 {{'nn.clip_scale' op scalars has shape [1], expected [16]}}
  %r0, %r1 = nn.clip_scale %a0, %a1 : (tensor<f32>, tensor<1xf64>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @adamw_c1_grad(%a0: tensor<2xf32>, %a1: tensor<3xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<f32>, %a5: tensor<16xf64>) {
  // expected-error@+1 {{'nn.adamw' op grad has shape [3], expected [2]}}
  %r0, %r1, %r2 = nn.adamw %a0, %a1, %a2, %a3, %a4, %a5 {weight_decay = true} : (tensor<2xf32>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<16xf64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @adamw_c1_result(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<f32>, %a5: tensor<16xf64>) {
  // expected-error@+1 {{'nn.adamw' op new_parameter has shape [3], expected [2]}}
  %r0, %r1, %r2 = nn.adamw %a0, %a1, %a2, %a3, %a4, %a5 {weight_decay = true} : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<16xf64>) -> (tensor<3xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @adamw_c2(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<2xf32>, %a5: tensor<16xf64>) {
  // expected-error@+1 {{'nn.adamw' op scale has shape [2], expected []}}
  %r0, %r1, %r2 = nn.adamw %a0, %a1, %a2, %a3, %a4, %a5 {weight_decay = true} : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<16xf64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @adamw_c3(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<2xf32>, %a3: tensor<2xf32>, %a4: tensor<f32>, %a5: tensor<f64>) {
  // expected-error@+1 {{'nn.adamw' op scalars has shape [], expected [16]}}
  %r0, %r1, %r2 = nn.adamw %a0, %a1, %a2, %a3, %a4, %a5 {weight_decay = true} : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @adamw_c4(%a0: tensor<2xbf16>, %a1: tensor<2xbf16>, %a2: tensor<2xbf16>, %a3: tensor<2xf32>, %a4: tensor<f32>, %a5: tensor<16xf64>) {
  // expected-error@+1 {{'nn.adamw' op exp_avg has element type 'bf16', expected 'f32'}}
  %r0, %r1, %r2 = nn.adamw %a0, %a1, %a2, %a3, %a4, %a5 {weight_decay = true} : (tensor<2xbf16>, tensor<2xbf16>, tensor<2xbf16>, tensor<2xf32>, tensor<f32>, tensor<16xf64>) -> (tensor<2xbf16>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @sgd_c1(%a0: tensor<2xf32>, %a1: tensor<2xf64>, %a2: tensor<f32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.sgd' op grad has element type 'f64', expected 'f32'}}
  %r = nn.sgd %a0, %a1, %a2, %a3 {weight_decay = true} : (tensor<2xf32>, tensor<2xf64>, tensor<f32>, tensor<16xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @sgd_c2(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<1xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.sgd' op scale has shape [1], expected []}}
  %r = nn.sgd %a0, %a1, %a2, %a3 {weight_decay = true} : (tensor<2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<16xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @sgd_c3(%a0: tensor<2xf32>, %a1: tensor<2xf32>, %a2: tensor<f32>, %a3: tensor<3xf64>) {
  // expected-error@+1 {{'nn.sgd' op scalars has shape [3], expected [16]}}
  %r = nn.sgd %a0, %a1, %a2, %a3 {weight_decay = true} : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<3xf64>) -> tensor<2xf32>
  return
}

// -----

// An extent that is not known.
func.func @static_shape(%a0: tensor<?x4xf32>) {
  // expected-error@+1 {{'nn.sum' op operand #0 must be variadic of statically shaped tensor}}
  %r = nn.sum %a0 : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

// expected-error@+1 {{'nn.parameter' op checkpoint shape [2, 4] has 8 elements, expected 12 as in [3, 4]}}
nn.parameter @parameter_c1 : tensor<3x4xf32> init <zeros> checkpoint "w" [2, 4]

// -----

// expected-error@+1 {{'nn.parameter' op checkpoint shape [0, 4] has an extent below 1}}
nn.parameter @parameter_c1_extent : tensor<3x4xf32> init <zeros> checkpoint "w" [0, 4]

// -----

// expected-error@+1 {{'nn.parameter' op zero_row is 3, expected one of 3 rows}}
nn.parameter @parameter_c2 : tensor<3x4xf32> init <zeros> checkpoint "w" [3, 4] {zero_row = 3}

// -----

// expected-error@+1 {{'nn.parameter' op zero_row is 0, expected one of 0 rows}}
nn.parameter @parameter_c2_scalar : tensor<f32> init <zeros> checkpoint "w" [] {zero_row = 0}

// -----

// expected-error@+1 {{expected zeros, ones, constant, normal or uniform, found gauss}}
nn.parameter @init_kind : tensor<4xf32> init <gauss, 0.0, 1.0> checkpoint "w" [4]

// -----

// expected-error@+1 {{expected ','}}
nn.parameter @init_numbers : tensor<4xf32> init <normal, 0.02> checkpoint "w" [4]

// -----

// expected-error@+1 {{standard deviation is -1.000000e+00, expected at least 0}}
nn.parameter @init_deviation : tensor<4xf32> init <normal, 0.0, -1.0> checkpoint "w" [4]

// -----

// expected-error@+1 {{uniform initialiser has low 1.000000e+00 above high 0.000000e+00}}
nn.parameter @init_uniform : tensor<4xf32> init <uniform, 1.0, 0.0> checkpoint "w" [4]

// -----

func.func @read_parameter_c1() {
  // expected-error@+1 {{'nn.read_parameter' op names @w, which is not an nn.parameter}}
  %r = nn.read_parameter @w : tensor<4xf32>
  return
}

// -----

// expected-note@+1 {{parameter @w is declared here}}
nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
func.func @read_parameter_c2(%a0: tensor<5xf32>) {
  // expected-error@+1 {{'nn.read_parameter' op has type 'tensor<5xf32>', expected shape [4] of 'f32'}}
  %r = nn.read_parameter @w : tensor<5xf32>
  return
}

// -----

// expected-note@+1 {{parameter @w is declared here}}
nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
func.func @write_parameter_c2(%a0: tensor<5xf32>) {
  // expected-error@+1 {{'nn.write_parameter' op has type 'tensor<5xf32>', expected shape [4] of 'f32'}}
  nn.write_parameter @w, %a0 : tensor<5xf32>
  return
}

// -----

// expected-note@+1 {{parameter @w is declared here}}
nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
func.func @gradient_c2(%a0: tensor<5xf32>) {
  // expected-error@+1 {{'nn.gradient' op has type 'tensor<5xf32>', expected shape [4] of 'f32'}}
  nn.gradient @w, %a0 : tensor<5xf32>
  return
}

// -----

// expected-note@+1 {{parameter @w is declared here}}
nn.parameter @w : tensor<4xbf16> init <zeros> checkpoint "w" [4]
func.func @read_parameter_c2_slot() {
  // expected-error@+1 {{'nn.read_parameter' op has type 'tensor<4xbf16>', expected shape [4] of 'f32'}}
  %r = nn.read_parameter @w {slot = #nn.slot<exp_avg>} : tensor<4xbf16>
  return
}

// -----

// expected-error@+1 {{attribute nn.role is "forward", expected a role such as #nn.role<forward>}}
func.func @attribute_role() attributes {nn.role = "forward"} {
  return
}

// -----

// expected-error@+1 {{attribute nn.optimizer is 1 : i64, expected a string}}
module @attribute_optimizer attributes {nn.optimizer = 1} {
}

// -----

func.func private @f()
func.func @attribute_instance() {
  // expected-error@+1 {{attribute nn.instance is -1 : i64, expected a 64-bit integer of at least 0}}
  call @f() {nn.instance = -1} : () -> ()
  return
}

// -----

func.func @attention_grad_c3_sum(%a0: tensor<2x3x2x4xbf16>, %a1: tensor<2x5x2x4xbf16>, %a2: tensor<2x3x2xf32>, %a3: tensor<16xf64>) {
  // expected-error@+1 {{'nn.attention_grad' op key_grad has element type 'f64', expected 'bf16' or 'f32'}}
  %r0, %r1, %r2 = nn.attention_grad %a0, %a0, %a1, %a1, %a0, %a2, %a3 {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>, tensor<16xf64>) -> (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xf64>, tensor<2x5x2x4xf32>)
  return
}

// -----

func.func @attention_merge_c1_rank(%a0: tensor<f32>) {
  // expected-error@+1 {{'nn.attention_merge' op out has shape [], expected at least 1 dimension}}
  %r0, %r1 = nn.attention_merge %a0, %a0, %a0, %a0 : (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @attention_merge_c1(%a0: tensor<2x4xf32>, %a1: tensor<2xf32>, %a2: tensor<3x4xf32>) {
  // expected-error@+1 {{'nn.attention_merge' op part_out has shape [3, 4], expected [2, 4]}}
  %r0, %r1 = nn.attention_merge %a0, %a1, %a2, %a1 : (tensor<2x4xf32>, tensor<2xf32>, tensor<3x4xf32>, tensor<2xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
  return
}

// -----

func.func @attention_merge_c2(%a0: tensor<2x4xbf16>, %a1: tensor<2xf32>, %a2: tensor<2xbf16>) {
  // expected-error@+1 {{'nn.attention_merge' op part_lse has element type 'bf16', expected 'f32'}}
  %r0, %r1 = nn.attention_merge %a0, %a1, %a0, %a2 : (tensor<2x4xbf16>, tensor<2xf32>, tensor<2x4xbf16>, tensor<2xbf16>) -> (tensor<2x4xbf16>, tensor<2xf32>)
  return
}

// -----

func.func @attention_c7_shape(%q: tensor<2x3x2x4xf32>, %k: tensor<2x5x2x4xf32>, %s: tensor<16xf64>, %m: tensor<5x3xf32>) {
  // expected-error@+1 {{'nn.attention' op mask has shape [5, 3], expected [3, 5] or [2, 3, 5]}}
  %r0, %r1 = nn.attention %q, %k, %k, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>, tensor<5x3xf32>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c7_heads(%q: tensor<2x3x2x4xf32>, %k: tensor<2x5x2x4xf32>, %s: tensor<16xf64>, %m: tensor<2x2x3x5xf32>) {
  // expected-error@+1 {{'nn.attention' op mask has shape [2, 2, 3, 5], expected [3, 5] or [2, 3, 5]}}
  %r0, %r1 = nn.attention %q, %k, %k, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>, tensor<2x2x3x5xf32>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c7_samples(%q: tensor<2x3x2x4xf32>, %k: tensor<2x5x2x4xf32>, %s: tensor<16xf64>, %m: tensor<1x3x5xf32>) {
  // expected-error@+1 {{'nn.attention' op mask has shape [1, 3, 5], expected [3, 5] or [2, 3, 5]}}
  %r0, %r1 = nn.attention %q, %k, %k, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf32>, tensor<2x5x2x4xf32>, tensor<2x5x2x4xf32>, tensor<16xf64>, tensor<1x3x5xf32>) -> (tensor<2x3x2x4xf32>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_c7_type(%q: tensor<2x3x2x4xbf16>, %k: tensor<2x5x2x4xbf16>, %s: tensor<16xf64>, %m: tensor<3x5xbf16>) {
  // expected-error@+1 {{'nn.attention' op mask has element type 'bf16', expected 'f32'}}
  %r0, %r1 = nn.attention %q, %k, %k, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<2x5x2x4xbf16>, tensor<16xf64>, tensor<3x5xbf16>) -> (tensor<2x3x2x4xbf16>, tensor<2x3x2xf32>)
  return
}

// -----

func.func @attention_grad_c7(%q: tensor<2x3x2x4xf64>, %k: tensor<2x5x2x4xf64>, %l: tensor<2x3x2xf64>, %s: tensor<16xf64>, %m: tensor<3x5xf32>) {
  // expected-error@+1 {{'nn.attention_grad' op mask has element type 'f32', expected 'f64'}}
  %r0, %r1, %r2 = nn.attention_grad %q, %q, %k, %k, %q, %l, %s, %m {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x3x2x4xf64>, tensor<2x3x2x4xf64>, tensor<2x5x2x4xf64>, tensor<2x5x2x4xf64>, tensor<2x3x2x4xf64>, tensor<2x3x2xf64>, tensor<16xf64>, tensor<3x5xf32>) -> (tensor<2x3x2x4xf64>, tensor<2x5x2x4xf64>, tensor<2x5x2x4xf64>)
  return
}

// -----

// nn.parameter C1
// expected-error @+1 {{checkpoint shape [4294967296, 4294967296, 4] has more than 2^63 elements}}
nn.parameter @overflow : tensor<4xf32> init <zeros> checkpoint "w" [4294967296, 4294967296, 4]
