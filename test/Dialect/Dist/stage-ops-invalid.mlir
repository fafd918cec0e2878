// Each constraint of the pipeline's ops.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c1(%a: tensor<8xf32, #dist.sharding<[{}]>>, %b: tensor<4xf32, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{expected operands like the result without its group, found 'tensor<4xf32}}
    %0 = dist.stage_parts %a, %b stages [0, 1] : (tensor<8xf32, #dist.sharding<[{}]>>, tensor<4xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c2_result(%a: tensor<8xf32, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{expected a result that is partial(sum) over "pp", found [{}]}}
    %0 = dist.stage_parts %a stages [0] : (tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}]>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c2_operand(%a: tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>) {
    // expected-error @+1 {{expected operands like the result without its group}}
    %0 = dist.stage_parts %a stages [0] : (tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c3_count(%a: tensor<8xf32, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{expected one stage per operand, found 2 stages of 1 operands}}
    %0 = dist.stage_parts %a stages [0, 1] : (tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c3_group(%a: tensor<8xf32, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{expected ascending stages of the group "pp"{0,-1}, found 1}}
    %0 = dist.stage_parts %a stages [1] : (tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp"{0,-1}:sum}>>
    return
  }
}

// -----

module attributes {dist.mesh = #dist.mesh<["pp"=4]>} {
  func.func @stage_parts_c3_order(%a: tensor<8xf32, #dist.sharding<[{}]>>) {
    // expected-error @+1 {{expected ascending stages of the group "pp", found 0}}
    %0 = dist.stage_parts %a, %a stages [1, 0] : (tensor<8xf32, #dist.sharding<[{}]>>, tensor<8xf32, #dist.sharding<[{}]>>) -> tensor<8xf32, #dist.sharding<[{}], partial={"pp":sum}>>
    return
  }
}

// -----

func.func @send_c1_count(%a: tensor<8xf32>) {
  // expected-error @+1 {{expected one name per value and at least one, found 2 names of 1 values}}
  dist.send %a to 1 ["a", "b"] : tensor<8xf32>
  return
}

// -----

func.func @send_c1_twice(%a: tensor<8xf32>) {
  // expected-error @+1 {{has the name "a" twice}}
  dist.send %a, %a to 1 ["a", "a"] : tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @recv_c2() {
  // expected-error @+1 {{expected a stage of at least 0, found -1}}
  %0 = dist.recv from -1 ["a"] : tensor<8xf32>
  return
}
