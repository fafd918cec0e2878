// RUN: modelpar-opt %s --plan-allocate | FileCheck %s

// Buffers first, by kind, slots apart by their stride; then the transient part that the programs share.
// CHECK: plan.buffer @w parameter : tensor<64xf32> bytes 256 at 0{{$}}
plan.buffer @w parameter : tensor<64xf32> bytes 256
// CHECK: plan.buffer @x input : tensor<4xf32> bytes 64 at 448{{$}}
plan.buffer @x input : tensor<4xf32> bytes 64
// CHECK: plan.buffer @act activation : tensor<17xf32> bytes 80 at 256 per_micro_batch
plan.buffer @act activation : tensor<17xf32> bytes 80 per_micro_batch
// CHECK: plan.buffer @act2 activation : tensor<4xf32> bytes 20 at 384
plan.buffer @act2 activation : tensor<4xf32> bytes 20

// A value that is dead gives its bytes to a later one, scratch included.
// CHECK: plan.block @b ins({{.*}}) outs({{.*}}) frame 192
plan.block @b ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>) {
  // CHECK: plan.alloc 128 at 0
  %0 = plan.alloc 128 : <tensor<32xf32>>
  // CHECK: plan.alloc 64 at 128
  %1 = plan.alloc 64 : <tensor<4xf32>>
  // CHECK: plan.alloc workspace 64 at 0
  %2 = plan.alloc workspace 64 : <tensor<16xf32>>
  plan.launch "a" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<32xf32>>) {}
  plan.launch "b" ins(%0 : !plan.buffer<tensor<32xf32>>) outs(%1 : !plan.buffer<tensor<4xf32>>) {}
  plan.launch "c" ins(%1 : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) workspace(%2 : !plan.buffer<tensor<16xf32>>) {}
}

// The communication stream may still read %0 when compute writes %1: they keep apart, although the list says otherwise.
// CHECK: plan.block @streams ins({{.*}}) outs({{.*}}) frame 128
plan.block @streams ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>) {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  %1 = plan.alloc 64 : <tensor<4xf32>>
  plan.launch "a" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) {} records 0
  plan.collective all_gather ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 2>] dim 0 stream 1 waits [0] records 1
  plan.launch "b" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%1 : !plan.buffer<tensor<4xf32>>) {}
  plan.wait waits [1]
}

// Frames of calls are locals of the program: two calls in turn use the same bytes.
// CHECK: plan.program @p forward stage 0 frame 256
plan.program @p forward stage 0 {
  %x = plan.use @x : <tensor<4xf32>>
  // CHECK: %[[Y:.*]] = plan.alloc 64 at 192
  %y = plan.alloc 64 : <tensor<4xf32>>
  // CHECK: plan.call @b {{.*}} instance 0 frame 0
  plan.call @b ins(%x : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) instance 0
  // CHECK: plan.call @b {{.*}} instance 1 frame 0
  plan.call @b ins(%x : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) instance 1
}
// CHECK: plan.memory stage 0 arena 768 transient 512 parts ["parameters", "activations", "inputs", "temporaries", "workspace"] [256, 192, 64, 192, 64]
