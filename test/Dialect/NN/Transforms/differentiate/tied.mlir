// A parameter that two blocks use: contributions are joined once, and the first block updates it.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s

nn.parameter @wte : tensor<9x4xf32> init <normal, 0.0, 0.02> checkpoint "wte" [9, 4]

func.func private @embed(%ids: tensor<8xi32>, %wte: tensor<9x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.embedding %ids, %wte : (tensor<8xi32>, tensor<9x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// The logits and their lse are saved: the gradient of softmax needs them. The loss has no incoming gradient.
// CHECK: func.func private @head.forward({{.*}}) -> (tensor<f32>, tensor<8x9xf32>, tensor<8xf32>)
// CHECK: func.func private @head.backward_input(%[[Z:.*]]: tensor<8x9xf32>, %[[LSE:.*]]: tensor<8xf32>, %[[WTE:.*]]: tensor<9x4xf32>, %[[T:.*]]: tensor<8xi32>, %[[S:.*]]: tensor<16xf64>)
// CHECK-NEXT: %[[GL:.*]], %[[GT:.*]] = nn.token_loss_grad %[[T]], %[[S]]
// CHECK-NEXT: %[[GZ:.*]] = nn.softmax_stats_grad %[[Z]], %[[T]], %[[LSE]], %[[GL]], %[[GT]]
// CHECK-NEXT: %[[GX:.*]] = nn.matmul %[[GZ]], %[[WTE]] {subscripts = "bv,vh->bh"}
// CHECK-NEXT: return %[[GX]], %[[GZ]]
// CHECK-NOT: @head.update
func.func private @head(%x: tensor<8x4xf32>, %wte: tensor<9x4xf32>, %t: tensor<8xi32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %wte {subscripts = "bh,vh->bv"} : (tensor<8x4xf32>, tensor<9x4xf32>) -> tensor<8x9xf32>
  %lse, %logit = nn.softmax_stats %0, %t : (tensor<8x9xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  %1 = nn.token_loss %lse, %logit, %t, %s : (tensor<8xf32>, tensor<8xf32>, tensor<8xi32>, tensor<16xf64>) -> tensor<f32>
  return %1 : tensor<f32>
}

// CHECK-LABEL: func.func @step
// CHECK-COUNT-1: nn.read_parameter @wte
// CHECK-NOT: nn.read_parameter
// CHECK: %[[GH:.*]] = call @head.backward_weight
// CHECK: %[[GE:.*]] = call @embed.backward_weight
// CHECK: %[[G:.*]] = nn.sum %[[GH]], %[[GE]]
// CHECK-NEXT: nn.gradient @wte, %[[G]]
// CHECK-NEXT: nn.sum_squares %[[G]] :
// CHECK: %[[NEW:.*]] = call @embed.update(%{{.*}}, %[[G]],
// CHECK-NEXT: nn.write_parameter @wte, %[[NEW]]
// CHECK-NOT: nn.write_parameter
func.func @step(%ids: tensor<8xi32>, %t: tensor<8xi32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
  %wte = nn.read_parameter @wte : tensor<9x4xf32>
  %again = nn.read_parameter @wte : tensor<9x4xf32>
  %0 = call @embed(%ids, %wte) {nn.instance = 0 : i64} : (tensor<8xi32>, tensor<9x4xf32>) -> tensor<8x4xf32>
  %1 = call @head(%0, %again, %t, %scalars) {nn.instance = 1 : i64} : (tensor<8x4xf32>, tensor<9x4xf32>, tensor<8xi32>, tensor<16xf64>) -> tensor<f32>
  return %1 : tensor<f32>
}
