// RUN: mlc-opt %s --graph-fold-weights | FileCheck %s

graph.parameter @w : tensor<2x3xf32>
graph.parameter @b : tensor<3xf32>
graph.parameter @u : tensor<4xui8>
graph.parameter @q : tensor<8x4xi8>
// CHECK: graph.parameter @b : tensor<3xf32>
/// The largest subgraph is one parameter, behind all that it reads.
// CHECK: graph.parameter @w.folded{{.*}} : tensor<3x2xf32> = {
// CHECK-NEXT: %[[W:.*]] = graph.weight @w
// CHECK-NEXT: %[[B:.*]] = graph.weight @b
// CHECK-NEXT: %[[SUM:.*]] = graph.add %[[W]], %[[B]]
// CHECK-NEXT: %[[T:.*]] = graph.transpose %[[SUM]]
// CHECK-NEXT: graph.yield %[[T]]

// CHECK-LABEL: @chain
func.func @chain(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  // CHECK-NEXT: %[[F:.*]] = graph.weight @w.folded
  // CHECK-NEXT: graph.mul %{{.*}}, %[[F]]
  %0 = graph.weight @w : tensor<2x3xf32>
  %1 = graph.weight @b : tensor<3xf32>
  %2 = graph.add %0, %1 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %3 = graph.transpose %2 {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %4 = graph.mul %x, %3 : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %4 : tensor<3x2xf32>
}

/// What is read here and by another folded value is computed once.
// CHECK-LABEL: @shared
func.func @shared(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<6xf32>) {
  // CHECK-DAG: graph.weight @[[FIRST:w.folded[_0-9]+]] : tensor<2x3xf32>
  // CHECK-DAG: graph.weight @[[SECOND:w.folded[_0-9]+]] : tensor<6xf32>
  // CHECK-NOT: graph.exp
  %0 = graph.weight @w : tensor<2x3xf32>
  %1 = graph.exp %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = graph.reshape %1 to [6] : tensor<2x3xf32> -> tensor<6xf32>
  %3 = graph.mul %x, %1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %3, %2 : tensor<2x3xf32>, tensor<6xf32>
}

// CHECK-LABEL: @with_constant
func.func @with_constant() -> tensor<4xui8> {
  // CHECK-NEXT: %[[F:.*]] = graph.weight @u.folded
  // CHECK-NEXT: return %[[F]]
  %0 = graph.weight @u : tensor<4xui8>
  %1 = graph.constant dense<3> : tensor<ui8>
  %2 = graph.mul %0, %1 : (tensor<4xui8>, tensor<ui8>) -> tensor<4xui8>
  return %2 : tensor<4xui8>
}

// CHECK-LABEL: @no_fold_broadcast
func.func @no_fold_broadcast() -> tensor<9x3xf32> {
  // CHECK: graph.expand
  %0 = graph.weight @b : tensor<3xf32>
  %1 = graph.expand %0 to [9, 3] : tensor<3xf32> -> tensor<9x3xf32>
  return %1 : tensor<9x3xf32>
}

// CHECK-LABEL: @constants
func.func @constants() -> tensor<3xf32> {
  // CHECK-NEXT: %[[F:.*]] = graph.weight @constant.folded
  // CHECK-NEXT: return %[[F]]
  %0 = graph.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %1 = graph.exp %0 : (tensor<3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: @no_fold_integers_without_weights
func.func @no_fold_integers_without_weights() -> tensor<3xi64> {
  // CHECK: graph.abs
  %0 = graph.constant dense<[1, 2, 3]> : tensor<3xi64>
  %1 = graph.abs %0 : (tensor<3xi64>) -> tensor<3xi64>
  return %1 : tensor<3xi64>
}

// CHECK-LABEL: @no_fold_what_is_not_evaluated
func.func @no_fold_what_is_not_evaluated() -> tensor<3xf32> {
  // CHECK: graph.erf
  %0 = graph.weight @b : tensor<3xf32>
  %1 = graph.erf %0 : (tensor<3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}

/// What is large by itself, but only summed, is folded with the sum; weights that are dequantized grow.
// CHECK-LABEL: @sums_of_bytes
func.func @sums_of_bytes(%x: tensor<4xi32>, %y: tensor<8x4xf32>) -> (tensor<4xi32>, tensor<8x4xf32>) {
  // CHECK-DAG: graph.weight @{{.*}} : tensor<4xi32>
  // CHECK-DAG: graph.weight @{{.*}} : tensor<8x4xf32>
  // CHECK-NOT: graph.reduce
  // CHECK-NOT: graph.dequantize
  // CHECK: return
  %0 = graph.weight @q : tensor<8x4xi8>
  %1 = graph.cast %0 {element = i32} : (tensor<8x4xi8>) -> tensor<8x4xi32>
  %2 = graph.reduce sum %1 {axes = array<i64: 0>} : (tensor<8x4xi32>) -> tensor<4xi32>
  %3 = graph.add %x, %2 : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %s = graph.constant dense<0.5> : tensor<f32>
  %z = graph.constant dense<0> : tensor<i8>
  %4 = graph.dequantize %0, %s, %z : (tensor<8x4xi8>, tensor<f32>, tensor<i8>) -> tensor<8x4xf32>
  %5 = graph.add %y, %4 : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  return %3, %5 : tensor<4xi32>, tensor<8x4xf32>
}

/// What is large and read as it is stays.
// CHECK-LABEL: @large
func.func @large(%x: tensor<8x4xi32>) -> tensor<8x4xi32> {
  // CHECK: graph.cast
  %0 = graph.weight @q : tensor<8x4xi8>
  %1 = graph.cast %0 {element = i32} : (tensor<8x4xi8>) -> tensor<8x4xi32>
  %2 = graph.add %x, %1 : (tensor<8x4xi32>, tensor<8x4xi32>) -> tensor<8x4xi32>
  return %2 : tensor<8x4xi32>
}
