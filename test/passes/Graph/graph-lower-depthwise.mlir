// RUN: mlc-opt %s --graph-lower-depthwise | FileCheck %s

// CHECK-DAG: #[[$IN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 * 2 + d4 - 1, d3 * 2 + d5 * 3 - 2)>
// CHECK-DAG: #[[$TAPS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, 0, d4, d5)>
// CHECK-DAG: #[[$LAST:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 + d4 - 1, d2 + d5 - 1, d3)>
// CHECK-DAG: #[[$LANES:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, 0, d4, d5)>
// CHECK-DAG: #[[$OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>

/// The padding is in the map.
// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<2x8x14x14xf32>, %w: tensor<8x1x3x3xf32>) -> tensor<2x8x7x6xf32> {
  // CHECK: %[[INIT:.*]] = tensor.empty() : tensor<2x8x7x6xf32>
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<2x8x14x14xf32>, tensor<8x1x3x3xf32>) outs(%[[INIT]]
  // CHECK-SAME: maps [#[[$IN]], #[[$TAPS]], #[[$OUT]]] parallel 4 sizes [2, 8, 7, 6, 3, 3] bounded
  %0 = graph.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 2, 1, 2>, dilations = array<i64: 1, 3>, groups = 8 : i64} : (tensor<2x8x14x14xf32>, tensor<8x1x3x3xf32>) -> tensor<2x8x7x6xf32>
  return %0 : tensor<2x8x7x6xf32>
}

graph.parameter @taps : tensor<8x1x3x3xf32>

/// With the channels last those are vectorised, so the filter has to be one that can be packed.
// CHECK-LABEL: @channels_last
func.func @channels_last(%x: tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32> {
  // CHECK: kernel.contract {{.*}} maps [#[[$LAST]], #[[$LANES]], #[[$OUT]]] parallel 4 sizes [1, 8, 8, 8, 3, 3] bounded
  %w = graph.weight @taps : tensor<8x1x3x3xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 8 : i64, channels_last} : (tensor<1x8x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x8x8xf32>
  return %0 : tensor<1x8x8x8xf32>
}

// CHECK-LABEL: @no_lower_computed_filter
func.func @no_lower_computed_filter(%x: tensor<1x8x8x8xf32>, %w: tensor<8x1x3x3xf32>) -> tensor<1x8x8x8xf32> {
  // CHECK: graph.conv
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 8 : i64, channels_last} : (tensor<1x8x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x8x8xf32>
  return %0 : tensor<1x8x8x8xf32>
}

/// Groups of two channels.
// CHECK-LABEL: @no_lower_grouped
func.func @no_lower_grouped(%x: tensor<1x8x8x8xf32>, %w: tensor<8x2x3x3xf32>) -> tensor<1x8x8x8xf32> {
  // CHECK: graph.conv
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 4 : i64} : (tensor<1x8x8x8xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x8x8xf32>
  return %0 : tensor<1x8x8x8xf32>
}

// CHECK-LABEL: @no_lower_dynamic
func.func @no_lower_dynamic(%x: tensor<?x8x8x8xf32>, %w: tensor<8x1x3x3xf32>) -> tensor<?x8x8x8xf32> {
  // CHECK: graph.conv
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 8 : i64} : (tensor<?x8x8x8xf32>, tensor<8x1x3x3xf32>) -> tensor<?x8x8x8xf32>
  return %0 : tensor<?x8x8x8xf32>
}
