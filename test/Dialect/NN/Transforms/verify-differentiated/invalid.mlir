// What must hold after nn-differentiate, each condition broken once.
// RUN: modelpar-opt %s -verify-differentiated -verify-diagnostics -split-input-file

// A module as it should be.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D1
// expected-error@+1 {{the module has no nn.optimizer, expected "adamw" or "sgd"}}
module {
}

// -----

// D2: a block without a role.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
// expected-error@+1 {{function @m.forward has no nn.role}}
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D2: a block that reads a parameter.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  // expected-error@+1 {{function @m.forward holds 'nn.read_parameter', expected only computation}}
  %r = nn.read_parameter @p : tensor<8x4xf32>
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D3: no step.
// expected-error@+1 {{the module has no public function @step}}
module attributes {nn.optimizer = "sgd"} {
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
}

// -----

// D3: a call of another role than its function.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  // expected-error@+1 {{the call's nn.role is not that of @m.backward_weight}}
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_input>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D3: computation in the step.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{@step holds 'nn.mul', expected parameter ops, calls, nn.sum, one nn.sum_squares and one nn.clip_scale}}
  %h = nn.mul %g, %g : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D3: the norm of something else.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
// expected-error@+1 {{@step has no nn.sum_squares whose result goes to an nn.clip_scale}}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %l, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D4: another value than the norm.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  // expected-error@+1 {{@step must return the loss and the norm of nn.clip_scale}}
  return %l, %c : tensor<f32>, tensor<f32>
}
}

// -----

// D4: another name.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
// expected-error@+1 {{result #1 of @step is not named nn.output = "grad_norm"}}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D5: no gradient.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{operand #0 is not the nn.gradient of a parameter, or counted twice}}
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D5: two gradients of one parameter.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  // expected-error@+1 {{parameter @p has a second nn.gradient}}
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D5: a gradient that is squared twice.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  // expected-error@+1 {{operand #1 is not the nn.gradient of a parameter, or counted twice}}
  %q = nn.sum_squares %g, %g : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D5: a gradient that is not squared, and a parameter without.
module attributes {nn.optimizer = "sgd"} {
// expected-error@+1 {{parameter @o has no nn.gradient}}
nn.parameter @o : tensor<8x4xf32> init <zeros> checkpoint "o" [8, 4]
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D5: parameters may share a gradient, but each counts.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @o : tensor<8x4xf32> init <zeros> checkpoint "o" [8, 4]
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{the gradient of @p is not an operand of nn.sum_squares}}
  nn.gradient @p, %g : tensor<8x4xf32>
  nn.gradient @o, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D6: never written.
module attributes {nn.optimizer = "sgd"} {
// expected-error@+1 {{value of parameter @p is never written}}
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D6: AdamW's moments are never written.
module attributes {nn.optimizer = "adamw"} {
// expected-error@+1 {{exp_avg of parameter @p is never written}}
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D6: written twice.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  // expected-error@+1 {{writes value of @p a second time}}
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D6: written with something else.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  // expected-error@+1 {{writes @p with a value that is not a result of a call of role update}}
  nn.write_parameter @p, %g : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D7: forward after backward.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-error@+1 {{a call of role forward comes after one of role backward_input or backward_weight}}
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D3: a public function beside @step.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
// expected-error@+1 {{function @m.update is public, expected @step alone}}
func.func @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D8: the update writes what it makes of the gradient.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %g, %p, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  // expected-error@+1 {{writes value of @p with a result that @m.update does not make from it}}
  nn.write_parameter @p, %u : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}

// -----

// D8: a state is read that is never written.
module attributes {nn.optimizer = "sgd"} {
nn.parameter @p : tensor<8x4xf32> init <zeros> checkpoint "p" [8, 4]
func.func private @m.forward(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<f32> attributes {nn.role = #nn.role<forward>} {
  %l = nn.squared_error %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
func.func private @m.backward_weight(%x: tensor<8x4xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<backward_weight>} {
  %g = nn.squared_error_grad %x, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %g : tensor<8x4xf32>
}
func.func private @m.update(%p: tensor<8x4xf32>, %g: tensor<8x4xf32>, %c: tensor<f32>, %s: tensor<16xf64>) -> tensor<8x4xf32> attributes {nn.role = #nn.role<update>} {
  %q = nn.sgd %p, %g, %c, %s {weight_decay = true} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  return %q : tensor<8x4xf32>
}
func.func @step(%t: tensor<8x4xf32>, %s: tensor<16xf64>) -> (tensor<f32> {nn.output = "loss"}, tensor<f32> {nn.output = "grad_norm"}) {
  %p = nn.read_parameter @p : tensor<8x4xf32>
  %l = call @m.forward(%p, %t) {nn.role = #nn.role<forward>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>
  %g = call @m.backward_weight(%p, %t) {nn.role = #nn.role<backward_weight>} : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  nn.gradient @p, %g : tensor<8x4xf32>
  %q = nn.sum_squares %g : (tensor<8x4xf32>) -> tensor<f32>
  %n, %c = nn.clip_scale %q, %s : (tensor<f32>, tensor<16xf64>) -> (tensor<f32>, tensor<f32>)
  %u = call @m.update(%p, %g, %c, %s) {nn.role = #nn.role<update>} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<16xf64>) -> tensor<8x4xf32>
  nn.write_parameter @p, %u : tensor<8x4xf32>
  // expected-error@+1 {{reads exp_avg of @p, which is never written here}}
  %m = nn.read_parameter @p {slot = #nn.slot<exp_avg>} : tensor<8x4xf32>
  return %l, %n : tensor<f32>, tensor<f32>
}
}
