// RUN: modelpar-opt %s --dist-stage --convert-dist-to-plan | FileCheck %s

// Two contributions to one gradient over two micro-batches: the first that comes in a step writes, the others add, each right after
// its call. The update is in place.

#batch = #dist.sharding<[{"mb"}, {}]>
#whole = #dist.sharding<[{}, {}]>
#partial = #dist.sharding<[{}, {}], partial={"mb":sum}>
#loss = #dist.sharding<[], partial={"mb":sum}>
#scalar = #dist.sharding<[]>

// CHECK: module attributes {dist.mesh = {{.*}}, plan.num_micro_batches = 2 : i64}
// CHECK: plan.input "x" : {{.*}} role "data" range [-2.000000e+00, 2.000000e+00] dims ["b", "f"] batch 0
// CHECK: plan.input "scalars" : {{.*}} role "scalars"
// CHECK: plan.parameter "w" : {{.*}} init "normal" [0.000000e+00, 2.000000e-02] checkpoint "w" [16] value @w gradient @w.grad state [] []
// CHECK: plan.output "loss" @loss
// CHECK: plan.buffer @x input : {{.*}} bytes 64 per_micro_batch
// CHECK: plan.buffer @w parameter
// CHECK: plan.buffer @act.0 activation : {{.*}} per_micro_batch
// CHECK: plan.buffer @loss output
// CHECK: plan.buffer @w.grad gradient
// CHECK: plan.buffer @scalars scalars
module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @w : tensor<4x4xf32> init <normal, 0.0, 0.02> checkpoint "w" [16]
  func.func private @b.forward(%x: tensor<8x4xf32, #batch>, %w: tensor<4x4xf32, #whole>) -> (tensor<f32, #loss>, tensor<8x4xf32, #batch>) {
    %0 = nn.matmul %x, %w {subscripts = "bi,io->bo"} : (tensor<8x4xf32, #batch>, tensor<4x4xf32, #whole>) -> tensor<8x4xf32, #batch>
    %1 = nn.squared_error %0, %x : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<f32, #loss>
    return %1, %0 : tensor<f32, #loss>, tensor<8x4xf32, #batch>
  }
  func.func private @b.backward_weight(%y: tensor<8x4xf32, #batch>, %x: tensor<8x4xf32, #batch>) -> tensor<4x4xf32, #partial> {
    %0 = nn.squared_error_grad %y, %x : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<8x4xf32, #batch>
    %1 = nn.matmul %x, %0 {subscripts = "bi,bo->io"} : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<4x4xf32, #partial>
    return %1 : tensor<4x4xf32, #partial>
  }
  func.func private @b.update(%w: tensor<4x4xf32, #whole>, %g: tensor<4x4xf32, #whole>, %s: tensor<f32, #scalar>, %scalars: tensor<16xf64>) -> tensor<4x4xf32, #whole> {
    %0 = nn.sgd %w, %g, %s, %scalars {weight_decay = true} : (tensor<4x4xf32, #whole>, tensor<4x4xf32, #whole>, tensor<f32, #scalar>, tensor<16xf64>) -> tensor<4x4xf32, #whole>
    return %0 : tensor<4x4xf32, #whole>
  }
  // CHECK: plan.program @stage0.forward forward stage 0 {
  // CHECK: %[[X:.*]] = plan.use @x
  // CHECK: plan.load "x" into %[[X]]
  // CHECK: %[[T:[0-9]*]] = plan.alloc 64 : <tensor<f32,
  // CHECK: plan.call @b.forward ins(%[[X]], {{.*}}) outs(%[[T]], {{.*}} instance 5
  // CHECK: %[[L:.*]] = plan.use @loss
  // CHECK: plan.accumulate %[[T]] into %[[L]] first

  // CHECK: plan.program @stage0.backward backward stage 0 {
  // CHECK-NOT: plan.load
  // CHECK: plan.call @b.backward_weight ins({{.*}}) outs(%[[G0:[0-9]*]] : {{.*}})
  // CHECK: %[[SUM:.*]] = plan.use @w.grad
  // CHECK: plan.accumulate %[[G0]] into %[[SUM]] first
  // CHECK: plan.call @b.backward_weight ins({{.*}}) outs(%[[G1:[0-9]*]] : {{.*}})
  // CHECK: plan.accumulate %[[G1]] into %[[SUM]] :

  // CHECK: plan.program @stage0.update update stage 0 {
  // CHECK: %[[W:.*]] = plan.use @w :
  // CHECK: plan.call @b.update ins(%[[W]], {{.*}}) outs(%[[W]] : {{.*}})
  func.func @step(%x: tensor<8x4xf32, #batch> {nn.input = "x", nn.input_role = "data", nn.input_range = [-2.0, 2.0], nn.dim_names = ["b", "f"], nn.batch_dim = 0}, %scalars: tensor<16xf64> {nn.input = "scalars", nn.input_role = "scalars"})
      -> (tensor<f32, #scalar> {nn.output = "loss"}) {
    %w = nn.read_parameter @w : tensor<4x4xf32, #whole>
    %0:2 = call @b.forward(%x, %w) {nn.instance = 5 : i64, nn.role = #nn.role<forward>} : (tensor<8x4xf32, #batch>, tensor<4x4xf32, #whole>) -> (tensor<f32, #loss>, tensor<8x4xf32, #batch>)
    %loss = dist.accumulate %0#0 over "mb" : (tensor<f32, #loss>) -> tensor<f32, #scalar>
    %1 = call @b.backward_weight(%0#1, %x) {nn.instance = 5 : i64, nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<4x4xf32, #partial>
    %2 = call @b.backward_weight(%x, %0#1) {nn.instance = 6 : i64, nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<4x4xf32, #partial>
    %g = dist.accumulate %1, %2 over "mb" : (tensor<4x4xf32, #partial>, tensor<4x4xf32, #partial>) -> tensor<4x4xf32, #whole>
    nn.gradient @w, %g : tensor<4x4xf32, #whole>
    %3 = nn.sum_squares %g : (tensor<4x4xf32, #whole>) -> tensor<f32, #scalar>
    %norm, %scale = nn.clip_scale %3, %scalars : (tensor<f32, #scalar>, tensor<16xf64>) -> (tensor<f32, #scalar>, tensor<f32, #scalar>)
    %4 = call @b.update(%w, %g, %scale, %scalars) {nn.instance = 0 : i64, nn.role = #nn.role<update>} : (tensor<4x4xf32, #whole>, tensor<4x4xf32, #whole>, tensor<f32, #scalar>, tensor<16xf64>) -> tensor<4x4xf32, #whole>
    nn.write_parameter @w, %4 : tensor<4x4xf32, #whole>
    return %loss : tensor<f32, #scalar>
  }
}
