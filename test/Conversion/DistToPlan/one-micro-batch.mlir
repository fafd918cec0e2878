// RUN: modelpar-opt %s --convert-dist-to-plan | FileCheck %s

// With one micro-batch the first contribution is written straight into the gradient's buffer; only later ones are added. The reduction
// over dp is one grouped collective in place on the buffers.

#whole = #dist.sharding<[{}, {}]>
#partial = #dist.sharding<[{}, {}], partial={"dp":sum}>
module attributes {dist.mesh = #dist.mesh<["dp"=2]>} {
  nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
  nn.parameter @v : tensor<4x4xf32> init <zeros> checkpoint "v" [4, 4]
  func.func private @b.backward_weight(%w: tensor<4x4xf32, #whole>) -> tensor<4x4xf32, #partial> {
    %0 = nn.activation %w {kind = #nn.activation<relu>} : (tensor<4x4xf32, #whole>) -> tensor<4x4xf32, #partial>
    return %0 : tensor<4x4xf32, #partial>
  }
  // CHECK: plan.program @stage0.backward
  // CHECK: %[[G:.*]] = plan.use @w.grad
  // CHECK: plan.call @b.backward_weight ins({{.*}}) outs(%[[G]] : {{.*}})
  // CHECK: plan.call @b.backward_weight ins({{.*}}) outs(%[[T:[0-9]*]] : {{.*}})
  // CHECK: plan.accumulate %[[T]] into %[[G]] :
  // CHECK: %[[V:.*]] = plan.use @v.grad
  // CHECK: plan.call @b.backward_weight ins({{.*}}) outs(%[[V]] : {{.*}})
  func.func @stage0.backward() -> (tensor<4x4xf32, #partial> {dist.buffer = "w.grad"}, tensor<4x4xf32, #partial> {dist.buffer = "v.grad"}) attributes {dist.program = "backward", dist.stage = 0 : i64} {
    %w = nn.read_parameter @w : tensor<4x4xf32, #whole>
    %v = nn.read_parameter @v : tensor<4x4xf32, #whole>
    %0 = call @b.backward_weight(%w) : (tensor<4x4xf32, #whole>) -> tensor<4x4xf32, #partial>
    %1 = call @b.backward_weight(%w) : (tensor<4x4xf32, #whole>) -> tensor<4x4xf32, #partial>
    %2 = call @b.backward_weight(%v) : (tensor<4x4xf32, #whole>) -> tensor<4x4xf32, #partial>
    %3 = dist.accumulate %0, %1 over "mb" : (tensor<4x4xf32, #partial>, tensor<4x4xf32, #partial>) -> tensor<4x4xf32, #partial>
    %4 = dist.accumulate %2 over "mb" : (tensor<4x4xf32, #partial>) -> tensor<4x4xf32, #partial>
    return %3, %4 : tensor<4x4xf32, #partial>, tensor<4x4xf32, #partial>
  }
  // CHECK: plan.program @stage0.update
  // CHECK: %[[G0:.*]] = plan.use @w.grad : {{.*}}sum
  // CHECK: %[[G1:.*]] = plan.use @v.grad : {{.*}}sum
  // CHECK: %[[R0:.*]] = plan.use @w.grad
  // CHECK: %[[R1:.*]] = plan.use @v.grad
  // CHECK: plan.collective all_reduce ins(%[[G0]], %[[G1]] : {{.*}}) outs(%[[R0]], %[[R1]] : {{.*}}) over [#plan.axis<"dp", 2>] reduce "sum" stream 1
  func.func @stage0.update(%g: tensor<4x4xf32, #partial> {dist.buffer = "w.grad"}, %h: tensor<4x4xf32, #partial> {dist.buffer = "v.grad"}) attributes {dist.program = "update", dist.stage = 0 : i64} {
    %0:2 = dist.all_reduce %g, %h over ["dp"] kind sum : (tensor<4x4xf32, #partial>, tensor<4x4xf32, #partial>) -> (tensor<4x4xf32, #whole>, tensor<4x4xf32, #whole>)
    nn.gradient @w, %0#0 : tensor<4x4xf32, #whole>
    nn.gradient @v, %0#1 : tensor<4x4xf32, #whole>
    return
  }
}
