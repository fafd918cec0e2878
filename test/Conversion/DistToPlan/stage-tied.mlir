// RUN: modelpar-opt %s --dist-stage | FileCheck %s

// The gradients of a shared parameter's uses are contributions to one accumulation, whatever sum joined them; a sum that
// something else reads stays.

#whole = #dist.sharding<[{}]>
#partial = #dist.sharding<[{}], partial={"mb":sum}>
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
  nn.parameter @v : tensor<4xf32> init <zeros> checkpoint "v" [4]
  func.func private @b.backward_weight(%w: tensor<4xf32, #whole>) -> tensor<4xf32, #partial> {
    %0 = nn.activation %w {kind = #nn.activation<relu>} : (tensor<4xf32, #whole>) -> tensor<4xf32, #partial>
    return %0 : tensor<4xf32, #partial>
  }
  // CHECK: func.func @stage0.backward
  // CHECK: %[[A:.*]] = call @b.backward_weight
  // CHECK: %[[B:.*]] = call @b.backward_weight
  // CHECK-NOT: nn.sum
  // CHECK: dist.accumulate %[[A]], %[[B]] over "mb"
  // CHECK: %[[S:.*]] = nn.sum %[[A]], %[[B]]
  // CHECK: dist.accumulate %[[S]] over "mb"
  // CHECK: nn.sum %[[S]], %[[A]]
  func.func @step() {
    %w = nn.read_parameter @w : tensor<4xf32, #whole>
    %0 = call @b.backward_weight(%w) {nn.role = #nn.role<backward_weight>} : (tensor<4xf32, #whole>) -> tensor<4xf32, #partial>
    %1 = call @b.backward_weight(%w) {nn.role = #nn.role<backward_weight>} : (tensor<4xf32, #whole>) -> tensor<4xf32, #partial>
    %2 = nn.sum %0, %1 : (tensor<4xf32, #partial>, tensor<4xf32, #partial>) -> tensor<4xf32, #partial>
    %3 = dist.accumulate %2 over "mb" : (tensor<4xf32, #partial>) -> tensor<4xf32, #whole>
    %4 = nn.sum %0, %1 : (tensor<4xf32, #partial>, tensor<4xf32, #partial>) -> tensor<4xf32, #partial>
    %5 = dist.accumulate %4 over "mb" : (tensor<4xf32, #partial>) -> tensor<4xf32, #whole>
    %6 = nn.sum %4, %0 : (tensor<4xf32, #partial>, tensor<4xf32, #partial>) -> tensor<4xf32, #partial>
    nn.gradient @w, %3 : tensor<4xf32, #whole>
    nn.gradient @v, %5 : tensor<4xf32, #whole>
    return
  }
}
