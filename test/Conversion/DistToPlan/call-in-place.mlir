// RUN: modelpar-opt %s --convert-dist-to-plan | FileCheck %s

// A call may write a result over a dead activation when the block's op takes it in place: the gradient of logits over the logits.

#v = #dist.sharding<[{}, {}]>
module attributes {dist.mesh = #dist.mesh<["dp"=2]>} {
  func.func private @grad(%p: tensor<4x4xf32, #v>, %t: tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v> {
    %0 = nn.squared_error_grad %p, %t : (tensor<4x4xf32, #v>, tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    return %0 : tensor<4x4xf32, #v>
  }
  // Here the sum would take the local product's bytes, which are the output's: written before %x is read, so %x must be elsewhere.
  func.func private @residual(%x: tensor<4x4xf32, #v>, %w: tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v> {
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac"} : (tensor<4x4xf32, #v>, tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    %1 = nn.add %0, %x : (tensor<4x4xf32, #v>, tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    return %1 : tensor<4x4xf32, #v>
  }
  func.func @stage0.forward(%x: tensor<4x4xf32, #v> {nn.input = "x"}) -> (tensor<4x4xf32, #v> {dist.buffer = "act.0", dist.per_micro_batch}) attributes {dist.program = "forward", dist.stage = 0 : i64} {
    %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    return %0 : tensor<4x4xf32, #v>
  }
  // CHECK: plan.program @stage0.backward
  // CHECK-DAG: %[[A:.*]] = plan.use @act.0
  // CHECK-DAG: %[[X:.*]] = plan.use @x
  // CHECK: %[[G:.*]] = plan.alias %[[A]]
  // CHECK: plan.call @grad ins(%[[A]], %[[X]] : {{.*}}) outs(%[[G]] : {{.*}})
  // CHECK: %[[R:.*]] = plan.alloc
  // CHECK: plan.call @residual ins(%[[G]], %[[X]] : {{.*}}) outs(%[[R]] : {{.*}})
  func.func @stage0.backward(%x: tensor<4x4xf32, #v> {nn.input = "x"}, %a: tensor<4x4xf32, #v> {dist.buffer = "act.0", dist.per_micro_batch}) attributes {dist.program = "backward", dist.stage = 0 : i64} {
    %0 = call @grad(%a, %x) : (tensor<4x4xf32, #v>, tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    %1 = call @residual(%0, %x) : (tensor<4x4xf32, #v>, tensor<4x4xf32, #v>) -> tensor<4x4xf32, #v>
    return
  }
}
