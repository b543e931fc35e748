// RUN: mlc-opt %s --train-to-inference | FileCheck %s

graph.parameter @m : tensor<4xf32>

// CHECK-LABEL: func.func @layers
// CHECK-SAME: (%[[X:.*]]: tensor<?x8x4xf32>, %[[S:.*]]: tensor<4xf32>)
func.func @layers(%x: tensor<?x8x4xf32>, %s: tensor<4xf32>) -> tensor<?x8x4xf32> {
  // CHECK-NOT: train.
  %0 = train.random_flip %x {axis = 1 : i64} : tensor<?x8x4xf32>
  %1 = train.dropout %0 {rate = 5.0e-1 : f64} : tensor<?x8x4xf32>
  %m = graph.weight @m : tensor<4xf32>
  // CHECK: %[[M:.*]] = graph.weight @m
  // CHECK: %[[T:.*]] = graph.transpose %[[X]] {permutation = array<i64: 0, 2, 1>}
  // CHECK: %[[N:.*]] = graph.batch_norm %[[T]], %[[S]], %[[S]], %[[M]], %[[M]]
  // CHECK: graph.transpose %[[N]] {permutation = array<i64: 0, 2, 1>}
  %2 = train.batch_norm %1, %s, %s, %m, %m {axis = 2 : i64, momentum = 0.9 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<?x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x8x4xf32>
  return %2 : tensor<?x8x4xf32>
}

// CHECK-LABEL: func.func @channels_first
func.func @channels_first(%x: tensor<?x4xf32>, %s: tensor<4xf32>) -> tensor<?x4xf32> {
  %m = graph.weight @m : tensor<4xf32>
  // CHECK-NOT: graph.transpose
  // CHECK: graph.batch_norm
  %0 = train.batch_norm %x, %s, %s, %m, %m {axis = 1 : i64, momentum = 0.9 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
