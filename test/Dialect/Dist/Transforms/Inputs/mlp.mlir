// One hidden layer, forward only: tests differentiate it.
module {
  nn.parameter @up : tensor<16x32xf32> init <normal, 0.0, 0.02> checkpoint "up" [16, 32]
  nn.parameter @down : tensor<32x16xf32> init <normal, 0.0, 0.02> checkpoint "down" [32, 16]
  nn.parameter @bias : tensor<16xf32> init <zeros> checkpoint "bias" [16]
  func.func private @layer(%x: tensor<8x16xf32>, %up: tensor<16x32xf32>, %down: tensor<32x16xf32>, %bias: tensor<16xf32>) -> tensor<8x16xf32> {
    %0 = nn.matmul %x, %up {subscripts = "bd,df->bf"} : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
    %1 = nn.activation %0 {kind = #nn.activation<relu>} : (tensor<8x32xf32>) -> tensor<8x32xf32>
    %2 = nn.matmul %1, %down {subscripts = "bf,fd->bd"} : (tensor<8x32xf32>, tensor<32x16xf32>) -> tensor<8x16xf32>
    %3 = nn.add %2, %bias : (tensor<8x16xf32>, tensor<16xf32>) -> tensor<8x16xf32>
    return %3 : tensor<8x16xf32>
  }
  func.func private @head(%x: tensor<8x16xf32>, %y: tensor<8x16xf32>) -> tensor<f32> {
    %0 = nn.squared_error %x, %y : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<f32>
    return %0 : tensor<f32>
  }
  func.func @step(%x: tensor<8x16xf32> {nn.input = "x", nn.input_role = "data", nn.batch_dim = 0}, %y: tensor<8x16xf32> {nn.input = "y", nn.input_role = "data", nn.batch_dim = 0}, %scalars: tensor<16xf64> {nn.input = "scalars", nn.input_role = "scalars"}) -> (tensor<f32> {nn.output = "loss"}) {
    %up = nn.read_parameter @up : tensor<16x32xf32>
    %down = nn.read_parameter @down : tensor<32x16xf32>
    %bias = nn.read_parameter @bias : tensor<16xf32>
    %0 = call @layer(%x, %up, %down, %bias) {nn.instance = 0 : i64} : (tensor<8x16xf32>, tensor<16x32xf32>, tensor<32x16xf32>, tensor<16xf32>) -> tensor<8x16xf32>
    %1 = call @head(%0, %y) {nn.instance = 0 : i64} : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<f32>
    return %1 : tensor<f32>
  }
}
