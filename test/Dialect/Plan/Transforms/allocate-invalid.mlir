// RUN: modelpar-opt %s --plan-allocate -verify-diagnostics -split-input-file

plan.block @b ins() outs(%y: !plan.buffer<tensor<4xf32>>) {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{reads a local value that no instruction before it writes}}
  plan.launch "a" ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) {}
}
