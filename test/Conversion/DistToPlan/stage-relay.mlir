// RUN: modelpar-opt %s --dist-stage | FileCheck %s
// RUN: modelpar-opt %s --dist-stage --convert-dist-to-plan | FileCheck %s --check-prefix=PLAN

// What the first stage makes and the third one needs goes through the second, which sends on what it received. The third one's backward
// program finds it where the forward program received it; nothing is sent for that.

#batch = #dist.sharding<[{"mb"}]>
#partial = #dist.sharding<[{}], partial={"mb":sum}>
#whole = #dist.sharding<[{}]>
!b = tensor<8xf32, #batch>
!w = tensor<4xf32, #whole>
module attributes {dist.mesh = #dist.mesh<["mb"=2, "pp"=3]>} {
  nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]
  func.func private @b.forward(%x: !b) -> !b {
    %0 = nn.activation %x {kind = #nn.activation<relu>} : (!b) -> !b
    return %0 : !b
  }
  func.func private @d.forward(%x: !b, %y: !b) -> !b {
    %0 = nn.add %x, %y : (!b, !b) -> !b
    return %0 : !b
  }
  func.func private @d.backward_weight(%x: !b, %w: !w) -> tensor<4xf32, #partial> {
    %0 = nn.activation %w {kind = #nn.activation<relu>} : (!w) -> tensor<4xf32, #partial>
    return %0 : tensor<4xf32, #partial>
  }
  // CHECK-LABEL: func.func @stage0.forward
  // CHECK: %[[A:.*]] = call @b.forward
  // CHECK-NEXT: dist.send %[[A]] to 1 ["act.0"]
  // CHECK-LABEL: func.func @stage0.backward
  // CHECK-NEXT: return
  // CHECK-LABEL: func.func @stage1.forward() attributes
  // CHECK-NEXT: %[[A:.*]] = dist.recv from 0 ["act.0"]
  // CHECK-NEXT: %[[C:.*]] = call @b.forward(%[[A]])
  // CHECK-NEXT: dist.send %[[A]], %[[C]] to 2 ["act.0", "act.1"]
  // CHECK-LABEL: func.func @stage2.forward() attributes
  // CHECK-NEXT: %[[R:.*]]:2 = dist.recv from 1 ["act.0", "act.1"]
  // CHECK-NEXT: call @d.forward(%[[R]]#0, %[[R]]#1)
  // CHECK-NEXT: return
  // CHECK-LABEL: func.func @stage2.backward
  // CHECK-SAME: (%[[A:.*]]: tensor<8xf32, #mb> {dist.buffer = "act.0", dist.per_micro_batch}) -> (tensor<4xf32, #r> {dist.buffer = "w.grad"})
  // CHECK: call @d.backward_weight(%[[A]]
  // CHECK-NOT: dist.send

  // One buffer receives and sends; what is computed in between has its own.
  // PLAN: plan.buffer @[[S1:act.0.stage1]] activation
  // PLAN: plan.channel @stage0.send.1 send stage 0 peer 1 [@act.0]
  // PLAN: plan.channel @stage1.recv.0 receive stage 1 peer 0 [@[[S1]]]
  // PLAN: plan.channel @stage1.send.2 send stage 1 peer 2 [@[[S1]], @act.1]
  // PLAN: plan.channel @stage2.recv.1 receive stage 2 peer 1 [@act.0.stage2, @act.1.stage2]
  // PLAN: plan.program @stage1.forward forward stage 1 {
  // PLAN-DAG: plan.use @[[S1]]
  // PLAN-DAG: plan.use @act.1 :
  // PLAN: plan.call @b.forward
  // PLAN-NOT: "sum"
  // PLAN: plan.program @stage2.backward backward stage 2 {
  // PLAN: plan.use @act.0.stage2
  func.func @step(%x: !b {nn.input = "x", nn.input_role = "data"}) {
    %w = nn.read_parameter @w : !w
    %0 = call @b.forward(%x) {dist.stage = 0, nn.role = #nn.role<forward>} : (!b) -> !b
    %1 = call @b.forward(%0) {dist.stage = 1, nn.role = #nn.role<forward>} : (!b) -> !b
    %2 = call @d.forward(%0, %1) {dist.stage = 2, nn.role = #nn.role<forward>} : (!b, !b) -> !b
    %3 = call @d.backward_weight(%0, %w) {dist.stage = 2, nn.role = #nn.role<backward_weight>} : (!b, !w) -> tensor<4xf32, #partial>
    %g = dist.accumulate %3 over "mb" : (tensor<4xf32, #partial>) -> !w
    nn.gradient @w, %g : !w
    return
  }
}
