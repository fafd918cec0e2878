// RUN: modelpar-opt %s -dist-lower-ring | FileCheck %s

#s = #dist.sharding<[{}, {"cp"}, {}, {}]>
#rows = #dist.sharding<[{}, {"cp"}, {}]>
#all = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["cp"=3, "tp"=2]>} {

// Each step's part is sent on before the step that uses it; the results of steps merge in place.
// CHECK-LABEL: func.func private @forward
// CHECK-SAME: (%[[Q:.*]]: {{.*}}, %[[K:.*]]: {{.*}}, %[[V:.*]]: tensor<2x12x4x8xf32, #{{.*}}>, %[[X:.*]]: tensor<16xf64
// CHECK-NEXT: %[[KV1:.*]]:2 = dist.collective_permute %[[K]], %[[V]] shift 1 over ["cp"] : {{.*}} -> (tensor<2x12x4x8xf32, #r__cp_shift1__r__r>, tensor<2x12x4x8xf32, #r__cp_shift1__r__r>)
// CHECK-NEXT: %[[O0:.*]], %[[L0:.*]] = nn.attention %[[Q]], %[[K]], %[[V]], %[[X]] {{{.*}}dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>, dist.ring_step = 0 : i64
// CHECK-NEXT: %[[KV2:.*]]:2 = dist.collective_permute %[[KV1]]#0, %[[KV1]]#1 shift 1 over ["cp"] : {{.*}} -> (tensor<2x12x4x8xf32, #r__cp_shift2__r__r>
// CHECK-NEXT: %[[O1:.*]], %[[L1:.*]] = nn.attention %[[Q]], %[[KV1]]#0, %[[KV1]]#1, %[[X]] {{{.*}}dist.placement = #dist.placement<{s = ["cp"], t = ["cp"+1]}>, dist.ring_step = 1 : i64
// CHECK-NEXT: %[[M1:.*]], %[[N1:.*]] = nn.attention_merge %[[O0]], %[[L0]], %[[O1]], %[[L1]]
// CHECK-NEXT: %[[O2:.*]], %[[L2:.*]] = nn.attention %[[Q]], %[[KV2]]#0, %[[KV2]]#1, %[[X]] {{.*}}dist.ring_step = 2
// CHECK-NEXT: %[[M2:.*]], %[[N2:.*]] = nn.attention_merge %[[M1]], %[[N1]], %[[O2]], %[[L2]]
// CHECK-NEXT: return %[[M2]], %[[N2]]
func.func private @forward(%q: tensor<2x12x4x8xf32, #s>, %k: tensor<2x12x4x8xf32, #s>, %v: tensor<2x12x4x8xf32, #s>, %x: tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>) {
  %o, %lse = nn.attention %q, %k, %v, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>}
    : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>)
  return %o, %lse : tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>
}

// The gradient of the queries is summed where they are. Gradients of keys and values travel with their part from step 1 on, and come home to
// what their own rank added.
// CHECK-LABEL: func.func private @backward
// CHECK-SAME: (%[[Q:.*]]: {{.*}}, %[[K:.*]]: {{.*}}, %[[V:.*]]: tensor<2x12x4x8xf32, #{{.*}}>, %[[L:.*]]: tensor<2x12x4xf32, #{{.*}}>, %[[X:.*]]: tensor<16xf64
// CHECK-NEXT: %[[KV1:.*]]:2 = dist.collective_permute %[[K]], %[[V]] shift 1
// CHECK-NEXT: %[[DQ0:.*]], %[[DK0:.*]], %[[DV0:.*]] = nn.attention_grad %[[Q]], %[[Q]], %[[K]], %[[V]], %[[Q]], %[[L]]
// CHECK-NEXT: %[[KV2:.*]]:2 = dist.collective_permute %[[KV1]]#0, %[[KV1]]#1 shift 1
// CHECK-NEXT: %[[DQ1:.*]], %[[DK1:.*]], %[[DV1:.*]] = nn.attention_grad %[[Q]], %[[Q]], %[[KV1]]#0, %[[KV1]]#1, {{.*}} -> (tensor<2x12x4x8xf32, #r__cp__r__r>, tensor<2x12x4x8xf32, #r__cp_shift1__r__r>, tensor<2x12x4x8xf32, #r__cp_shift1__r__r>)
// CHECK-NEXT: %[[SUM1:.*]] = nn.add %[[DQ0]], %[[DQ1]]
// CHECK-NEXT: %[[T2:.*]]:2 = dist.collective_permute %[[DK1]], %[[DV1]] shift 1 {{.*}} -> (tensor<2x12x4x8xf32, #r__cp_shift2__r__r>
// CHECK-NEXT: %[[DQ2:.*]], %[[DK2:.*]], %[[DV2:.*]] = nn.attention_grad %[[Q]], %[[Q]], %[[KV2]]#0, %[[KV2]]#1
// CHECK-NEXT: %[[SUM2:.*]] = nn.add %[[SUM1]], %[[DQ2]]
// CHECK-NEXT: %[[TK:.*]] = nn.add %[[T2]]#0, %[[DK2]] : {{.*}} -> tensor<2x12x4x8xf32, #r__cp_shift2__r__r>
// CHECK-NEXT: %[[TV:.*]] = nn.add %[[T2]]#1, %[[DV2]]
// CHECK-NEXT: %[[HOME:.*]]:2 = dist.collective_permute %[[TK]], %[[TV]] shift 1 {{.*}} -> (tensor<2x12x4x8xf32, #r__cp__r__r>
// CHECK-NEXT: %[[DK:.*]] = nn.add %[[DK0]], %[[HOME]]#0
// CHECK-NEXT: %[[DV:.*]] = nn.add %[[DV0]], %[[HOME]]#1
// CHECK-NEXT: return %[[SUM2]], %[[DK]], %[[DV]]
func.func private @backward(%q: tensor<2x12x4x8xf32, #s>, %k: tensor<2x12x4x8xf32, #s>, %v: tensor<2x12x4x8xf32, #s>, %lse: tensor<2x12x4xf32, #rows>, %x: tensor<16xf64, #all>)
    -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>) {
  %dq, %dk, %dv = nn.attention_grad %q, %q, %k, %v, %q, %lse, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>}
    : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>, tensor<16xf64, #all>)
    -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>)
  return %dq, %dk, %dv : tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>
}

// What is not streamed stays as it is: keys that are whole, over an axis of the queries or none.
// CHECK-LABEL: func.func private @gathered
// CHECK-NOT: dist.collective_permute
// CHECK: nn.attention
// CHECK-NOT: dist.ring_step
// CHECK-NOT: nn.attention_merge
// CHECK: return
func.func private @gathered(%q: tensor<2x12x4x8xf32, #s>, %k: tensor<2x12x4x8xf32, #dist.sharding<[{}, {}, {}, {}]>>, %x: tensor<16xf64, #all>) -> tensor<2x12x4x8xf32, #s> {
  %o, %lse = nn.attention %q, %k, %k, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"]}>}
    : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #dist.sharding<[{}, {}, {}, {}]>>, tensor<2x12x4x8xf32, #dist.sharding<[{}, {}, {}, {}]>>, tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>)
  return %o : tensor<2x12x4x8xf32, #s>
}
}
