// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -dist-lower-ring

// One ring inside another would be two axes.
#s = #dist.sharding<[{}, {"cp", "tp"}, {}, {}]>
#all = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["cp"=2, "tp"=2]>} {
  func.func private @two_axes(%q: tensor<2x12x4x8xf32, #s>, %x: tensor<16xf64, #all>) {
    // expected-error @+1 {{factor "t" is streamed over 2 axes, expected one}}
    %o, %lse = nn.attention %q, %q, %q, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp", "tp"], t = ["cp", "tp"]}>}
      : (tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #s>, tensor<2x12x4xf32, #dist.sharding<[{}, {"cp", "tp"}, {}]>>)
    return
  }
}

// -----

// Keys alone have no ranks to be passed on to.
#s = #dist.sharding<[{}, {"cp"}, {}, {}]>
#r = #dist.sharding<[{}, {}, {}, {}]>
#all = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func private @keys_alone(%q: tensor<2x12x4x8xf32, #r>, %k: tensor<2x12x4x8xf32, #s>, %x: tensor<16xf64, #all>) {
    // expected-error @+1 {{placement does not fit: factor "t" can only be split over axes of factor "s", along which it is streamed, found "cp"}}
    %o, %lse = nn.attention %q, %k, %k, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{t = ["cp"]}>}
      : (tensor<2x12x4x8xf32, #r>, tensor<2x12x4x8xf32, #s>, tensor<2x12x4x8xf32, #s>, tensor<16xf64, #all>) -> (tensor<2x12x4x8xf32, #r>, tensor<2x12x4xf32, #dist.sharding<[{}, {}, {}]>>)
    return
  }
}

// -----

// Sums that travel are f32, and nothing brings them back to a smaller type yet.
#s = #dist.sharding<[{}, {"cp"}, {}, {}]>
#all = #dist.sharding<[{}]>
module attributes {dist.mesh = #dist.mesh<["cp"=2]>} {
  func.func private @small_type(%q: tensor<2x12x4x8xbf16, #s>, %lse: tensor<2x12x4xf32, #dist.sharding<[{}, {"cp"}, {}]>>, %x: tensor<16xf64, #all>) {
    // expected-error @+1 {{the sum of the 'bf16' result 1 over a ring is 'f32', and its conversion back is not supported yet}}
    %dq, %dk, %dv = nn.attention_grad %q, %q, %q, %q, %q, %lse, %x {causal = true, scale = 0.5, rate = 0.0, dropout_key = 0, dist.placement = #dist.placement<{s = ["cp"], t = ["cp"]}>}
      : (tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>, tensor<2x12x4xf32, #dist.sharding<[{}, {"cp"}, {}]>>, tensor<16xf64, #all>)
      -> (tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>, tensor<2x12x4x8xbf16, #s>)
    return
  }
}
