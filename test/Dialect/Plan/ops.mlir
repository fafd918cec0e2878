// RUN: modelpar-opt %s | FileCheck %s
// RUN: modelpar-opt %s | modelpar-opt - | FileCheck %s

// A whole plan in miniature: tables, buffers, a block, programs, a schedule.
// CHECK: plan.input "x" : tensor<8x64xf32> role "data" range [-1.000000e+00, 1.000000e+00] dims ["b", "d"]
plan.input "x" : tensor<8x64xf32> role "data" range [-1.0, 1.0] dims ["b", "d"]
// CHECK: plan.input "tokens" : tensor<8x64xi32> role "tokens" range [0.000000e+00, 2.560000e+02] dims ["b", "s"] batch 0{{$}}
plan.input "tokens" : tensor<8x64xi32> role "tokens" range [0.0, 256.0] dims ["b", "s"] batch 0
// CHECK: plan.parameter "l0.w" : tensor<64x256xf32> init "normal" [0.000000e+00, 2.000000e-02] checkpoint "l0.w" [64, 256] value @l0.w gradient @l0.w.grad state ["exp_avg"] [@l0.w.exp_avg] {weight_decay = false}
plan.parameter "l0.w" : tensor<64x256xf32> init "normal" [0.0, 0.02] checkpoint "l0.w" [64, 256]
  value @l0.w gradient @l0.w.grad state ["exp_avg"] [@l0.w.exp_avg] {weight_decay = false}
// CHECK: plan.parameter "named" : tensor<64x256xf32> init "ones" [] checkpoint "a" [64, 256] or ["b"] value @l0.w state [] [] {zero_row = 63 : i64}
plan.parameter "named" : tensor<64x256xf32> init "ones" [] checkpoint "a" [64, 256] or ["b"] value @l0.w state [] [] {zero_row = 63}
// CHECK: plan.output "loss" @loss
plan.output "loss" @loss
// CHECK: plan.buffer @x input : tensor<8x64xf32> bytes 2048 at 0 slots 2 stride 2048 per_micro_batch
plan.buffer @x input : tensor<8x64xf32> bytes 2048 at 0 slots 2 stride 2048 per_micro_batch
// CHECK: plan.buffer @l0.w parameter : tensor<64x256xf32> bytes 65536 at 4096
plan.buffer @l0.w parameter : tensor<64x256xf32> bytes 65536 at 4096
plan.buffer @l0.w.grad gradient : tensor<64x256xf32> bytes 65536
plan.buffer @l0.w.exp_avg optimizer_state : tensor<64x256xf32> bytes 65536
plan.buffer @loss output : tensor<f32> bytes 64

// CHECK: plan.block @layer ins(%[[X:.*]]: !plan.buffer<tensor<8x64xf32>>, %[[W:.*]]: !plan.buffer<tensor<64x256xf32>>) outs(%[[Y:.*]]: !plan.buffer<tensor<8x256xf32>>) frame 8192 {
plan.block @layer ins(%x: !plan.buffer<tensor<8x64xf32>>, %w: !plan.buffer<tensor<64x256xf32>>)
    outs(%y: !plan.buffer<tensor<8x256xf32>>) frame 8192 {
  // CHECK: %[[A:.*]] = plan.alloc 8192 at 0 : <tensor<8x256xf32>>
  %a = plan.alloc 8192 at 0 : <tensor<8x256xf32>>
  // CHECK: %[[S:.*]] = plan.alloc workspace 64 : <tensor<16xf32>>
  %s = plan.alloc workspace 64 : <tensor<16xf32>>
  // CHECK: plan.launch "matmul" ins(%[[X]], %[[W]] : {{.*}}) outs(%[[A]] : {{.*}}) workspace(%[[S]] : {{.*}}) {subscripts = "bd,df->bf"} records 0
  plan.launch "matmul" ins(%x, %w : !plan.buffer<tensor<8x64xf32>>, !plan.buffer<tensor<64x256xf32>>)
    outs(%a : !plan.buffer<tensor<8x256xf32>>) workspace(%s : !plan.buffer<tensor<16xf32>>) {subscripts = "bd,df->bf"} records 0
  // CHECK: %[[B:.*]] = plan.alias %[[A]] : <tensor<8x256xf32>> as <tensor<8x256xf32>>
  %b = plan.alias %a : <tensor<8x256xf32>> as <tensor<8x256xf32>>
  // CHECK: plan.collective all_reduce ins(%[[A]] : {{.*}}) outs(%[[B]] : {{.*}}) over [#plan.axis<"tp", 4>] reduce "sum" stream 1 waits [0] records 1
  plan.collective all_reduce ins(%a : !plan.buffer<tensor<8x256xf32>>) outs(%b : !plan.buffer<tensor<8x256xf32>>)
    over [#plan.axis<"tp", 4>] reduce "sum" stream 1 waits [0] records 1
  // CHECK: plan.collective collective_permute {{.*}} over [#plan.axis<"cp", 4>] shift 1 stream 1{{$}}
  plan.collective collective_permute ins(%b : !plan.buffer<tensor<8x256xf32>>) outs(%a : !plan.buffer<tensor<8x256xf32>>)
    over [#plan.axis<"cp", 4>] shift 1 stream 1
  // CHECK: plan.collective all_to_all {{.*}} over [#plan.axis<"cp", 2, 2>] dim 1 from 0 stream 1 records 2
  plan.collective all_to_all ins(%b : !plan.buffer<tensor<8x256xf32>>) outs(%a : !plan.buffer<tensor<8x256xf32>>)
    over [#plan.axis<"cp", 2, 2>] dim 1 from 0 stream 1 records 2
  // CHECK: plan.launch "activation" ins(%[[B]] : {{.*}}) outs(%[[Y]] : {{.*}}) {kind = "relu"} waits [1, 2]
  plan.launch "activation" ins(%b : !plan.buffer<tensor<8x256xf32>>) outs(%y : !plan.buffer<tensor<8x256xf32>>)
    {kind = "relu"} waits [1, 2]
}

// CHECK: plan.program @stage0.forward forward stage 0 frame 8192 {
plan.program @stage0.forward forward stage 0 frame 8192 {
  // CHECK: plan.use @x : <tensor<8x64xf32>>
  %x = plan.use @x : <tensor<8x64xf32>>
  %w = plan.use @l0.w : <tensor<64x256xf32>>
  %y = plan.alloc 8192 : <tensor<8x256xf32>>
  // CHECK: plan.load "x" into %{{.*}} : <tensor<8x64xf32>>
  plan.load "x" into %x : <tensor<8x64xf32>>
  // CHECK: plan.call @layer ins({{.*}}) outs({{.*}}) instance 3 frame 0
  plan.call @layer ins(%x, %w : !plan.buffer<tensor<8x64xf32>>, !plan.buffer<tensor<64x256xf32>>)
    outs(%y : !plan.buffer<tensor<8x256xf32>>) instance 3 frame 0
  %z = plan.alloc 8192 : <tensor<8x256xf32>>
  // CHECK: plan.accumulate %{{.*}} into %{{.*}} first : <tensor<8x256xf32>> into <tensor<8x256xf32>>
  plan.accumulate %y into %z first : <tensor<8x256xf32>> into <tensor<8x256xf32>>
  // CHECK: plan.wait
  plan.wait
}
// CHECK: plan.schedule stage 0 run [@stage0.forward, @stage0.forward] on [0, 1]
plan.schedule stage 0 run [@stage0.forward, @stage0.forward] on [0, 1]
// CHECK: plan.memory stage 0 arena 12288 transient 4096 parts ["parameters", "temporaries"] [4096, 8192]
plan.memory stage 0 arena 12288 transient 4096 parts ["parameters", "temporaries"] [4096, 8192]

// A second stage: what crosses, a copy of a parameter, and a schedule with exchanges.
// CHECK: plan.buffer @act.0 activation : tensor<8x64xf32> bytes 2048 per_micro_batch stage 1
plan.buffer @act.0 activation : tensor<8x64xf32> bytes 2048 per_micro_batch stage 1
plan.buffer @l0.w.stage1 parameter : tensor<64x256xf32> bytes 65536 stage 1
plan.buffer @l0.w.exp_avg.stage1 optimizer_state : tensor<64x256xf32> bytes 65536 stage 1
// CHECK: plan.replica "l0.w" stage 1 value @l0.w.stage1 state [@l0.w.exp_avg.stage1]
plan.replica "l0.w" stage 1 value @l0.w.stage1 state [@l0.w.exp_avg.stage1]
// CHECK: plan.channel @stage1.recv.0 receive stage 1 peer 0 [@act.0]
plan.channel @stage1.recv.0 receive stage 1 peer 0 [@act.0]
// CHECK: plan.channel @stage1.send.0 send stage 1 peer 0 [@act.0]
plan.channel @stage1.send.0 send stage 1 peer 0 [@act.0]
plan.program @stage1.forward forward stage 1 {}
// CHECK: plan.schedule stage 1 run {{\[}}[@stage1.recv.0], @stage1.forward, [@stage1.send.0, @stage1.recv.0]] on [0, 0, 0, 1]
plan.schedule stage 1 run [[@stage1.recv.0], @stage1.forward, [@stage1.send.0, @stage1.recv.0]] on [0, 0, 0, 1]
