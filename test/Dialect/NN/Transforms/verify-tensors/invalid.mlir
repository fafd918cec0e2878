// Tensors that nothing can compute with, wherever their type stands.
// RUN: modelpar-opt %s -split-input-file -verify-diagnostics -verify-tensors

// The largest that there may be: 2^56 elements.
func.func private @t2_largest(tensor<72057594037927936xf32>)

// -----

// expected-error @+1 {{tensor type 'tensor<?xf32>' has an extent that is not known or zero, expected at least 1}}
func.func private @t1_dynamic(tensor<?xf32>)

// -----

// expected-error @+1 {{tensor type 'tensor<4x0xf32>' has an extent that is not known or zero, expected at least 1}}
func.func private @t1_empty() -> tensor<4x0xf32>

// -----

// expected-error @+1 {{tensor type 'tensor<1x1x1x1x1x1x1x1x1xf32>' has 9 dimensions, expected at most 8}}
plan.input "x" : tensor<1x1x1x1x1x1x1x1x1xf32> role "data" range [0.0, 1.0] dims []

// -----

// The product of these is 0 in 64 bits; the type is part of another one.
// expected-error @+1 {{tensor type 'tensor<4294967296x4294967296xf32>' has more than 2^56 elements}}
func.func private @t2_product(!plan.buffer<tensor<4294967296x4294967296xf32>>)
