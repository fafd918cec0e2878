// RUN: modelpar-opt %s --dist-stage | FileCheck %s

// @step is cut by the roles of its calls; what crosses gets a name, what is accumulated leaves the micro-batch loop.

#batch = #dist.sharding<[{"mb"}, {}]>
#whole = #dist.sharding<[{}, {}]>
#partial = #dist.sharding<[{}, {}], partial={"mb":sum}>
#loss = #dist.sharding<[], partial={"mb":sum}>
#scalar = #dist.sharding<[]>

module attributes {dist.mesh = #dist.mesh<["mb"=2]>} {
  nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
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
  // CHECK-NOT: @step
  // The saved activation belongs to its micro-batch; the loss is a sum over them.
  // CHECK: func.func @stage0.forward(%[[X:.*]]: {{.*}}nn.input = "x"{{.*}}) -> (tensor<8x4xf32, {{.*}}> {dist.buffer = "act.0", dist.per_micro_batch}, tensor<f32, {{.*}}> {dist.buffer = "loss"}) attributes {dist.program = "forward", dist.stage = 0 : i64}
  // CHECK: %[[W:.*]] = nn.read_parameter @w
  // CHECK: %[[F:.*]]:2 = call @b.forward(%[[X]], %[[W]])
  // CHECK: %[[L:.*]] = dist.accumulate %[[F]]#0
  // CHECK: return %[[F]]#1, %[[L]]

  // The gradient's buffer has the parameter's name.
  // CHECK: func.func @stage0.backward(%{{.*}}: {{.*}}nn.input = "x"{{.*}}, %{{.*}}: {{.*}}dist.buffer = "act.0", dist.per_micro_batch}) -> (tensor<4x4xf32, {{.*}}> {dist.buffer = "w.grad"}) attributes {dist.program = "backward", dist.stage = 0 : i64}
  // CHECK: call @b.backward_weight
  // CHECK: dist.accumulate

  // CHECK: func.func @stage0.update(%[[S:.*]]: {{.*}}nn.input = "scalars"{{.*}}, %[[G:.*]]: {{.*}}dist.buffer = "w.grad"}, %[[L2:.*]]: {{.*}}dist.buffer = "loss"}) -> (tensor<f32, {{.*}}> {nn.output = "loss"}, tensor<f32, {{.*}}> {nn.output = "grad_norm"}) attributes {dist.program = "update", dist.stage = 0 : i64}
  // CHECK: nn.read_parameter @w
  // CHECK: nn.gradient @w, %[[G]]
  // CHECK: call @b.update
  // CHECK: nn.write_parameter @w
  // CHECK: return %[[L2]]
  func.func @step(%x: tensor<8x4xf32, #batch> {nn.input = "x", nn.input_role = "data"}, %scalars: tensor<16xf64> {nn.input = "scalars", nn.input_role = "scalars"})
      -> (tensor<f32, #scalar> {nn.output = "loss"}, tensor<f32, #scalar> {nn.output = "grad_norm"}) {
    %w = nn.read_parameter @w : tensor<4x4xf32, #whole>
    %0:2 = call @b.forward(%x, %w) {nn.instance = 0 : i64, nn.role = #nn.role<forward>} : (tensor<8x4xf32, #batch>, tensor<4x4xf32, #whole>) -> (tensor<f32, #loss>, tensor<8x4xf32, #batch>)
    %loss = dist.accumulate %0#0 over "mb" : (tensor<f32, #loss>) -> tensor<f32, #scalar>
    %1 = call @b.backward_weight(%0#1, %x) {nn.instance = 0 : i64, nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32, #batch>, tensor<8x4xf32, #batch>) -> tensor<4x4xf32, #partial>
    %g = dist.accumulate %1 over "mb" : (tensor<4x4xf32, #partial>) -> tensor<4x4xf32, #whole>
    nn.gradient @w, %g : tensor<4x4xf32, #whole>
    %2 = nn.sum_squares %g : (tensor<4x4xf32, #whole>) -> tensor<f32, #scalar>
    %norm, %scale = nn.clip_scale %2, %scalars : (tensor<f32, #scalar>, tensor<16xf64>) -> (tensor<f32, #scalar>, tensor<f32, #scalar>)
    %3 = call @b.update(%w, %g, %scale, %scalars) {nn.instance = 0 : i64, nn.role = #nn.role<update>} : (tensor<4x4xf32, #whole>, tensor<4x4xf32, #whole>, tensor<f32, #scalar>, tensor<16xf64>) -> tensor<4x4xf32, #whole>
    nn.write_parameter @w, %3 : tensor<4x4xf32, #whole>
    return %loss, %norm : tensor<f32, #scalar>, tensor<f32, #scalar>
  }
}
