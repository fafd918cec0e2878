// RUN: modelpar-opt %s --convert-dist-to-plan | FileCheck %s

// Blocks: results are written into the caller's buffers, dying operands give their bytes, collectives go to stream 1.

#row = #dist.sharding<[{}, {"tp"}]>
#col = #dist.sharding<[{"tp"}, {}]>
#whole = #dist.sharding<[{}, {}]>
#vec = #dist.sharding<[{}]>
#partial = #dist.sharding<[{}, {}], partial={"tp":sum}>
module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {

// The chain matmul, all_reduce, add lives in the output; what is there before the last result are tensors of their own.
// CHECK: plan.block @chain ins(%[[X:.*]]: {{.*}}, %[[W:.*]]: {{.*}}, %[[B:.*]]: {{.*}}) outs(%[[Y:[a-z0-9]*]]: {{.*}}) {
// CHECK-NOT: plan.alloc
// CHECK: %[[P:.*]] = plan.alias %[[Y]] : {{.*}} as {{.*}}
// CHECK: plan.launch "matmul" ins(%[[X]], %[[W]] : {{.*}}) outs(%[[P]] : {{.*}}) {flops = 2.560000e+02 : f64, subscripts = "bi,io->bo"}
// CHECK: %[[R:.*]] = plan.alias %[[Y]] : {{.*}} as {{.*}}
// CHECK: plan.collective all_reduce ins(%[[P]] : {{.*}}) outs(%[[R]] : {{.*}}) over [#plan.axis<"tp", 2>] reduce "sum" stream 1
// CHECK: plan.launch "add" ins(%[[R]], %[[B]] : {{.*}}) outs(%[[Y]] : {{.*}})
func.func private @chain(%x: tensor<8x4xf32, #row>, %w: tensor<4x8xf32, #col>, %b: tensor<8xf32, #vec>) -> tensor<8x8xf32, #whole> {
  %0 = nn.matmul %x, %w {subscripts = "bi,io->bo"} : (tensor<8x4xf32, #row>, tensor<4x8xf32, #col>) -> tensor<8x8xf32, #partial>
  %1 = dist.all_reduce %0 over ["tp"] kind sum : (tensor<8x8xf32, #partial>) -> tensor<8x8xf32, #whole>
  %2 = nn.add %1, %b : (tensor<8x8xf32, #whole>, tensor<8xf32, #vec>) -> tensor<8x8xf32, #whole>
  return %2 : tensor<8x8xf32, #whole>
}

// An operand that is used later, or is an argument, keeps its bytes.
// CHECK: plan.block @alive ins(%[[X:.*]]: {{.*}}) outs(%[[Y:[a-z0-9]*]]: {{.*}}, %[[Z:[a-z0-9]*]]: {{.*}}) {
// CHECK: plan.launch "activation" ins(%[[X]] : {{.*}}) outs(%[[Y]] : {{.*}}) {flops = {{.*}}, kind = "relu"}
// CHECK: plan.launch "activation" ins(%[[Y]] : {{.*}}) outs(%[[Z]] : {{.*}})
func.func private @alive(%x: tensor<8x8xf32, #whole>) -> (tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>) {
  %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<8x8xf32, #whole>) -> tensor<8x8xf32, #whole>
  %1 = nn.activation %0 {kind = #nn.activation<gelu>} : (tensor<8x8xf32, #whole>) -> tensor<8x8xf32, #whole>
  return %0, %1 : tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>
}

// What is returned twice, or is an argument, is copied.
// CHECK: plan.block @copies ins(%[[X:.*]]: {{.*}}) outs(%[[A:[a-z0-9]*]]: {{.*}}, %[[B:[a-z0-9]*]]: {{.*}}, %[[C:[a-z0-9]*]]: {{.*}}) {
// CHECK: plan.launch "activation" ins(%[[X]] : {{.*}}) outs(%[[A]] : {{.*}})
// CHECK: plan.launch "sum" ins(%[[A]] : {{.*}}) outs(%[[B]] : {{.*}})
// CHECK: plan.launch "sum" ins(%[[X]] : {{.*}}) outs(%[[C]] : {{.*}})
func.func private @copies(%x: tensor<8x8xf32, #whole>) -> (tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>) {
  %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<8x8xf32, #whole>) -> tensor<8x8xf32, #whole>
  return %0, %0, %x : tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>, tensor<8x8xf32, #whole>
}

// CHECK: plan.program @stage0.forward forward stage 0 {
func.func @stage0.forward() attributes {dist.program = "forward", dist.stage = 0 : i64} {
  return
}
}
