// RUN: mlc-opt %s --graph-choose-winograd --split-input-file | FileCheck %s

// CHECK: graph.parameter @w.winograd : tensor<6x6x32x64xf32> {graph.winograd = @w}
graph.parameter @w : tensor<64x32x3x3xf32> {file = "w", offset = 0 : i64}
// CHECK-LABEL: @many_tiles
func.func @many_tiles(%x: tensor<1x28x28x32xf32>) -> tensor<1x28x28x64xf32> {
  // CHECK: %[[U:.*]] = graph.weight @w.winograd
  // CHECK: graph.winograd_conv %{{.*}}, %[[U]] {pads = array<i64: 1, 1, 1, 1>}
  // CHECK-NOT: graph.conv
  %w = graph.weight @w : tensor<64x32x3x3xf32>
  %0 = graph.conv %x, %w {channels_last, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x28x28x32xf32>, tensor<64x32x3x3xf32>) -> tensor<1x28x28x64xf32>
  return %0 : tensor<1x28x28x64xf32>
}

// -----

graph.parameter @w : tensor<64x32x3x3xf32> {file = "w", offset = 0 : i64}
/// Few tiles do not pay for filters that are four times as large.
// CHECK-LABEL: @no_choose_few_tiles
func.func @no_choose_few_tiles(%x: tensor<1x7x7x32xf32>) -> tensor<1x7x7x64xf32> {
  // CHECK: graph.conv
  %w = graph.weight @w : tensor<64x32x3x3xf32>
  %0 = graph.conv %x, %w {channels_last, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x7x7x32xf32>, tensor<64x32x3x3xf32>) -> tensor<1x7x7x64xf32>
  return %0 : tensor<1x7x7x64xf32>
}

// -----

graph.parameter @w : tensor<64x32x3x3xf32> {file = "w", offset = 0 : i64}
// CHECK-LABEL: @no_choose_strided
func.func @no_choose_strided(%x: tensor<1x56x56x32xf32>) -> tensor<1x28x28x64xf32> {
  // CHECK: graph.conv
  %w = graph.weight @w : tensor<64x32x3x3xf32>
  %0 = graph.conv %x, %w {channels_last, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x56x56x32xf32>, tensor<64x32x3x3xf32>) -> tensor<1x28x28x64xf32>
  return %0 : tensor<1x28x28x64xf32>
}
