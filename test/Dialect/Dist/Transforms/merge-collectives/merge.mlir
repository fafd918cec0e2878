// RUN: modelpar-opt %s -dist-merge-collectives | FileCheck %s

module attributes {dist.mesh = #dist.mesh<["tp"=4]>} {
  // Each rank needs its part of the sum only.
  // CHECK-LABEL: func.func @all_reduce_slice
  // CHECK-NEXT: %[[R:.*]] = dist.reduce_scatter %arg0 dim 1 over ["tp"] kind sum
  // CHECK-NEXT: return %[[R]]
  func.func @all_reduce_slice(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>> {
    %0 = dist.all_reduce %x over ["tp"] kind sum : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    %1 = dist.slice %0 dim 1 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return %1 : tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
  }

  // The whole sum is used too: slicing it is free.
  // CHECK-LABEL: func.func @used_whole
  // CHECK: dist.all_reduce
  // CHECK-NEXT: dist.slice
  func.func @used_whole(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> (tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    %0 = dist.all_reduce %x over ["tp"] kind sum : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    %1 = dist.slice %0 dim 1 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return %1, %0 : tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }

  // CHECK-LABEL: func.func @gather_slice
  // CHECK-NEXT: return %arg0
  func.func @gather_slice(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    %0 = dist.slice %x dim 0 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>
    %1 = dist.all_gather %0 dim 0 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %1 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }

  // The first of two equal gathers serves both; one over another dimension does not.
  // CHECK-LABEL: func.func @duplicates
  // CHECK-NEXT: %[[G:.*]] = dist.all_gather %arg0 dim 0
  // CHECK-NEXT: %[[H:.*]] = dist.all_gather %arg1 dim 1
  // CHECK-NEXT: return %[[G]], %[[G]], %[[H]]
  func.func @duplicates(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>, %y: tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>) -> (tensor<8x8xf32, #dist.sharding<[{}, {}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    %0 = dist.all_gather %x dim 0 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    %1 = dist.all_gather %x dim 0 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    %2 = dist.all_gather %y dim 1 over ["tp"] : tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return %0, %1, %2 : tensor<8x8xf32, #dist.sharding<[{}, {}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>
  }
}
