// RUN: mlc-opt %s | mlc-opt | FileCheck %s

// CHECK: train.program @model {loss = {kind = "mse"}, optimizer = {kind = "sgd", learning_rate = 1.000000e-02 : f64}}
train.program @model {loss = {kind = "mse"}, optimizer = {kind = "sgd", learning_rate = 1.0e-2 : f64}}
// CHECK: train.state @w : tensor<64x10xf32> role parameter {initializer = {kind = "zeros"}}
train.state @w : tensor<64x10xf32> role parameter {initializer = {kind = "zeros"}}
// CHECK: graph.parameter @p : tensor<4xf32> {frozen, initializer = {kind = "ones"}}
graph.parameter @p : tensor<4xf32> {initializer = {kind = "ones"}, frozen}

// CHECK-LABEL: func.func @model
func.func @model(%x: tensor<?x8x8x4xf32>, %s: tensor<4xf32>, %loss: tensor<f32>) -> tensor<?x8x8x4xf32> {
  // CHECK: %[[W:.*]] = train.read @w : tensor<64x10xf32>
  %w = train.read @w : tensor<64x10xf32>
  // CHECK: %[[G:.*]] = train.gradient %{{.*}} wrt %[[W]] : (tensor<f32>, tensor<64x10xf32>) -> tensor<64x10xf32>
  %g = train.gradient %loss wrt %w : (tensor<f32>, tensor<64x10xf32>) -> tensor<64x10xf32>
  // CHECK: train.write @w, %[[G]] : tensor<64x10xf32>
  train.write @w, %g : tensor<64x10xf32>
  // CHECK: train.random_flip %{{.*}} {axis = 2 : i64} : tensor<?x8x8x4xf32>
  %0 = train.random_flip %x {axis = 2 : i64} : tensor<?x8x8x4xf32>
  // CHECK: train.random_crop %{{.*}} {axes = array<i64: 1, 2>, padding = 4 : i64} : tensor<?x8x8x4xf32>
  %1 = train.random_crop %0 {axes = array<i64: 1, 2>, padding = 4 : i64} : tensor<?x8x8x4xf32>
  // CHECK: train.dropout %{{.*}} {rate = 5.000000e-01 : f64} : tensor<?x8x8x4xf32>
  %2 = train.dropout %1 {rate = 5.0e-1 : f64} : tensor<?x8x8x4xf32>
  %m = graph.weight @p : tensor<4xf32>
  // CHECK: train.batch_norm
  %3 = train.batch_norm %2, %s, %s, %m, %m {axis = 3 : i64, momentum = 9.9e-1 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<?x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x8x8x4xf32>
  return %3 : tensor<?x8x8x4xf32>
}
