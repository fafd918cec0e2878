// Reads of one parameter merge and unused ones go, but none passes a write; gradients and writes stay.
// RUN: modelpar-opt %s -cse -canonicalize | FileCheck %s

nn.parameter @w : tensor<4xf32> init <zeros> checkpoint "w" [4]

// CHECK-LABEL: func.func @reads_merge
func.func @reads_merge() -> tensor<4xf32> {
  // CHECK-NEXT: %[[W:.*]] = nn.read_parameter @w : tensor<4xf32>
  // CHECK-NEXT: nn.add %[[W]], %[[W]]
  %0 = nn.read_parameter @w : tensor<4xf32>
  %1 = nn.read_parameter @w : tensor<4xf32>
  %2 = nn.read_parameter @w {slot = #nn.slot<exp_avg>} : tensor<4xf32>
  %3 = nn.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// CHECK-LABEL: func.func @write_between
func.func @write_between(%v: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: %[[OLD:.*]] = nn.read_parameter @w
  // CHECK-NEXT: nn.write_parameter @w, %{{.*}}
  // CHECK-NEXT: %[[NEW:.*]] = nn.read_parameter @w
  // CHECK-NEXT: nn.add %[[OLD]], %[[NEW]]
  %0 = nn.read_parameter @w : tensor<4xf32>
  nn.write_parameter @w, %v : tensor<4xf32>
  %1 = nn.read_parameter @w : tensor<4xf32>
  %2 = nn.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// CHECK-LABEL: func.func @gradient_stays
func.func @gradient_stays(%g: tensor<4xf32>) {
  // CHECK-NEXT: nn.gradient @w, %{{.*}}
  nn.gradient @w, %g : tensor<4xf32>
  return
}
