// RUN: modelpar-opt %s --plan-insert-events | FileCheck %s

// The collective waits for its producer, the first consumer waits for the collective, the next one knows.
// CHECK-LABEL: plan.block @chain
// CHECK: plan.launch "produce" {{.*}} {} records 0
// CHECK: plan.collective {{.*}} stream 1 waits [0] records 1
// CHECK: plan.launch "other" {{.*}} {}{{$}}
// CHECK: plan.launch "consume" {{.*}} {} waits [1]{{$}}
// CHECK: plan.launch "consume" {{.*}} {}{{$}}
// CHECK-NOT: plan.wait
plan.block @chain ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>, %z: !plan.buffer<tensor<4xf32>>) {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  %1 = plan.alias %0 : <tensor<4xf32>> as <tensor<4xf32>>
  plan.launch "produce" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) {}
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%1 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 2>] reduce "sum" stream 1
  plan.launch "other" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%z : !plan.buffer<tensor<4xf32>>) {}
  plan.launch "consume" ins(%1 : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) {}
  plan.launch "consume" ins(%1 : !plan.buffer<tensor<4xf32>>) outs(%z : !plan.buffer<tensor<4xf32>>) {}
}

// A collective in place waits for an earlier reader too: the reader is the later step, so its event covers the producer.
// CHECK-LABEL: plan.block @reader
// CHECK: plan.launch "produce" {{.*}} {}{{$}}
// CHECK: plan.launch "read" {{.*}} {} records 0
// CHECK: plan.collective {{.*}} stream 1 waits [0] records 1
// CHECK: plan.wait waits [1]
plan.block @reader ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>, %z: !plan.buffer<tensor<4xf32>>) {
  plan.launch "produce" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) {}
  plan.launch "read" ins(%y : !plan.buffer<tensor<4xf32>>) outs(%z : !plan.buffer<tensor<4xf32>>) {}
  plan.collective all_reduce ins(%y : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 2>] reduce "sum" stream 1
}

// Two uses of one buffer are the same bytes; a body starts with a fork, so a collective on what was there needs no event.
plan.buffer @g gradient : tensor<4xf32> bytes 64
// CHECK-LABEL: plan.program @update
// CHECK: plan.collective {{.*}} stream 1 records 0
// CHECK: plan.launch "read" {{.*}} {} waits [0]
plan.program @update update stage 0 {
  %0 = plan.use @g : <tensor<4xf32>>
  %1 = plan.use @g : <tensor<4xf32>>
  %2 = plan.alloc 64 : <tensor<4xf32>>
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"dp", 2>] reduce "sum" stream 1
  plan.launch "read" ins(%1 : !plan.buffer<tensor<4xf32>>) outs(%2 : !plan.buffer<tensor<4xf32>>) {}
}

// One stream needs none.
// CHECK-LABEL: plan.block @alone
// CHECK: plan.launch "a" {{.*}} {}{{$}}
plan.block @alone ins(%x: !plan.buffer<tensor<4xf32>>) outs(%y: !plan.buffer<tensor<4xf32>>) {
  plan.launch "a" ins(%x : !plan.buffer<tensor<4xf32>>) outs(%y : !plan.buffer<tensor<4xf32>>) {}
}
