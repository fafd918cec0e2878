// Each constraint of each op, and malformed attributes.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c1_shape(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{expected operand and result of one global shape and element type}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<4x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c1_element(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{expected operand and result of one global shape and element type}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf64, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c1_no_sharding(%x: tensor<8x4xf32>) {
    // expected-error @+1 {{expected types with a sharding, found 'tensor<8x4xf32>'}}
    %0 = dist.reshard %x : tensor<8x4xf32> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c1_unknown_axis(%x: tensor<8x4xf32, #dist.sharding<[{"pp"}, {}]>>) {
    // expected-error @+1 {{unknown axis "pp"}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"pp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c1_no_part(%x: tensor<8x4xf32, #dist.sharding<[{"tp":(1)3}, {}]>>) {
    // expected-error @+1 {{axis "tp":(1)3 is no part of axis "tp" of size 4}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp":(1)3}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c2_time(%x: tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>) {
    // expected-error @+1 {{the axis of time is only sliced or accumulated over}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reshard_c2_partial(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{partial values do not come back}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module {
  func.func @no_mesh(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{needs attribute dist.mesh on the module}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c2(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{expected as many results as operands, and at least one, found 2 operands and 1 results}}
    %0 = dist.all_reduce %x, %x over ["tp"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// A doubled reduction.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c3_whole(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{no partial sum over {"tp"} in [{}, {}]}}
    %0 = dist.all_reduce %x over ["tp"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c3_kind(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{no partial max over {"tp"}}}
    %0 = dist.all_reduce %x over ["tp"] kind max : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// A misplaced reduction.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c3_axis(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{no partial sum over {"dp"}}}
    %0 = dist.all_reduce %x over ["dp"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c3_result(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{expected a result with sharding [{}, {}], found [{"tp"}, {}]}}
    %0 = dist.all_reduce %x over ["tp"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c4_time(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) {
    // expected-error @+1 {{no collective goes over the axis of time}}
    %0 = dist.all_reduce %x over ["mb"] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_reduce_c4_empty(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{no axes}}
    %0 = dist.all_reduce %x over [] kind sum : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_gather_c2_not_there(%x: tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>) {
    // expected-error @+1 {{dim 0 does not end in {"tp"}}}
    %0 = dist.all_gather %x dim 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// Only minor axes can be gathered.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_gather_c2_major(%x: tensor<8x4xf32, #dist.sharding<[{"dp", "tp"}, {}]>>) {
    // expected-error @+1 {{dim 0 does not end in {"dp"}}}
    %0 = dist.all_gather %x dim 0 over ["dp"] : tensor<8x4xf32, #dist.sharding<[{"dp", "tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_gather_c2_dim(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{no dimension 2}}
    %0 = dist.all_gather %x dim 2 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_gather_c3_time(%x: tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>) {
    // expected-error @+1 {{no collective goes over the axis of time}}
    %0 = dist.all_gather %x dim 0 over ["mb"] : tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reduce_scatter_c2_whole(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{no partial sum over {"tp"}}}
    %0 = dist.reduce_scatter %x dim 0 over ["tp"] kind sum : tensor<8x4xf32, #dist.sharding<[{}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reduce_scatter_c2_dim(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{expected a result with sharding [{"tp"}, {}], found [{}, {"tp"}]}}
    %0 = dist.reduce_scatter %x dim 0 over ["tp"] kind sum : tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @reduce_scatter_c3_time(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) {
    // expected-error @+1 {{no collective goes over the axis of time}}
    %0 = dist.reduce_scatter %x dim 0 over ["mb"] kind sum : tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>> -> tensor<8x4xf32, #dist.sharding<[{"mb"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_to_all_c2_source(%x: tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>) {
    // expected-error @+1 {{dim 0 does not end in {"tp"}}}
    %0 = dist.all_to_all %x from 0 to 1 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_to_all_c2_target(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{expected a result with sharding [{}, {"tp"}], found [{}, {}]}}
    %0 = dist.all_to_all %x from 0 to 1 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @all_to_all_c3_same(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{no source dimension 0}}
    %0 = dist.all_to_all %x from 0 to 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @slice_c2_sharded(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{axis "tp" is not replicated}}
    %0 = dist.slice %x dim 1 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// A slice of partial values would be a part of a part.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @slice_c2_partial(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{axis "tp" is not replicated}}
    %0 = dist.slice %x dim 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @slice_c2_result(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{expected a result with sharding [{"tp"}, {}], found [{}, {"tp"}]}}
    %0 = dist.slice %x dim 0 over ["tp"] : tensor<8x4xf32, #dist.sharding<[{}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {"tp"}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @accumulate_c1_element(%x: tensor<8x4xbf16, #dist.sharding<[{}, {}], partial={"mb":sum}>>) {
    // expected-error @+1 {{expected a result with elements of type 'f32', found 'bf16'}}
    %0 = dist.accumulate %x over "mb" : (tensor<8x4xbf16, #dist.sharding<[{}, {}], partial={"mb":sum}>>) -> tensor<8x4xbf16, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @accumulate_c2_whole(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{expected operands that are partial(sum) over "mb"}}
    %0 = dist.accumulate %x over "mb" : (tensor<8x4xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @accumulate_c2_other(%x: tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) {
    // expected-error @+1 {{expected a result with sharding [{}, {}], found [{"tp"}, {}]}}
    %0 = dist.accumulate %x over "mb" : (tensor<8x4xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) -> tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=4]>} {
  func.func @assume_c2(%x: tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{expected shards of one shape and element type}}
    %0 = dist.assume %x : tensor<8x4xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// expected-error @+1 {{mesh axis "dp" occurs twice}}
module attributes {dist.mesh = #dist.mesh<["dp"=2, "dp"=2]>} {}

// -----

// expected-error @+1 {{mesh axis "dp" of size 0, expected at least 1}}
module attributes {dist.mesh = #dist.mesh<["dp"=0]>} {}

// -----

// expected-error @+1 {{sharding of 1 dimensions on a tensor of 2}}
func.func private @encoding_rank(tensor<8x4xf32, #dist.sharding<[{}]>>)

// -----

// expected-error @+1 {{axis "tp" occurs twice in the sharding}}
func.func private @encoding_twice(tensor<8x4xf32, #dist.sharding<[{"tp"}, {"tp"}]>>)

// -----

// expected-error @+1 {{axis "tp" occurs twice in the sharding}}
func.func private @encoding_partial(tensor<8xf32, #dist.sharding<[{"tp"}], partial={"tp":sum}>>)

// -----

// expected-error @+1 {{unknown kind of partial value 'mean', expected sum, max or lse}}
func.func private @kind(tensor<8xf32, #dist.sharding<[{}], partial={"tp":mean}>>)

// -----

// expected-error @+1 {{sub-axis needs positive sizes}}
func.func private @sub_axis(tensor<8xf32, #dist.sharding<[{"tp":(0)2}]>>)

// -----

// expected-error @+1 {{factor 'b' occurs twice}}
func.func private @placement() attributes {p = #dist.placement<{b = ["dp"], b = ["tp"]}>}

// -----

// expected-error @+1 {{expected ascending coordinates, -1 for the last, found 0}}
module attributes {a = #dist.sharding<[{}], partial={"pp"{2, 0}:sum}>} {}

// -----

// expected-error @+1 {{expected ascending coordinates, -1 for the last, found -1}}
module attributes {a = #dist.sharding<[{}], partial={"pp"{-1, 2}:sum}>} {}

// -----

// expected-error @+1 {{expected a shift of at least 0}}
module attributes {a = #dist.axes<["cp"+-1]>} {}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=2, "tp"=4]>} {
  func.func @reshard_c1_dimension_subset(%x: tensor<8x4xf32, #dist.sharding<[{"tp"{0, 1}}, {}]>>) {
    // expected-error @+1 {{a dimension is split over a subset of an axis, "tp"{0,1}}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp"{0, 1}}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=2, "tp"=4]>} {
  func.func @reshard_c1_shift_too_large(%x: tensor<8x4xf32, #dist.sharding<[{"tp"+4}, {}]>>) {
    // expected-error @+1 {{axis "tp"+4 is no part of axis "tp" of size 4}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp"+4}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c1(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected operand and result of one global shape and element type}}
    %0 = dist.collective_permute %x shift 1 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf64, #dist.sharding<[{"cp"+1}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c2(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected as many results as operands, and at least one, found 1 operands and 2 results}}
    %0:2 = dist.collective_permute %x shift 1 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> (tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>, tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>)
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c3_two(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected one axis of ranks, or a part of one}}
    %0 = dist.collective_permute %x shift 1 over ["cp", "tp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c3_time(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected one axis of ranks, or a part of one}}
    %0 = dist.collective_permute %x shift 1 over ["mb"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c4_zero(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected a shift from 1 to 3, found 0}}
    %0 = dist.collective_permute %x shift 0 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c4_round(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected a shift from 1 to 3, found 4}}
    %0 = dist.collective_permute %x shift 4 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c5_whole(%x: tensor<8x4xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{no dimension is split over "cp" in [{}, {}]}}
    %0 = dist.collective_permute %x shift 1 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @collective_permute_c5_result(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{expected a result with sharding [{"cp"+1}, {}], found [{"cp"+2}, {}]}}
    %0 = dist.collective_permute %x shift 1 over ["cp"] : (tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"+2}, {}]>>
    return
  }
}

// -----

// A part on its way round a ring is only permuted.
module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @reshard_c2_ring(%x: tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>) {
    // expected-error @+1 {{over "cp"+1 parts are on their way round a ring, which only permutes them}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "cp"=4, "tp"=2]>} {
  func.func @all_gather_c2_ring(%x: tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>>) {
    // expected-error @+1 {{dim 0 does not end in {"cp"}}}
    %0 = dist.all_gather %x dim 0 over ["cp"] : tensor<8x4xf32, #dist.sharding<[{"cp"+1}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// A sequence that has no balanced split.
module attributes {dist.mesh = #dist.mesh<["cp"=2, "tp"=2]>} {
  func.func @balanced_size(%x: tensor<6x4xf32, #dist.sharding<[{"cp"*}, {"tp"}]>>) {
    // expected-error @+1 {{a sequence of 6 has no balanced split over "cp"*, expected a multiple of 4}}
    %0 = dist.all_gather %x dim 1 over ["tp"] : tensor<6x4xf32, #dist.sharding<[{"cp"*}, {"tp"}]>> -> tensor<6x4xf32, #dist.sharding<[{"cp"*}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2, "tp"=2]>} {
  func.func @balanced_minor(%x: tensor<8x4xf32, #dist.sharding<[{"tp", "cp"*}, {}]>>) {
    // expected-error @+1 {{a sequence of 8 is balanced over "cp"*, which only a major axis can be}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"tp", "cp"*}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// Gathered, a sequence would be whole in an order that no type says.
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @balanced_gather(%x: tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>) {
    // expected-error @+1 {{a sequence that is dealt out over "cp"* stays so}}
    %0 = dist.all_gather %x dim 0 over ["cp"*] : tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @balanced_reshard(%x: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{dimension 0 is in its natural order and dealt out over "cp"*}}
    %0 = dist.reshard %x : tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>> -> tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @collective_permute_c3_balanced(%x: tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>) {
    // expected-error @+1 {{expected one axis of ranks, or a part of one}}
    %0 = dist.collective_permute %x shift 1 over ["cp"*] : (tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"*+1}, {}]>>
    return
  }
}

// -----

// expected-error @+1 {{mesh axis "tp" of size 65536, expected at most 65536 micro-batches and 2147483648 ranks in all}}
module attributes {dist.mesh = #dist.mesh<["dp"=65536, "tp"=65536]>} {}

// -----

// expected-error @+1 {{mesh axis "mb" of size 65537, expected at most 65536 micro-batches and 2147483648 ranks in all}}
module attributes {dist.mesh = #dist.mesh<["mb"=65537]>} {}
