// RUN: mlc-opt %s --graph-choose-winograd --split-input-file | FileCheck %s
// RUN: mlc-opt %s --graph-choose-winograd=runtime-filters --split-input-file | FileCheck %s --check-prefixes=CHECK,RUNTIME

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

// -----

/// Filters that a run knows are transformed in it.
// CHECK-LABEL: @runtime_filter
func.func @runtime_filter(%x: tensor<?x16x16x32xf32>, %w: tensor<64x32x3x3xf32>) -> tensor<?x16x16x64xf32> {
  // RUNTIME: %[[U:.*]] = graph.winograd_filter %{{.*}} : tensor<64x32x3x3xf32> -> tensor<6x6x32x64xf32>
  // RUNTIME: graph.winograd_conv %{{.*}}, %[[U]]
  %0 = graph.conv %x, %w {channels_last, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<?x16x16x32xf32>, tensor<64x32x3x3xf32>) -> tensor<?x16x16x64xf32>
  return %0 : tensor<?x16x16x64xf32>
}

// -----

/// The filter of an input gradient is turned by its transformation.
// CHECK-LABEL: @turned_filter
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<64x32x3x3xf32>
func.func @turned_filter(%dy: tensor<?x16x16x64xf32>, %w: tensor<64x32x3x3xf32>) -> tensor<?x16x16x32xf32> {
  // RUNTIME: %[[U:.*]] = graph.winograd_filter %[[W]] {turned} : tensor<64x32x3x3xf32> -> tensor<6x6x64x32xf32>
  // RUNTIME: graph.winograd_conv %{{.*}}, %[[U]]
  %0 = graph.slice %w offsets [0, 0, 2, 2] sizes [64, 32, 3, 3] steps [1, 1, -1, -1] : tensor<64x32x3x3xf32> -> tensor<64x32x3x3xf32>
  %1 = graph.transpose %0 {permutation = array<i64: 1, 0, 2, 3>} : (tensor<64x32x3x3xf32>) -> tensor<32x64x3x3xf32>
  %2 = graph.conv %dy, %1 {channels_last, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<?x16x16x64xf32>, tensor<32x64x3x3xf32>) -> tensor<?x16x16x32xf32>
  return %2 : tensor<?x16x16x32xf32>
}

// -----

// CHECK-LABEL: @filter_gradient
func.func @filter_gradient(%x: tensor<?x16x16x32xf32>, %dy: tensor<?x16x16x64xf32>) -> tensor<64x32x3x3xf32> {
  // RUNTIME: graph.winograd_filter_gradient %{{.*}}, %{{.*}} {pads = array<i64: 1, 1, 1, 1>}
  %0 = graph.conv_filter_gradient %x, %dy {channels_last, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<?x16x16x32xf32>, tensor<?x16x16x64xf32>) -> tensor<64x32x3x3xf32>
  return %0 : tensor<64x32x3x3xf32>
}

// -----

/// Few places for so many filters.
// CHECK-LABEL: @no_choose_small_images
func.func @no_choose_small_images(%x: tensor<?x3x3x32xf32>, %dy: tensor<?x3x3x64xf32>) -> tensor<64x32x3x3xf32> {
  // CHECK: graph.conv_filter_gradient
  %0 = graph.conv_filter_gradient %x, %dy {channels_last, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<?x3x3x32xf32>, tensor<?x3x3x64xf32>) -> tensor<64x32x3x3xf32>
  return %0 : tensor<64x32x3x3xf32>
}
