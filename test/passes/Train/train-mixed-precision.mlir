// RUN: mlc-opt %s --split-input-file --train-mixed-precision | FileCheck %s -enable-var-scope

train.program @model {loss = {kind = "mse"}, optimizer = {kind = "sgd"}, precision = "bf16"}
graph.parameter @w : tensor<4x8xf32>
graph.parameter @b : tensor<8xf32>
graph.parameter @v : tensor<8x8xf32>

/// Weights stay f32 and are cast once. The product, its bias and the activation are bf16; softmax is f32.
// CHECK-LABEL: func.func @model
// CHECK-SAME: (%{{.*}}: tensor<?x4xf32>) -> tensor<?x8xf32>
// CHECK: %[[W:.*]] = graph.weight @w : tensor<4x8xf32>
// CHECK-NEXT: %[[WH:.*]] = graph.cast %[[W]] {element = bf16} : (tensor<4x8xf32>) -> tensor<4x8xbf16>
// CHECK: %[[P:.*]] = graph.matmul %{{.*}}, %[[WH]] : (tensor<?x4xbf16>, tensor<4x8xbf16>) -> tensor<?x8xbf16>
// CHECK: %[[S:.*]] = graph.add %[[P]], %{{.*}} : (tensor<?x8xbf16>, tensor<8xbf16>) -> tensor<?x8xbf16>
// CHECK: %[[T:.*]] = graph.tanh %[[S]] : (tensor<?x8xbf16>) -> tensor<?x8xbf16>
// CHECK: %[[TS:.*]] = graph.cast %[[T]] {element = f32} : (tensor<?x8xbf16>) -> tensor<?x8xf32>
// CHECK: graph.softmax %[[TS]] {{.*}} tensor<?x8xf32>
// CHECK-NOT: graph.cast %[[W]]
// CHECK: graph.matmul %{{.*}}, %[[WH]]
// CHECK: return %{{.*}} : tensor<?x8xf32>
func.func @model(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %w = graph.weight @w : tensor<4x8xf32>
  %b = graph.weight @b : tensor<8xf32>
  %0 = graph.matmul %x, %w : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %1 = graph.add %0, %b : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %2 = graph.tanh %1 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %3 = graph.softmax %2 {axis = 1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %4 = graph.matmul %x, %w : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %5 = graph.add %3, %4 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

/// Not the model.
// CHECK-LABEL: func.func private @no_change
// CHECK-NOT: bf16
// CHECK: return
func.func private @no_change(%x: tensor<?x4xf32>, %y: tensor<4x4xf32>) -> tensor<?x4xf32> {
  %0 = graph.matmul %x, %y : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

/// A sum of a value in f32 and one in bf16 is f32; weights alone are not lowered, integers have no precision.
train.program @mixed {loss = {kind = "mse"}, optimizer = {kind = "sgd"}, precision = "bf16"}
graph.parameter @w : tensor<4x4xf32>

// CHECK-LABEL: func.func @mixed
// CHECK: graph.transpose %{{.*}} : (tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK: graph.matmul {{.*}} -> tensor<2x4xbf16>
// CHECK: graph.add {{.*}} -> tensor<2x4xf32>
// CHECK: graph.matmul {{.*}} -> tensor<2x2xi32>
func.func @mixed(%x: tensor<2x4xf32>, %i: tensor<2x2xi32>) -> (tensor<2x4xf32>, tensor<2x2xi32>) {
  %w = graph.weight @w : tensor<4x4xf32>
  %0 = graph.transpose %w {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = graph.matmul %x, %0 : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %2 = graph.add %x, %1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = graph.matmul %i, %i : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<2x2xi32>
  return %2, %3 : tensor<2x4xf32>, tensor<2x2xi32>
}

// -----

/// The default.
train.program @single {loss = {kind = "mse"}, optimizer = {kind = "sgd"}, precision = "f32"}
// CHECK-LABEL: func.func @single
// CHECK-NOT: bf16
func.func @single(%x: tensor<2x4xf32>, %y: tensor<4x4xf32>) -> tensor<2x4xf32> {
  %0 = graph.matmul %x, %y : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
