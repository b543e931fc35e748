// RUN: mlc-opt %s --split-input-file --train-build-program --verify-diagnostics | FileCheck %s

// CHECK-NOT: train.program
// CHECK: train.state @w : tensor<4x3xf32> role parameter {initializer = {fan_in = 4 : i64, fan_out = 3 : i64, kind = "glorot_uniform"}}
// CHECK: train.state @scale : tensor<3xf32> role frozen
// CHECK: train.state @mean : tensor<3xf32> role statistic
// CHECK: train.state @"sgd_momentum/w" : tensor<4x3xf32> role optimizer {initializer = {kind = "constant", value = 0.000000e+00 : f64}}
// CHECK-NOT: "sgd_momentum/scale"
// CHECK: train.state @"average/w" : tensor<4x3xf32> role average {initializer = {kind = "copy", of = "w"}}
// CHECK: train.state @"gradient/w" : tensor<4x3xf32> role gradient
train.program @model {loss = {kind = "mse"}, optimizer = {kind = "sgd", momentum = 0.9 : f64}, ema = {decay = 0.99 : f64},
                      clip = {kind = "global_norm", limit = 1.0 : f64}}
graph.parameter @w : tensor<4x3xf32> {initializer = {kind = "glorot_uniform", fan_in = 4 : i64, fan_out = 3 : i64}}
graph.parameter @scale : tensor<3xf32> {frozen}
graph.parameter @mean : tensor<3xf32> {statistic}

// CHECK-LABEL: func.func @step
// CHECK-SAME: {mlc.name = "x", mlc.symbols = ["N", ""]}, %[[LABEL:.*]]: tensor<?x3xf32> {mlc.name = "label", mlc.symbols = ["N", ""]}
// CHECK-SAME: {mlc.name = "learning_rate"}, %{{.*}}: tensor<i64> {mlc.name = "iteration"}, %{{.*}}: tensor<i64> {mlc.name = "seed"})
// CHECK-SAME: -> (tensor<f32> {mlc.name = "loss"}, tensor<?x3xf32> {mlc.name = "y"})
// CHECK: %[[W:.*]] = train.read @w
/// Dropout draws random numbers, and the statistics are the batch's.
// CHECK: graph.random
// CHECK: graph.reduce sum
// CHECK: %[[G:.*]] = train.gradient %[[LOSS:.*]] wrt %[[W]]
// CHECK: train.write @w
// CHECK: train.write @"sgd_momentum/w"
// CHECK: train.write @"average/w"
// CHECK: train.write @mean
// CHECK: return %[[LOSS]]

// CHECK-LABEL: func.func @gradients
// CHECK: {mlc.name = "weight"}
// CHECK: train.write @"gradient/mean"
// CHECK: train.write @"gradient/w"

// CHECK-LABEL: func.func @apply
// CHECK: train.write @w
// CHECK: train.write @"gradient/w"
// CHECK: train.write @mean

/// Evaluation reads averages, and changes nothing.
// CHECK-LABEL: func.func @evaluate
// CHECK-NOT: train.read @w
// CHECK: train.read @"average/w"
// CHECK: train.dropout
// CHECK-NOT: train.write
// CHECK-LABEL: func.func @predict
// CHECK-NOT: train.write
// CHECK-NOT: func.func @model
func.func @model(%x: tensor<?x4xf32> {mlc.name = "x", mlc.symbols = ["N", ""]}) -> (tensor<?x3xf32> {mlc.name = "y"}) {
  %w = graph.weight @w : tensor<4x3xf32>
  %s = graph.weight @scale : tensor<3xf32>
  %m = graph.weight @mean : tensor<3xf32>
  %0 = train.dropout %x {rate = 0.5 : f64} : tensor<?x4xf32>
  %1 = graph.matmul %0, %w : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
  %2 = train.batch_norm %1, %s, %s, %m, %m {axis = 1 : i64, momentum = 0.9 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %2 : tensor<?x3xf32>
}

// -----

/// Without a program there is nothing to build.
// CHECK-LABEL: func.func @plain
func.func @plain(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{requires a function of one block named @nowhere}}
train.program @nowhere {loss = {kind = "mse"}, optimizer = {kind = "sgd"}}

// -----

// expected-error @+1 {{requires a function of one block named @nowhere}}
train.program @f preprocess @nowhere {loss = {kind = "mse"}, optimizer = {kind = "sgd"}}
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

/// The data is prepared before the model sees it; nothing else is left of the function.
// CHECK-LABEL: func.func @step
// CHECK-SAME: (%[[X:.*]]: tensor<2xi32>
// CHECK: graph.cast %[[X]]
// CHECK-NOT: @prepare
train.program @f preprocess @prepare {loss = {kind = "mse"}, optimizer = {kind = "sgd"}}
func.func private @prepare(%x: tensor<2xi32>) -> tensor<2xf32> {
  %0 = graph.cast %x {element = f32} : (tensor<2xi32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{unknown optimizer 'magic'}}
train.program @f {loss = {kind = "mse"}, optimizer = {kind = "magic"}}
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{unknown loss 'magic'}}
train.program @f {loss = {kind = "magic"}, optimizer = {kind = "sgd"}}
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

// expected-error @+1 {{requires a model whose first output is of floats, which the loss is computed of}}
train.program @f {loss = {kind = "mse"}, optimizer = {kind = "sgd"}}
func.func @f(%x: tensor<2xi32>) -> tensor<2xi32> {
  return %x : tensor<2xi32>
}
