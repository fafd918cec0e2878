// P4: calls have their callee's types and returns their function's; MLIR's own verifier is off here.
// RUN: not modelpar-opt %s --mlir-very-unsafe-disable-verifier-on-parsing --verify-each=false -verify-partitioned 2>&1 | FileCheck %s

module attributes {dist.mesh = #dist.mesh<["tp"=2]>} {
  func.func private @callee(%x: tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>> {
    // CHECK: operand 0 has type 'tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>', the function's is 'tensor<8x8xf32, #dist.sharding<[{}, {}]>>'
    return %x : tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>
  }
  func.func @caller(%x: tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>) {
    // CHECK: operand 0 has type 'tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>', the function's is 'tensor<8x8xf32, #dist.sharding<[{"tp"}, {}]>>'
    %0 = call @callee(%x) : (tensor<8x8xf32, #dist.sharding<[{}, {"tp"}]>>) -> tensor<8x8xf32, #dist.sharding<[{}, {}]>>
    return
  }
}
