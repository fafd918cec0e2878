// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -dist-lower-reshard

// Where the ends use different parts of an axis, a step would have to cut it.
module attributes {dist.mesh = #dist.mesh<["tp"=4]>} {
  func.func @cut(%x: tensor<8xf32, #dist.sharding<[{"tp":(1)2, "tp":(2)2}]>>) -> tensor<8xf32, #dist.sharding<[{"tp"}]>> {
    // expected-error @+1 {{would have to cut or join parts of axes, which is not supported yet}}
    %0 = dist.reshard %x : tensor<8xf32, #dist.sharding<[{"tp":(1)2, "tp":(2)2}]>> -> tensor<8xf32, #dist.sharding<[{"tp"}]>>
    return %0 : tensor<8xf32, #dist.sharding<[{"tp"}]>>
  }
}
