// Every op and attribute is printed in the form it is read in, and once more the same.
// RUN: modelpar-opt %s | FileCheck %s
// RUN: modelpar-opt %s | modelpar-opt - | FileCheck %s
// RUN: modelpar-opt %s --mlir-print-op-generic | modelpar-opt - | FileCheck %s

// Shardings have names that say what they are.
// CHECK-DAG: #dp_mb__r = #dist.sharding<[{"dp", "mb"}, {}]>
// CHECK-DAG: #r__r__sum_tp = #dist.sharding<[{}, {}], partial={"tp":sum}>
// CHECK-DAG: #tp_1of2__tp_2of2_ = #dist.sharding<[{"tp":(1)2}, {"tp":(2)2}]>
// CHECK-DAG: #scalar = #dist.sharding<[]>
// CHECK-DAG: #sum_mb__sum_dp = #dist.sharding<[], partial={"mb":sum, "dp":sum}>
// CHECK-DAG: #r__lse_tp_1of2_ = #dist.sharding<[{}], partial={"tp":(1)2:lse}>

// CHECK-DAG: #tp_shift1__r = #dist.sharding<[{"tp"+1}, {}]>
// CHECK-DAG: #r__r__sum_tp_at0_last = #dist.sharding<[{}, {}], partial={"tp"{0,-1}:sum}>

// CHECK: dist.batch_axes = #dist.axes<["dp", "mb"]>, dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>
module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>, dist.batch_axes = #dist.axes<["dp", "mb"]>} {
  // CHECK-LABEL: func.func private @placement
  // CHECK-SAME: #dist.placement<{"0x" = [], b = ["dp", "mb"], f = ["tp":(2)2]}>
  func.func private @placement() attributes {p = #dist.placement<{f = ["tp":(2)2], b = ["dp", "mb"], "0x" = []}>}

  // CHECK-LABEL: func.func @collectives
  func.func @collectives(%p: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>,
                         %w: tensor<8x4xf32, #dist.sharding<[{}, {}]>>)
      -> tensor<8x4xf32, #dist.sharding<[{"dp", "mb"}, {}]>> {
    // CHECK: dist.reshard %{{.*}} : tensor<8x4xf32, #r__r__sum_tp> -> tensor<8x4xf32, #r__r>
    %0 = dist.reshard %p : tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    // CHECK: dist.all_reduce %{{.*}}, %{{.*}} over ["tp"] kind sum : (tensor<8x4xf32, #r__r__sum_tp>, tensor<8x4xf32, #r__r__sum_tp>) -> (tensor<8x4xf32, #r__r>, tensor<8x4xf32, #r__r>)
    %1:2 = dist.all_reduce %p, %p over ["tp"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> (tensor<8x4xf32, #dist.sharding<[{}, {}]>>, tensor<8x4xf32, #dist.sharding<[{}, {}]>>)
    // CHECK: dist.reduce_scatter %{{.*}} dim 1 over ["tp"] kind sum : tensor<8x4xf32, #r__r__sum_tp> -> tensor<8x4xf32, #r__tp>
    %2 = dist.reduce_scatter %p dim 1 over ["tp"] kind sum : tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>
    // CHECK: dist.all_to_all %{{.*}} from 1 to 0 over ["tp"] : tensor<8x4xf32, #r__tp> -> tensor<8x4xf32, #tp__r>
    %3 = dist.all_to_all %2 from 1 to 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    // CHECK: dist.all_gather %{{.*}} dim 0 over ["tp"] : tensor<8x4xf32, #tp__r> -> tensor<8x4xf32, #r__r>
    %4 = dist.all_gather %3 dim 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    // CHECK: dist.slice %{{.*}} dim 0 over ["dp", "mb"] : tensor<8x4xf32, #r__r> -> tensor<8x4xf32, #dp_mb__r>
    %5 = dist.slice %4 dim 0 over ["dp", "mb"] : tensor<8x4xf32, #dist.sharding<[{}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"dp", "mb"}, {}]>>
    return %5 : tensor<8x4xf32, #dist.sharding<[{"dp", "mb"}, {}]>>
  }

  // CHECK-LABEL: func.func @shift_and_subset
  func.func @shift_and_subset(%x: tensor<8x4xf32, #dist.sharding<[{"tp"+1}, {}]>>,
                              %y: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp"{0, -1}:sum}>>) {
    return
  }

  // CHECK-LABEL: func.func @ring
  func.func @ring(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>, %y: tensor<8xf32, #dist.sharding<[{"tp"+3}], partial={"dp":sum}>>)
      -> tensor<8xf32, #dist.sharding<[{"tp"}], partial={"dp":sum}>> {
    // CHECK: dist.collective_permute %{{.*}}, %{{.*}} shift 1 over ["tp"] : (tensor<8x4xf32, #tp__r>, tensor<8xf32, #tp_shift3__sum_dp>) -> (tensor<8x4xf32, #tp_shift1__r>, tensor<8xf32, #tp__sum_dp>)
    %0, %1 = dist.collective_permute %x, %y shift 1 over ["tp"] : (tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>, tensor<8xf32, #dist.sharding<[{"tp"+3}], partial={"dp":sum}>>)
      -> (tensor<8x4xf32, #dist.sharding<[{"tp"+1}, {}]>>, tensor<8xf32, #dist.sharding<[{"tp"}], partial={"dp":sum}>>)
    // CHECK: dist.collective_permute %{{.*}} shift 3 over ["tp"] : (tensor<8x4xf32, #tp_shift1__r>) -> tensor<8x4xf32, #tp__r>
    %2 = dist.collective_permute %0 shift 3 over ["tp"] : (tensor<8x4xf32, #dist.sharding<[{"tp"+1}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return %1 : tensor<8xf32, #dist.sharding<[{"tp"}], partial={"dp":sum}>>
  }

  // A sequence that is dealt out over its major axis: minor axes come and go, a ring passes it on.
  // CHECK-LABEL: func.func @balanced
  func.func @balanced(%x: tensor<8x4xf32, #dist.sharding<[{"tp":(1)2*, "tp":(2)2}, {}]>>) {
    // CHECK: dist.all_gather %{{.*}} dim 0 over ["tp":(2)2] : tensor<8x4xf32, #tp_1of2_balanced_tp_2of2__r> -> tensor<8x4xf32, #tp_1of2_balanced__r>
    %0 = dist.all_gather %x dim 0 over ["tp":(2)2] : tensor<8x4xf32, #dist.sharding<[{"tp":(1)2*, "tp":(2)2}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp":(1)2*}, {}]>>
    // CHECK: dist.collective_permute %{{.*}} shift 1 over ["tp":(1)2] : (tensor<8x4xf32, #tp_1of2_balanced__r>) -> tensor<8x4xf32, #tp_1of2_balanced_shift1__r>
    %1 = dist.collective_permute %0 shift 1 over ["tp":(1)2] : (tensor<8x4xf32, #dist.sharding<[{"tp":(1)2*}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"tp":(1)2*+1}, {}]>>
    return
  }

  // CHECK-LABEL: func.func @sub_axes
  func.func @sub_axes(%x: tensor<8x4xf32, #dist.sharding<[{"tp":(1)2}, {"tp":(2)2}]>>, %l: tensor<8xf32, #dist.sharding<[{}], partial={"tp":(1)2:lse}>>) {
    // CHECK: dist.all_gather %{{.*}} dim 1 over ["tp":(2)2]
    %0 = dist.all_gather %x dim 1 over ["tp":(2)2] : tensor<8x4xf32, #dist.sharding<[{"tp":(1)2}, {"tp":(2)2}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp":(1)2}, {}]>>
    // CHECK: dist.all_reduce %{{.*}} over ["tp":(1)2] kind lse
    %1 = dist.all_reduce %l over ["tp":(1)2] kind lse : (tensor<8xf32, #dist.sharding<[{}], partial={"tp":(1)2:lse}>>) -> tensor<8xf32, #dist.sharding<[{}]>>
    return
  }

  // CHECK-LABEL: func.func @time
  func.func @time(%loss: tensor<f32, #dist.sharding<[], partial={"mb":sum, "dp":sum}>>,
                  %g: tensor<4xbf16, #dist.sharding<[{"tp"}], partial={"mb":sum}>>) {
    // CHECK: dist.accumulate %{{.*}} over "mb" : (tensor<f32, #sum_mb__sum_dp>) -> tensor<f32, #sum_dp>
    %0 = dist.accumulate %loss over "mb" : (tensor<f32, #dist.sharding<[], partial={"mb":sum, "dp":sum}>>) -> tensor<f32, #dist.sharding<[], partial={"dp":sum}>>
    // Smaller types are summed in f32.
    // CHECK: dist.accumulate %{{.*}}, %{{.*}} over "mb" : (tensor<4xbf16, #tp__sum_mb>, tensor<4xbf16, #tp__sum_mb>) -> tensor<4xf32, #tp>
    %1 = dist.accumulate %g, %g over "mb" : (tensor<4xbf16, #dist.sharding<[{"tp"}], partial={"mb":sum}>>, tensor<4xbf16, #dist.sharding<[{"tp"}], partial={"mb":sum}>>) -> tensor<4xf32, #dist.sharding<[{"tp"}]>>
    // CHECK: dist.all_reduce %{{.*}} over ["dp"] kind sum : (tensor<f32, #sum_dp>) -> tensor<f32, #scalar>
    %2 = dist.all_reduce %0 over ["dp"] kind sum : (tensor<f32, #dist.sharding<[], partial={"dp":sum}>>) -> tensor<f32, #dist.sharding<[]>>
    // CHECK: dist.assume %{{.*}} : tensor<4xf32, #tp> -> tensor<1xf32, #r__sum_dp>
    %3 = dist.assume %1 : tensor<4xf32, #dist.sharding<[{"tp"}]>> -> tensor<1xf32, #dist.sharding<[{}], partial={"dp":sum}>>
    return
  }
}
