// RUN: mlc-opt %s --graph-fold-weights | FileCheck %s


graph.parameter @w : tensor<2x3xf32>
graph.parameter @b : tensor<3xf32>
graph.parameter @u : tensor<4xui8>
// CHECK: graph.parameter @w : tensor<2x3xf32>

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

// CHECK-LABEL: @no_fold_without_weights
func.func @no_fold_without_weights() -> tensor<3xf32> {
  // CHECK: graph.exp
  %0 = graph.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %1 = graph.exp %0 : (tensor<3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}

// CHECK-LABEL: @no_fold_what_is_not_evaluated
func.func @no_fold_what_is_not_evaluated() -> tensor<3xf32> {
  // CHECK: graph.erf
  %0 = graph.weight @b : tensor<3xf32>
  %1 = graph.erf %0 : (tensor<3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}
