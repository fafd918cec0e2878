// What a pipeline adds, as it is printed and read.
// RUN: modelpar-opt %s | FileCheck %s
// RUN: modelpar-opt %s --mlir-print-op-generic | modelpar-opt - | FileCheck %s

module attributes {dist.mesh = #dist.mesh<["mb"=2, "pp"=4]>} {
  // CHECK-LABEL: func.func @parts
  func.func @parts(%a: tensor<8xf32, #dist.sharding<[{}]>>, %b: tensor<8xf32, #dist.sharding<[{}]>>) {
    // CHECK: %[[P:.*]] = dist.stage_parts %{{.*}}, %{{.*}} stages [0, 3] : (tensor<8xf32, #r>, tensor<8xf32, #r>) -> tensor<8xf32, #r__sum_pp_at0_last>
    %0 = dist.stage_parts %a, %b stages [0, 3] : (tensor<8xf32, #dist.sharding<[{}]>>, tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp"{0,-1}:sum}>>
    // CHECK: dist.all_reduce %[[P]] over ["pp"{0,-1}] kind sum : (tensor<8xf32, #r__sum_pp_at0_last>) -> tensor<8xf32, #r>
    %1 = dist.all_reduce %0 over ["pp"{0,-1}] kind sum : (tensor<8xf32, #dist.sharding<[{}], partial={"pp"{0,-1}:sum}>>) -> tensor<8xf32, #dist.sharding<[{}]>>
    // Of one stage, and of a stage that adds nothing.
    // CHECK: dist.stage_parts %{{.*}} stages [2] : (tensor<8xf32, #r>) -> tensor<8xf32, #r__sum_pp>
    %2 = dist.stage_parts %a stages [2] : (tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    // CHECK: dist.stage_parts stages [] : () -> tensor<8xf32, #r__sum_pp>
    %3 = dist.stage_parts stages [] : () -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    return
  }

  // CHECK-LABEL: func.func @transfers
  func.func @transfers(%x: tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>) {
    // CHECK: %[[R:.*]]:2 = dist.recv from 0 ["act.0", "act.1"] : tensor<8x4xf32, #mb__r>, tensor<8xf32, #mb>
    %0:2 = dist.recv from 0 ["act.0", "act.1"] : tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>, tensor<8xf32, #dist.sharding<[{"mb"}]>>
    // CHECK: dist.send %[[R]]#1, %{{.*}} to 2 ["act.1", "act.2"] : tensor<8xf32, #mb>, tensor<8x4xf32, #mb__r>
    dist.send %0#1, %x to 2 ["act.1", "act.2"] : tensor<8xf32, #dist.sharding<[{"mb"}]>>, tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>
    return
  }
}
