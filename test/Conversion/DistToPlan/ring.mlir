// RUN: modelpar-opt %s --dist-lower-ring --convert-dist-to-plan --plan-insert-events | FileCheck %s

// A ring of four. While attention works on a part, the next one is on its way: no attention waits for the permute behind it, only the
// third hop for the reader of the bytes that it writes. Blocks take turns in two buffers; results merge where the block returns them.

#s = #dist.sharding<[{}, {"cp"}, {}, {}]>
#rows = #dist.sharding<[{}, {"cp"}, {}]>
#all = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["cp"=4]>} {

// CHECK: plan.block @forward ins(%[[Q:.*]]: {{.*}}, %[[K:.*]]: {{.*}}, %[[V:.*]]: {{.*}}, %[[X:.*]]: {{.*}}) outs(%[[O:[a-z0-9]*]]: {{.*}}, %[[L:[a-z0-9]*]]: {{.*}}) {
// CHECK-DAG: %[[K1:.*]] = plan.alloc 768 : <tensor<2x12x4x8xf32, #r__cp_shift1__r__r>>
// CHECK-DAG: %[[V1:.*]] = plan.alloc 768 : <tensor<2x12x4x8xf32, #r__cp_shift1__r__r>>
// CHECK: plan.collective collective_permute ins(%[[K]], %[[V]] : {{.*}}) outs(%[[K1]], %[[V1]] : {{.*}}) over [#plan.axis<"cp", 4>] shift 1 stream 1 records 0
// CHECK: plan.launch "attention" ins(%[[Q]], %[[K]], %[[V]], %[[X]] : {{.*}} {causal = true, dropout_key = 0 : i64, flops = 2.304000e+03 : f64, rate = 0.000000e+00 : f64, scale = 5.000000e-01 : f64}{{$}}
// CHECK-DAG: %[[K2:.*]] = plan.alloc 768 : <tensor<2x12x4x8xf32, #r__cp_shift2__r__r>>
// CHECK-DAG: %[[V2:.*]] = plan.alloc 768 : <tensor<2x12x4x8xf32, #r__cp_shift2__r__r>>
// CHECK: plan.collective collective_permute ins(%[[K1]], %[[V1]] : {{.*}}) outs(%[[K2]], %[[V2]] : {{.*}}) {{.*}}stream 1 records 1
// CHECK: plan.launch "attention" ins(%[[Q]], %[[K1]], %[[V1]], %[[X]] : {{.*}} waits [0] records 2
// CHECK: plan.launch "attention_merge" {{.*}}f64}{{$}}
// CHECK-DAG: %[[K3:.*]] = plan.alias %[[K1]] : {{.*}} as <tensor<2x12x4x8xf32, #r__cp_shift3__r__r>>
// CHECK-DAG: %[[V3:.*]] = plan.alias %[[V1]] : {{.*}} as <tensor<2x12x4x8xf32, #r__cp_shift3__r__r>>
// CHECK: plan.collective collective_permute ins(%[[K2]], %[[V2]] : {{.*}}) outs(%[[K3]], %[[V3]] : {{.*}}) {{.*}}stream 1 waits [2] records 3
// CHECK: plan.launch "attention" ins(%[[Q]], %[[K2]], %[[V2]], %[[X]] : {{.*}} waits [1]{{$}}
// CHECK: plan.launch "attention_merge" {{.*}}f64}{{$}}
// CHECK: plan.launch "attention" ins(%[[Q]], %[[K3]], %[[V3]], %[[X]] : {{.*}} waits [3]{{$}}
// CHECK: plan.launch "attention_merge" {{.*}} outs(%[[O]], %[[L]] : {{.*}}f64}{{$}}
func.func private @forward(%q: tensor<2x12x4x8xf32, #s>, %k: tensor<2x12x4x8xf32, #s>, %v: tensor<2x12x4x8xf32, #s>, %x: tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>) {
  %o, %lse = nn.attention %q, %k, %v, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>}
    : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>)
  return %o, %lse : tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>
}

// Backward: the sums of the gradients leave after the blocks, and are on their way while the next block is worked on. Their two
// buffers take turns too.
// CHECK: plan.block @backward ins(%{{.*}}: {{.*}}, %[[K:.*]]: {{.*}}, %[[V:.*]]: {{.*}}, %{{.*}}: {{.*}}, %{{.*}}: {{.*}}) outs(%[[DQ:[a-z0-9]*]]: {{.*}}, %[[DK:[a-z0-9]*]]: {{.*}}, %[[DV:[a-z0-9]*]]: {{.*}}) {
// CHECK: plan.collective collective_permute ins(%[[K]], %[[V]] : {{.*}} records 0
// CHECK: plan.launch "attention_grad" {{.*}} outs(%{{.*}}, %[[DK0:[0-9]+]], %[[DV0:[0-9]+]] : {{.*}}64}{{$}}
// CHECK: plan.collective collective_permute {{.*}} stream 1 records 1
// CHECK: plan.launch "attention_grad" {{.*}} outs(%{{.*}}, %[[DK1:[0-9]+]], %[[DV1:[0-9]+]] : {{.*}} waits [0] records 2
// CHECK: plan.collective collective_permute {{.*}} stream 1 waits [2]{{$}}
// CHECK: plan.collective collective_permute ins(%[[DK1]], %[[DV1]] : {{.*}}) outs(%[[T2K:[0-9]+]], %[[T2V:[0-9]+]] : {{.*}} stream 1 records 3
// CHECK: plan.launch "attention_grad" {{.*}} waits [1]{{$}}
// CHECK: plan.launch "add" ins(%[[T2K]], {{.*}} waits [3]
// CHECK: %[[T3K:[0-9]+]] = plan.alias %[[DK1]]
// CHECK: %[[T3V:[0-9]+]] = plan.alias %[[DV1]]
// CHECK: plan.collective collective_permute {{.*}} outs(%[[T3K]], %[[T3V]] : {{.*}} waits [4] records 5
// CHECK: plan.launch "attention_grad" {{.*}}64}{{$}}
// CHECK: plan.collective collective_permute {{.*}} waits [6] records 7
// CHECK: plan.launch "add" ins(%[[DK0]], {{.*}} outs(%[[DK]] : {{.*}} waits [7]
// CHECK: plan.launch "add" ins(%[[DV0]], {{.*}} outs(%[[DV]] :
func.func private @backward(%q: tensor<2x12x4x8xf32, #s>, %k: tensor<2x12x4x8xf32, #s>, %v: tensor<2x12x4x8xf32, #s>, %lse: tensor<2x12x4xf32, #rows>, %x: tensor<16xf64, #all>)
    -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>) {
  %dq, %dk, %dv = nn.attention_grad %q, %q, %k, %v, %q, %lse, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>}
    : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #rows>, tensor<16xf64, #all>)
    -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>)
  return %dq, %dk, %dv : tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>
}

// A block that is used once more behind the ring keeps its bytes: the third hop takes others. The fourth takes those of the second, which
// end as the result.
// CHECK: plan.block @kept ins(%[[X:.*]]: {{.*}}) outs(%[[Y:[a-z0-9]*]]: {{.*}}) {
// CHECK: %[[A:[0-9]+]] = plan.alloc 64 : <tensor<8xf32, #cp_shift1_>>
// CHECK: %[[B:[0-9]+]] = plan.alias %[[Y]] : {{.*}} as <tensor<8xf32, #cp_shift2_>>
// CHECK: %[[C:[0-9]+]] = plan.alloc 64 : <tensor<8xf32, #cp_shift3_>>
// CHECK: plan.collective collective_permute ins(%[[B]] : {{.*}}) outs(%[[C]] :
// CHECK: %[[D:[0-9]+]] = plan.alias %[[Y]] : {{.*}} as <tensor<8xf32, #cp_shift1_>>
// CHECK: plan.collective collective_permute ins(%[[C]] : {{.*}}) outs(%[[D]] : {{.*}} shift 2
// CHECK: plan.launch "add" ins(%[[D]], %[[A]] : {{.*}}) outs(%[[Y]] :
func.func private @kept(%x: tensor<8xf32, #dist.sharding<[{"cp"}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+1}]>> {
  %0 = dist.collective_permute %x shift 1 over ["cp"] : (tensor<8xf32, #dist.sharding<[{"cp"}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+1}]>>
  %1 = dist.collective_permute %0 shift 1 over ["cp"] : (tensor<8xf32, #dist.sharding<[{"cp"+1}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+2}]>>
  %2 = dist.collective_permute %1 shift 1 over ["cp"] : (tensor<8xf32, #dist.sharding<[{"cp"+2}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+3}]>>
  %3 = dist.collective_permute %2 shift 2 over ["cp"] : (tensor<8xf32, #dist.sharding<[{"cp"+3}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+1}]>>
  %4 = nn.add %3, %0 : (tensor<8xf32, #dist.sharding<[{"cp"+1}]>>, tensor<8xf32, #dist.sharding<[{"cp"+1}]>>) -> tensor<8xf32, #dist.sharding<[{"cp"+1}]>>
  return %4 : tensor<8xf32, #dist.sharding<[{"cp"+1}]>>
}

func.func @stage0.forward() attributes {dist.program = "forward", dist.stage = 0 : i64} {
  return
}
}
