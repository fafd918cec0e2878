// What cannot be differentiated is named.
// RUN: modelpar-opt %s -nn-differentiate -verify-diagnostics -split-input-file

// An op without gradient on the way to the loss.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{the loss depends on 'nn.reduce_sum', which is not differentiable}}
  %1 = nn.reduce_sum %0 : (tensor<8x4xf32>) -> tensor<4xf32>
  %2 = nn.add %0, %1 : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %2, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A result that has no gradient, used.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %i: tensor<8xi32>, %u: tensor<8xf32>, %w: tensor<4x4xf32>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{'nn.softmax_stats' op needs the gradient of its result #1, on which the loss does not depend}}
  %lse, %logit = nn.softmax_stats %0, %i : (tensor<8x4xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  %l = nn.squared_error %lse, %u : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %i: tensor<8xi32>, %u: tensor<8xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %i, %u, %w) : (tensor<8x4xf32>, tensor<8xi32>, tensor<8xf32>, tensor<4x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// Statistics of a norm are not differentiable.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %u: tensor<8xf32>, %w: tensor<4x4xf32>, %g: tensor<4xf32>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{'nn.layer_norm' op is not differentiable in its result 'mean', which has a gradient}}
  %n, %mean, %rstd = nn.layer_norm %0, %g, %g {epsilon = 0.0} : (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8xf32>, tensor<8xf32>)
  %l = nn.squared_error %mean, %u : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %u: tensor<8xf32>, %g: tensor<4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %u, %w, %g) : (tensor<8x4xf32>, tensor<8xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %u: tensor<8xf32>, %w: tensor<4x4xf32>, %g: tensor<4xf32>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{'nn.rms_norm' op is not differentiable in its result 'rstd', which has a gradient}}
  %n, %rstd = nn.rms_norm %0, %g {epsilon = 0.0} : (tensor<8x4xf32>, tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8xf32>)
  %l = nn.squared_error %rstd, %u : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %u: tensor<8xf32>, %g: tensor<4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %u, %w, %g) : (tensor<8x4xf32>, tensor<8xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A member of a packed tensor that the loss does not use.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%u: tensor<4xf32>, %w: tensor<4x4xf32>) -> tensor<f32> {
  // expected-error@+1 {{'nn.unpack' op needs the gradient of its result #1, on which the loss does not depend}}
  %a, %b, %c, %d = nn.unpack %w {dim = 0} : (tensor<4x4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  %l = nn.squared_error %a, %u : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%u: tensor<4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%u, %w) : (tensor<4xf32>, tensor<4x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A target that depends on a parameter.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{'nn.squared_error' op is not differentiable in its operand 'target', whose gradient is needed}}
  %l = nn.squared_error %t, %0 : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A loss that is used again.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %z: tensor<f32>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{'nn.squared_error' op is not differentiable in its result 'loss', which has a gradient}}
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %m = nn.squared_error %l, %z : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %m : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %z: tensor<f32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %z) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// What is returned as the loss is not one.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{the loss is a result of 'nn.sum', expected one of nn.token_loss or nn.squared_error}}
  %1 = nn.sum %0 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// An argument is returned as the loss.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
// expected-error@+1 {{the loss is an argument of @model, expected a result of nn.token_loss or nn.squared_error}}
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<8x4xf32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// A parameter that nothing depends on.
// expected-error@+1 {{the loss does not depend on parameter @v}}
nn.parameter @v : tensor<4x4xf32> init <zeros> checkpoint "v" [4, 4]
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A step without parameters.
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
// expected-error@+1 {{the model has no parameters}}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = call @model(%x, %t) : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// Computation in the step.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  // expected-error@+1 {{@step holds 'nn.sum', expected only nn.read_parameter, func.call and func.return}}
  %1 = nn.sum %x : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A step that is differentiated already.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  // expected-error@+1 {{a step that is not differentiated reads the optimizer state of @w}}
  %1 = nn.read_parameter @w {slot = #nn.slot<exp_avg>} : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// The scalars are not where they belong.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
// expected-error@+1 {{the last argument of @step is not the scalars, tensor<16xf64>}}
func.func @step(%s: tensor<16xf64>, %x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// Two results of the step.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32>, tensor<f32>) {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  // expected-error@+1 {{@step must return one value, the loss, made by a call of a block}}
  return %0, %0 : tensor<f32>, tensor<f32>
}

// -----

// A block that calls another.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @inner(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}
func.func private @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  // expected-error@+1 {{block @model holds 'func.call', expected only computation}}
  %0 = call @inner(%x) : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A block without a body.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  // expected-error@+1 {{calls @model, which has no body}}
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A block that others may call.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
// expected-error@+1 {{block @model is not a private straight-line function}}
func.func @model(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %0 = nn.matmul %x, %w {subscripts = "bd,df->bf"} : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %l = nn.squared_error %0, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %t, %w, %s) : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// No step.
// expected-error@+1 {{the module has no function @step}}
module {
}

// -----

// An optimizer that does not exist.
// expected-error@+1 {{optimizer is "lion", expected adamw or sgd}}
module attributes {nn.optimizer = "lion"} {
}

// -----

// A mask that depends on a parameter.
nn.parameter @w : tensor<4x4xf32> init <zeros> checkpoint "w" [4, 4]
func.func private @model(%x: tensor<2x4x1x4xf32>, %w: tensor<4x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  // expected-error@+1 {{'nn.attention' op is not differentiable in its operand 'mask', which depends on a parameter}}
  %o, %lse = nn.attention %x, %x, %x, %s, %w {causal = false, scale = 0.5, rate = 0.0, dropout_key = 0} : (tensor<2x4x1x4xf32>, tensor<2x4x1x4xf32>, tensor<2x4x1x4xf32>, tensor<16xf64>, tensor<4x4xf32>) -> (tensor<2x4x1x4xf32>, tensor<2x4x1xf32>)
  %l = nn.squared_error %o, %x : (tensor<2x4x1x4xf32>, tensor<2x4x1x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func @step(%x: tensor<2x4x1x4xf32>, %s: tensor<16xf64>) -> tensor<f32> {
  %w = nn.read_parameter @w : tensor<4x4xf32>
  %0 = call @model(%x, %w, %s) : (tensor<2x4x1x4xf32>, tensor<4x4xf32>, tensor<16xf64>) -> tensor<f32>
  return %0 : tensor<f32>
}
