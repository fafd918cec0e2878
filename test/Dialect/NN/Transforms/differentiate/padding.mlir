// The row of padding of a tied table: the lookup's gradient leaves it out, the head's does not.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @wte : tensor<9x4xf32> init <normal, 0.0, 0.02> checkpoint "wte" [9, 4] or ["head"] {zero_row = 2}

// CHECK-LABEL: func.func private @embed.backward_weight
// CHECK: nn.embedding_grad %{{.*}}, %{{.*}} {padding_row = 2 : i64} : (tensor<8x4xf32>, tensor<8xi32>) -> tensor<9x4xf32>
func.func private @embed(%ids: tensor<8xi32>, %wte: tensor<9x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.embedding %ids, %wte {padding_row = 2} : (tensor<8xi32>, tensor<9x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// CHECK-LABEL: func.func private @head.backward_weight
// CHECK: nn.matmul
// CHECK-NOT: padding_row
func.func private @head(%x: tensor<8x4xf32>, %wte: tensor<9x4xf32>, %t: tensor<8xi32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %wte {subscripts = "bh,vh->bv"} : (tensor<8x4xf32>, tensor<9x4xf32>) -> tensor<8x9xf32>
  %lse, %logit = nn.softmax_stats %0, %t : (tensor<8x9xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  %1 = nn.token_loss %lse, %logit, %t, %s : (tensor<8xf32>, tensor<8xf32>, tensor<8xi32>, tensor<16xf64>) -> tensor<f32>
  return %1 : tensor<f32>
}

func.func @step(%ids: tensor<8xi32>, %t: tensor<8xi32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %wte = nn.read_parameter @wte : tensor<9x4xf32>
  %0 = call @embed(%ids, %wte) {nn.instance = 0 : i64} : (tensor<8xi32>, tensor<9x4xf32>) -> tensor<8x4xf32>
  %1 = call @head(%0, %wte, %t, %scalars) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<9x4xf32>, tensor<8xi32>, tensor<16xf64>) -> tensor<f32>
  return %1 : tensor<f32>
}
