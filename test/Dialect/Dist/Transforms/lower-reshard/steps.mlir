// Each reshard becomes a shortest path.
// RUN: modelpar-opt %s -dist-lower-reshard | FileCheck %s

module attributes {dist.mesh = #dist.mesh<["dp"=2, "tp"=4]>} {
  // CHECK-LABEL: func.func @nothing

  // CHECK-NEXT: return
  func.func @nothing(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }
  // CHECK-LABEL: func.func @slice
  // CHECK-NEXT: dist.slice %arg0 dim 0 over ["tp"]
  // CHECK-NEXT: return
  func.func @slice(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>
  }
  // CHECK-LABEL: func.func @slice_two
  // CHECK-NEXT: dist.slice %arg0 dim 0 over ["dp", "tp"]
  // CHECK-NEXT: return
  func.func @slice_two(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{"dp", "tp"}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{"dp", "tp"}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{"dp", "tp"}, {}]>>
  }
  // CHECK-LABEL: func.func @gather
  // CHECK-NEXT: dist.all_gather %arg0 dim 0 over ["dp", "tp"]
  // CHECK-NEXT: return
  func.func @gather(%x: tensor<8x8xf32, #dist.sharding<[{"dp", "tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{"dp", "tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }
  // CHECK-LABEL: func.func @reduce
  // CHECK-NEXT: dist.all_reduce %arg0 over ["tp"] kind sum
  // CHECK-NEXT: return
  func.func @reduce(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }
  // CHECK-LABEL: func.func @reduce_two
  // CHECK-NEXT: dist.all_reduce %arg0 over ["dp", "tp"] kind sum
  // CHECK-NEXT: return
  func.func @reduce_two(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"dp":sum, "tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"dp":sum, "tp":sum}>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }
  // CHECK-LABEL: func.func @scatter
  // CHECK-NEXT: dist.reduce_scatter %arg0 dim 1 over ["tp"] kind sum
  // CHECK-NEXT: return
  func.func @scatter(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
  }
  // CHECK-LABEL: func.func @move
  // CHECK-NEXT: dist.all_to_all %arg0 from 0 to 1 over ["tp"]
  // CHECK-NEXT: return
  func.func @move(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
  }
  // CHECK-LABEL: func.func @gather_minor_part
  // CHECK-NEXT: dist.all_gather %arg0 dim 0 over ["tp":(2)2]
  // CHECK-NEXT: return
  func.func @gather_minor_part(%x: tensor<8x8xf32, #dist.sharding<[{"tp":(1)2, "tp":(2)2}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{"tp":(1)2}, {}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{"tp":(1)2, "tp":(2)2}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{"tp":(1)2}, {}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{"tp":(1)2}, {}]>>
  }
  // CHECK-LABEL: func.func @scatter_both_parts
  // CHECK-NEXT: dist.reduce_scatter %arg0 dim 1 over ["tp":(1)2, "tp":(2)2] kind sum
  // CHECK-NEXT: return
  func.func @scatter_both_parts(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":(1)2:sum, "tp":(2)2:sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp":(1)2, "tp":(2)2}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":(1)2:sum, "tp":(2)2:sum}>> -> tensor<8x8xf32, #dist.sharding<[{}, {"tp":(1)2, "tp":(2)2}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{}, {"tp":(1)2, "tp":(2)2}]>>
  }
  // The minor part leaves the heads for the sequence: one all_to_all over half the ranks.
  // CHECK-LABEL: func.func @move_minor_part
  // CHECK-NEXT: dist.all_to_all %arg0 from 1 to 0 over ["tp":(2)2]
  // CHECK-NEXT: return
  func.func @move_minor_part(%x: tensor<8x8xf32, #dist.sharding<[{}, {"tp":(1)2, "tp":(2)2}]>>) -> tensor<8x8xf32, #dist.sharding<[{"tp":(2)2}, {"tp":(1)2}]>> {
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{}, {"tp":(1)2, "tp":(2)2}]>> -> tensor<8x8xf32, #dist.sharding<[{"tp":(2)2}, {"tp":(1)2}]>>
    return %0 : tensor<8x8xf32, #dist.sharding<[{"tp":(2)2}, {"tp":(1)2}]>>
  }
}
