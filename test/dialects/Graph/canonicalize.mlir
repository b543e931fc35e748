// RUN: mlc-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: @transpose_of_transpose
func.func @transpose_of_transpose(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK-NOT: graph.transpose
  // CHECK: return %arg0
  %0 = graph.transpose %x {permutation = array<i64: 1, 2, 0>} : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %1 = graph.transpose %0 {permutation = array<i64: 2, 0, 1>} : (tensor<3x4x2xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @no_fold_transpose_that_moves
func.func @no_fold_transpose_that_moves(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  // CHECK: graph.transpose
  %0 = graph.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// CHECK-LABEL: @reshape_to_the_same
func.func @reshape_to_the_same(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: return %arg0
  %0 = graph.reshape %x to [2, 3] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @cast_to_the_same
func.func @cast_to_the_same(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: return %arg0
  %0 = graph.cast %x {element = f32} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: @concat_of_one
func.func @concat_of_one(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: return %arg0
  %0 = graph.concat %x {axis = 0 : i64} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: @log_of_softmax
func.func @log_of_softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: graph.softmax %{{.*}} {axis = 1 : i64, log}
  // CHECK-NOT: graph.log
  %0 = graph.softmax %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.log %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// CHECK-LABEL: @no_log_of_log_softmax
func.func @no_log_of_log_softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: graph.log
  %0 = graph.softmax %x {axis = 1 : i64, log} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.log %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}
