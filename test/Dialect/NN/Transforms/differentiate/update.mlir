// The update of a block: new values, and for AdamW moments, of the parameters it owns; decay as the parameter says.
// RUN: modelpar-opt %s -nn-differentiate=optimizer=adamw -verify-differentiated | FileCheck %s --check-prefixes=CHECK,ADAMW
// RUN: modelpar-opt %s -nn-differentiate=optimizer=sgd -verify-differentiated | FileCheck %s --check-prefixes=CHECK,SGD

// ADAMW: module attributes {nn.optimizer = "adamw"}
// SGD: module attributes {nn.optimizer = "sgd"}
module {
  nn.parameter @w : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w" [4, 4]
  nn.parameter @b : tensor<4xf32> init <zeros> checkpoint "b" [4] {weight_decay = false}

  // ADAMW: func.func private @model.update(%[[W:[^:]*]]: tensor<4x4xf32>, %[[B:[^:]*]]: tensor<4xf32>, %[[GW:[^:]*]]: tensor<4x4xf32>, %[[GB:[^:]*]]: tensor<4xf32>,
  // ADAMW-SAME: %[[MW:[^:]*]]: tensor<4x4xf32>, %[[MB:[^:]*]]: tensor<4xf32>, %[[VW:[^:]*]]: tensor<4x4xf32>, %[[VB:[^:]*]]: tensor<4xf32>,
  // ADAMW-SAME: %[[SCALE:[^:]*]]: tensor<f32>, %[[S:[^:]*]]: tensor<16xf64>)
  // ADAMW-SAME: attributes {nn.role = #nn.role<update>}
  // ADAMW-NEXT: %[[W1:.*]], %[[MW1:.*]], %[[VW1:.*]] = nn.adamw %[[W]], %[[GW]], %[[MW]], %[[VW]], %[[SCALE]], %[[S]] {weight_decay = true}
  // ADAMW-NEXT: %[[B1:.*]], %[[MB1:.*]], %[[VB1:.*]] = nn.adamw %[[B]], %[[GB]], %[[MB]], %[[VB]], %[[SCALE]], %[[S]] {weight_decay = false}
  // ADAMW-NEXT: return %[[W1]], %[[B1]], %[[MW1]], %[[MB1]], %[[VW1]], %[[VB1]]
  // SGD: func.func private @model.update(%[[W:[^:]*]]: tensor<4x4xf32>, %[[B:[^:]*]]: tensor<4xf32>, %[[GW:[^:]*]]: tensor<4x4xf32>, %[[GB:[^:]*]]: tensor<4xf32>,
  // SGD-SAME: %[[SCALE:[^:]*]]: tensor<f32>, %[[S:[^:]*]]: tensor<16xf64>)
  // SGD-NEXT: %[[W1:.*]] = nn.sgd %[[W]], %[[GW]], %[[SCALE]], %[[S]] {weight_decay = true}
  // SGD-NEXT: %[[B1:.*]] = nn.sgd %[[B]], %[[GB]], %[[SCALE]], %[[S]] {weight_decay = false}
  // SGD-NEXT: return %[[W1]], %[[B1]]
  func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<f32> {
    %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
    %1 = nn.add %0, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
    %2 = nn.squared_error %1, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
    return %2 : tensor<f32>
  }

  // CHECK-LABEL: func.func @step
  // CHECK-SAME: %[[S:[^:]*]]: tensor<16xf64>)
  // CHECK: %[[W:.*]] = nn.read_parameter @w : tensor<4x4xf32>
  // CHECK: %[[B:.*]] = nn.read_parameter @b : tensor<4xf32>
  // CHECK: %[[G:.*]]:2 = call @model.backward_weight
  // CHECK: %{{.*}}, %[[SCALE:.*]] = nn.clip_scale
  // ADAMW: %[[MW:.*]] = nn.read_parameter @w {slot = #nn.slot<exp_avg>}
  // ADAMW: %[[MB:.*]] = nn.read_parameter @b {slot = #nn.slot<exp_avg>}
  // ADAMW: %[[VW:.*]] = nn.read_parameter @w {slot = #nn.slot<exp_avg_sq>}
  // ADAMW: %[[VB:.*]] = nn.read_parameter @b {slot = #nn.slot<exp_avg_sq>}
  // ADAMW: %[[NEW:.*]]:6 = call @model.update(%[[W]], %[[B]], %[[G]]#0, %[[G]]#1, %[[MW]], %[[MB]], %[[VW]], %[[VB]], %[[SCALE]], %[[S]])
  // ADAMW: nn.write_parameter @w, %[[NEW]]#0 : tensor<4x4xf32>
  // ADAMW: nn.write_parameter @b, %[[NEW]]#1 : tensor<4xf32>
  // ADAMW: nn.write_parameter @w, %[[NEW]]#2 {slot = #nn.slot<exp_avg>}
  // ADAMW: nn.write_parameter @b, %[[NEW]]#3 {slot = #nn.slot<exp_avg>}
  // ADAMW: nn.write_parameter @w, %[[NEW]]#4 {slot = #nn.slot<exp_avg_sq>}
  // ADAMW: nn.write_parameter @b, %[[NEW]]#5 {slot = #nn.slot<exp_avg_sq>}
  // SGD-NOT: nn.read_parameter
  // SGD: %[[NEW:.*]]:2 = call @model.update(%[[W]], %[[B]], %[[G]]#0, %[[G]]#1, %[[SCALE]], %[[S]])
  // SGD: nn.write_parameter @w, %[[NEW]]#0
  // SGD: nn.write_parameter @b, %[[NEW]]#1
  func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %scalars: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}) {
    %w = nn.read_parameter @w : tensor<4x4xf32>
    %b = nn.read_parameter @b : tensor<4xf32>
    %0 = call @model(%x, %t, %w, %b) {nn.instance = 0 : i64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<f32>
    return %0 : tensor<f32>
  }
}
