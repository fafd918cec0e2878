// What the type checker rejects, by the labels of its description.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-partitioned

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p1_no_sharding(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{has a tensor without sharding}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // expected-error @+1 {{unknown axis "pp"}}
  func.func @p1_axis(%x: tensor<8xf32, #dist.sharding<[{"pp"}]>>) {
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_operand(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{operand 0 is [{"tp"}, {}], its rule and placement need [{}, {}]}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_result(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{result 0 is [{}, {"tp"}], its rule and placement give [{"tp"}, {}]}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{d0 = ["tp"]}>} : (tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // The partial sum is called whole: a reduction is missing.
  func.func @p2_missing(%x: tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>, %w: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{result 0 is [{}, {}], its rule and placement give [{}, {}], partial={"tp":sum}}}
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{b = ["tp"]}>} : (tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>, tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_not_linear(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{operand 0 is partial={"tp":sum}, but the op is not linear in it}}
    %0 = nn.activation %x {kind = #nn.activation<relu>, dist.placement = #dist.placement<{}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // A bias would be added once per rank.
  func.func @p2_bias(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, %b: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{operands 0 and 1 are added but not partial over the same axes}}
    %0 = nn.add %x, %b {dist.placement = #dist.placement<{}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_product(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{the op is not linear in both together}}
    %0 = nn.mul %x, %x {dist.placement = #dist.placement<{}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_axis_in_use(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, %w: tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>) {
    // expected-error @+1 {{operand 0 is partial={"tp":sum}, but that axis is on factor "c"}}
    %0 = nn.matmul %x, %w {subscripts = "ab,bc->ac", dist.placement = #dist.placement<{c = ["tp"]}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>, tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p2_no_placement(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{has no dist.placement}}
    %0 = nn.activation %x {kind = #nn.activation<relu>} : (tensor<8x8xf32, #dist.sharding<[{}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // Elements of the whole operand would count once per rank.
  func.func @p2_sum(%x: tensor<8x8xf32, #dist.sharding<[{}, {}]>>, %y: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{operands 0 and 1 of a sum over operands are sharded over different axes}}
    %0 = nn.sum_squares %x, %y {dist.placement = #dist.placement<{x1_d0 = ["tp"]}>} : (tensor<8x8xf32, #dist.sharding<[{}, {}]>>, tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<f32, #dist.sharding<[], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p3_reshard(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) {
    // expected-error @+1 {{must be gone in phase partitioned}}
    %0 = dist.reshard %x : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p3_assume(%x: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{must be gone in phase partitioned}}
    %0 = dist.assume %x : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>> -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  nn.parameter @w : tensor<8x8xf32> init <zeros> checkpoint "w" [8, 8] {dist.storage = #dist.sharding<[{"tp"}, {}]>}
  func.func @p5_storage() {
    // expected-error @+1 {{value is [{}, {}], parameter @w is stored as [{"tp"}, {}]}}
    %w = nn.read_parameter @w : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  nn.parameter @w : tensor<8x8xf32> init <zeros> checkpoint "w" [8, 8] {dist.storage = #dist.sharding<[{}, {}]>}
  func.func @p5_gradient(%g: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>) {
    // expected-error @+1 {{value is [{}, {}], partial={"tp":sum}, parameter @w is stored as [{}, {}]}}
    nn.gradient @w, %g : tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"tp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  nn.parameter @w : tensor<8x8xf32> init <zeros> checkpoint "w" [8, 8]
  func.func @p5_no_storage(%v: tensor<8x8xf32, #dist.sharding<[{}, {}]>>) {
    // expected-error @+1 {{parameter @w has no dist.storage}}
    nn.write_parameter @w, %v : tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // expected-error @+1 {{result 0 of the step is [], partial={"tp":sum}, expected it whole on every rank}}
  func.func @step(%x: tensor<f32, #dist.sharding<[], partial={"tp":sum}>>) -> tensor<f32, #dist.sharding<[], partial={"tp":sum}>> {
    return %x : tensor<f32, #dist.sharding<[], partial={"tp":sum}>>
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  // expected-error @+1 {{result 0 of the step is [{"tp"}, {}], expected it whole on every rank}}
  func.func @step(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>> {
    return %x : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["mb"=2, "dp"=2, "tp"=2]>} {
  func.func @p7_twice(%g: tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) {
    // expected-error @+1 {{adds one value twice}}
    %0 = dist.accumulate %g, %g over "mb" : (tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>, tensor<8x8xf32, #dist.sharding<[{}, {}], partial={"mb":sum}>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}

// -----

// expected-error @+1 {{needs attribute dist.mesh}}
module {}

// -----

// Two orders of one sequence: element i of one is not element i of the other.
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @p2_orders(%x: tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>, %y: tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) {
    // expected-error @+1 {{operand 1 is [{"cp"}, {}], its rule and placement need [{"cp"*}, {}]}}
    %0 = nn.add %x, %y {dist.placement = #dist.placement<{d0 = ["cp"*]}>} : (tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>, tensor<8x4xf32, #dist.sharding<[{"cp"}, {}]>>) -> tensor<8x4xf32, #dist.sharding<[{"cp"*}, {}]>>
    return
  }
}

// -----

// The positions of a sequence are in its order.
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @p2_positions(%x: tensor<2x8x4xf32, #dist.sharding<[{}, {"cp"*}, {}]>>, %p: tensor<8xi32, #dist.sharding<[{"cp"}]>>) {
    // expected-error @+1 {{operand 1 is [{"cp"}], its rule and placement need [{"cp"*}]}}
    %0 = nn.rotary %x, %p {theta = 1.0e4, inverse = false, dist.placement = #dist.placement<{d1 = ["cp"*]}>} : (tensor<2x8x4xf32, #dist.sharding<[{}, {"cp"*}, {}]>>, tensor<8xi32, #dist.sharding<[{"cp"}]>>) -> tensor<2x8x4xf32, #dist.sharding<[{}, {"cp"*}, {}]>>
    return
  }
}

// -----

// Keys may have an order of their own, and values have theirs.
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func @p2_values(%q: tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"*}, {}, {}]>>, %k: tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"}, {}, {}]>>, %v: tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"*}, {}, {}]>>, %s: tensor<16xf64, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{operand 2 is [{}, {"cp"*}, {}, {}], its rule and placement need [{}, {"cp"}, {}, {}]}}
    %o, %lse = nn.attention %q, %k, %v, %s {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"*], t = ["cp"]}>}
      : (tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"*}, {}, {}]>>, tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"}, {}, {}]>>, tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"*}, {}, {}]>>, tensor<16xf64, #dist.sharding<[{}]>>)
     -> (tensor<2x8x1x4xf32, #dist.sharding<[{}, {"cp"*}, {}, {}]>>, tensor<2x8x1xf32, #dist.sharding<[{}, {"cp"*}, {}]>>)
    return
  }
}

// -----

// What crosses functions is in one order on both sides.
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func private @f(%x: tensor<8xf32, #dist.sharding<[{"cp"*}]>>) {
    return
  }
  func.func @p4_orders(%x: tensor<8xf32, #dist.sharding<[{"cp"}]>>) {
    // expected-error @+1 {{operand type mismatch: expected operand type 'tensor<8xf32, #dist.sharding<[{"cp"*}]>>', but provided 'tensor<8xf32, #dist.sharding<[{"cp"}]>>' for operand number 0}}
    func.call @f(%x) : (tensor<8xf32, #dist.sharding<[{"cp"}]>>) -> ()
    return
  }
}

// -----

#r = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  nn.parameter @a : tensor<4xf32> init <zeros> checkpoint "a" [4] {dist.storage = #r}
  nn.parameter @b : tensor<4xf32> init <zeros> checkpoint "b" [4] {dist.storage = #r}
  func.func @step() {
    // expected-error @+1 {{reads exp_avg of @a, which is never written here}}
    %m = nn.read_parameter @a {slot = #nn.slot<exp_avg>} : tensor<4xf32, #r>
    nn.write_parameter @b, %m {slot = #nn.slot<exp_avg>} : tensor<4xf32, #r>
    return
  }
}
