// RUN: modelpar-opt %s -verify-diagnostics -split-input-file

// plan.input C1
// expected-error @+1 {{expected 2 dimension names, found 1}}
plan.input "x" : tensor<8x64xf32> role "data" range [0.0, 1.0] dims ["b"]

// -----

// plan.input C2
// expected-error @+1 {{expected a range of two bounds in order}}
plan.input "x" : tensor<8xf32> role "data" range [1.0, 0.0] dims ["b"]

// -----

// plan.parameter C1
// expected-error @+1 {{expected the name of a plan.buffer, found @w}}
plan.parameter "w" : tensor<4xf32> init "zeros" [] checkpoint "w" [4] value @w state [] []

// -----

// plan.parameter C2
// expected-error @+1 {{expected one name per state buffer, found 1 names of 0 buffers}}
plan.parameter "w" : tensor<4xf32> init "zeros" [] checkpoint "w" [4] value @w state ["exp_avg"] []

// -----

// plan.parameter C3
// expected-error @+1 {{expected a checkpoint shape of 4 elements, found 6}}
plan.parameter "w" : tensor<4xf32> init "zeros" [] checkpoint "w" [2, 3] value @w state [] []

// -----

// plan.parameter C4
// expected-error @+1 {{expected 'zero_row' to be one of 4 rows, found 4}}
plan.parameter "w" : tensor<4xf32> init "zeros" [] checkpoint "w" [4] value @w state [] [] {zero_row = 4}

// -----

// expected-error @+1 {{expected the name of a plan.buffer, found @nowhere}}
plan.output "loss" @nowhere

// -----

// plan.buffer C1
// expected-error @+1 {{expected bytes of at least 0 and slots of at least 1, found 64 and 0}}
plan.buffer @b activation : tensor<4xf32> bytes 64 slots 0

// -----

// plan.buffer C2
// expected-error @+1 {{expected a stride of at least 64 bytes, found 32}}
plan.buffer @b activation : tensor<4xf32> bytes 64 at 0 slots 2 stride 32

// -----

// plan.buffer C3
// expected-error @+1 {{expected an offset and a stride of at least 0}}
plan.buffer @b activation : tensor<4xf32> bytes 64 at -64

// -----

// plan.schedule C1
// expected-error @+1 {{expected one micro-batch per program run and channel, found 1 of these and 2 micro-batches}}
plan.schedule stage 0 run [@p] on [0, 1]

// -----

// plan.schedule C2
// expected-error @+1 {{expected the name of a plan.program, found @p}}
plan.schedule stage 0 run [@p] on [0]

// -----

// plan.schedule C2
plan.program @p forward stage 1 {}
// expected-error @+1 {{expected programs of stage 0, found @p of stage 1}}
plan.schedule stage 0 run [@p] on [0]

// -----

// plan.memory C1
// expected-error @+1 {{expected one size per part, found 1 parts and 2 sizes}}
plan.memory stage 0 arena 64 transient 0 parts ["parameters"] [32, 32]

// -----

// plan.memory C2
// expected-error @+1 {{expected parts that add up to 64 bytes, found 32}}
plan.memory stage 0 arena 64 transient 0 parts ["parameters"] [32]

// -----

// plan.memory C3
// expected-error @+1 {{expected the transient part inside the arena of 64 bytes, found it at 128}}
plan.memory stage 0 arena 64 transient 128 parts ["parameters"] [64]

// -----

// plan.block C1
// expected-error @+1 {{expected argument 0 to be a buffer, found 'i32'}}
plan.block @b ins(%x: i32) outs() {}

// -----

// plan.block C3
plan.block @b ins() outs() {
  // expected-error @+1 {{expected event 0 to be recorded before it is waited for}}
  plan.wait waits [0]
}

// -----

// plan.block C3
plan.block @b ins() outs() {
  plan.wait records 0
  // expected-error @+1 {{expected event 0 to be recorded once}}
  plan.wait records 0
}

// -----

// plan.program C4
plan.program @p forward stage 0 frame 64 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected stream 0 to have waited for stream 1 at the end of the body}}
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 4>] reduce "sum" stream 1 records 0
}

// -----

// plan.use: unknown buffer
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected the name of a plan.buffer, found @b}}
  %0 = plan.use @b : <tensor<4xf32>>
}

// -----

// plan.use C1
plan.buffer @b activation : tensor<4xf32> bytes 64 stage 1
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected a buffer of stage 0, found @b of stage 1}}
  %0 = plan.use @b : <tensor<4xf32>>
}

// -----

// plan.use C2
plan.buffer @b activation : tensor<4xf32> bytes 64
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected the shape and element type of @b, 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = plan.use @b : <tensor<8xf32>>
}

// -----

// plan.alloc C1
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected bytes and an offset of at least 0}}
  %0 = plan.alloc 64 at -64 : <tensor<4xf32>>
}

// -----

// plan.alias C1
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected the shape and element type of 'tensor<4xf32>', found 'tensor<2x2xf32>'}}
  %1 = plan.alias %0 : <tensor<4xf32>> as <tensor<2x2xf32>>
}

// -----

// plan.launch C1
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected attribute "dim" to be a boolean, string, 64-bit number or array of these, found 1 : i32}}
  plan.launch "unpack" ins() outs(%0 : !plan.buffer<tensor<4xf32>>) {dim = 1 : i32}
}

// -----

// plan.launch C2
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected at least one output}}
  plan.launch "matmul" ins() outs() {}
}

// -----

// plan.collective C1
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected as many outputs as inputs and at least one, found 2 inputs and 1 outputs}}
  plan.collective all_reduce ins(%0, %0 : !plan.buffer<tensor<4xf32>>, !plan.buffer<tensor<4xf32>>)
    outs(%0 : !plan.buffer<tensor<4xf32>>) over [#plan.axis<"tp", 4>] reduce "sum"
}

// -----

// plan.collective C2
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected at least one mesh axis}}
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) over [] reduce "sum"
}

// -----

// plan.collective C3
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected no 'reduce' with all_gather}}
  plan.collective all_gather ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 4>] reduce "sum" dim 0
}

// -----

// plan.collective C3
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected 'reduce' to be "sum", "max" or "lse", found "mean"}}
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 4>] reduce "mean"
}

// -----

// plan.collective C4
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected 'dim' to be a dimension of every tensor, found 1 for 'tensor<4xf32>'}}
  plan.collective all_gather ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 4>] dim 1
}

// -----

// plan.collective C5
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected 'from' with all_to_all}}
  plan.collective all_to_all ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>)
    over [#plan.axis<"tp", 4>] dim 0
}

// -----

// plan.call C1
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected the name of a plan.block, found @b}}
  plan.call @b ins() outs() instance 0
}

// -----

// plan.call C1
plan.block @b ins(%x: !plan.buffer<tensor<4xf32>>) outs() {}
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected 1 inputs and 0 outputs of @b, found 0 and 0}}
  plan.call @b ins() outs() instance 0
}

// -----

// plan.call C2
plan.block @b ins(%x: !plan.buffer<tensor<4xf32>>) outs() {}
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<8xf32>>
  // expected-error @+1 {{expected argument 0 of @b to be '!plan.buffer<tensor<4xf32>>', found '!plan.buffer<tensor<8xf32>>'}}
  plan.call @b ins(%0 : !plan.buffer<tensor<8xf32>>) outs() instance 0
}

// -----

// plan.call C3
plan.block @b ins() outs() {}
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected a call on stream 0, found stream 1}}
  plan.call @b ins() outs() instance 0 stream 1
}

// -----

// plan.accumulate C1
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  %1 = plan.alloc 64 : <tensor<8xf32>>
  // expected-error @+1 {{expected the shape of 'tensor<4xf32>', found 'tensor<8xf32>'}}
  plan.accumulate %0 into %1 : <tensor<4xf32>> into <tensor<8xf32>>
}

// -----

// expected-error @+1 {{expected positive sizes of axis "tp", found 1 and 0}}
module attributes {a = #plan.axis<"tp", 0>} {}

// -----

// expected-error @+1 {{expected ascending coordinates below 4 along axis "pp", found 4}}
module attributes {a = #plan.axis<"pp", 4 {0, 4}>} {}

// -----

// expected-error @+1 {{expected names of programs and lists of channels, found []}}
plan.schedule stage 0 run [[]] on []

// -----

// expected-error @+1 {{expected one micro-batch per program run and channel, found 2 of these and 1 micro-batches}}
plan.schedule stage 0 run [[@a, @b]] on [0]

// -----

// expected-error @+1 {{expected the name of a plan.channel, found @p}}
plan.schedule stage 0 run [[@p]] on [0]
plan.program @p forward stage 0 {}

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64 per_micro_batch stage 1
plan.channel @c send stage 1 peer 0 [@x]
// expected-error @+1 {{expected channels of stage 0, found @c of stage 1}}
plan.schedule stage 0 run [[@c]] on [0]

// -----

// expected-error @+1 {{expected at least one buffer}}
plan.channel @channel_c1_empty send stage 1 peer 0 []

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64 per_micro_batch
// expected-error @+1 {{expected a buffer of stage 1, found @x of stage 0}}
plan.channel @channel_c1_stage send stage 1 peer 0 [@x]

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64
// expected-error @+1 {{expected buffers per micro-batch, found @x}}
plan.channel @channel_c1_per_micro_batch send stage 0 peer 1 [@x]

// -----

plan.buffer @x activation : tensor<4xf32> bytes 64 per_micro_batch
// expected-error @+1 {{expected another stage as peer, found 0}}
plan.channel @channel_c2 receive stage 0 peer 0 [@x]

// -----

plan.buffer @w parameter : tensor<4xf32> bytes 64
// expected-error @+1 {{expected a buffer of stage 1, found @w of stage 0}}
plan.replica "replica_c1" stage 1 value @w state []

// -----

plan.parameter "w" : tensor<4xf32> init "zeros" [0.0, 0.0] checkpoint "w" [4] value @w state ["exp_avg"] [@w]
plan.buffer @w parameter : tensor<4xf32> bytes 64
plan.buffer @w1 parameter : tensor<4xf32> bytes 64 stage 1
// expected-error @+1 {{expected 1 state buffers, found 0}}
plan.replica "w" stage 1 value @w1 state []

// -----

plan.buffer @w parameter : tensor<4xf32> bytes 64 stage 1
// expected-error @+1 {{expected the name of a plan.parameter of another stage, found "replica_c3"}}
plan.replica "replica_c3" stage 1 value @w state []

// -----

// plan.input C3
// expected-error @+1 {{expected 'batch' to be a dimension of 'tensor<8xi32>', found 1}}
plan.input "x" : tensor<8xi32> role "tokens" range [0.0, 1.0] dims ["b"] batch 1

// -----

// plan.collective C6
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected 'shift' with collective_permute}}
  plan.collective collective_permute ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) over [#plan.axis<"cp", 4>]
}

// -----

// plan.collective C6
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected no 'shift' with all_reduce}}
  plan.collective all_reduce ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) over [#plan.axis<"cp", 4>] reduce "sum" shift 1
}

// -----

// plan.collective C6
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected one axis and a shift from 1 to 3, found 1 and 4}}
  plan.collective collective_permute ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) over [#plan.axis<"cp", 4>] shift 4
}

// -----

// plan.collective C6
plan.program @p forward stage 0 {
  %0 = plan.alloc 64 : <tensor<4xf32>>
  // expected-error @+1 {{expected one axis and a shift from 1 to 3, found 2 and 1}}
  plan.collective collective_permute ins(%0 : !plan.buffer<tensor<4xf32>>) outs(%0 : !plan.buffer<tensor<4xf32>>) over [#plan.axis<"cp", 4>, #plan.axis<"tp", 4>] shift 1
}

// -----

// plan.program C3
plan.program @p forward stage 0 {
  // expected-error @+1 {{expected a stream from 0 to 63, found -1}}
  plan.wait stream -1
}

// -----

// plan.memory C2
// expected-error @+1 {{expected parts of at least 0 bytes that 64 bits can count, found 9223372036854775807}}
plan.memory stage 0 arena 64 transient 0 parts ["a", "b"] [9223372036854775807, 9223372036854775807]

// -----

// plan.parameter C3
plan.buffer @w parameter : tensor<4xf32> bytes 64 at 0
// expected-error @+1 {{expected a checkpoint shape of 4 elements, found more than 2^63}}
plan.parameter "w" : tensor<4xf32> init "zeros" [0.0, 0.0] checkpoint "w" [4294967296, 4294967296, 4] value @w state [] []
