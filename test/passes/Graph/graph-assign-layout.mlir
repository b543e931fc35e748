// RUN: mlc-opt %s --graph-assign-layout | FileCheck %s

graph.parameter @w : tensor<4x3x3x3xf32> {file = "w", offset = 0 : i64}
graph.parameter @v : tensor<4x4x1x1xf32> {file = "v", offset = 0 : i64}

/// Between two convolutions nothing is transposed.
// CHECK-LABEL: @chain
func.func @chain(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // CHECK: graph.transpose %{{.*}} {permutation = array<i64: 0, 2, 3, 1>}
  // CHECK: graph.conv {{.*}}channels_last{{.*}} -> tensor<1x8x8x4xf32>
  // CHECK-NOT: graph.transpose
  // CHECK: graph.max
  // CHECK-NOT: graph.transpose
  // CHECK: graph.conv {{.*}}channels_last
  // CHECK: graph.transpose %{{.*}} {permutation = array<i64: 0, 3, 1, 2>}
  %w = graph.weight @w : tensor<4x3x3x3xf32>
  %v = graph.weight @v : tensor<4x4x1x1xf32>
  %zero = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.max %0, %zero : (tensor<1x4x8x8xf32>, tensor<f32>) -> tensor<1x4x8x8xf32>
  %2 = graph.conv %1, %v {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %2 : tensor<1x4x8x8xf32>
}

/// An average over the image needs no transposition.
// CHECK-LABEL: @global_pool
func.func @global_pool(%x: tensor<1x4x8x8xf32>) -> tensor<1x4xf32> {
  // CHECK: graph.pool max {{.*}}channels_last
  // CHECK-NEXT: graph.reduce sum %{{.*}} {axes = array<i64: 1, 2>}
  // CHECK-NOT: graph.transpose
  // CHECK: return
  %0 = graph.pool max %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %1 = graph.reduce sum %0 {axes = array<i64: 2, 3>} : (tensor<1x4x4x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

/// A graph without convolutions stays as it is.
// CHECK-LABEL: @no_assign
func.func @no_assign(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // CHECK: graph.transpose %{{.*}} {permutation = array<i64: 1, 0>}
  %0 = graph.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

graph.parameter @column : tensor<64x16x3x1xf32>
graph.parameter @wide : tensor<64x32x1x1xf32>
graph.parameter @back : tensor<32x64x1x1xf32>
graph.parameter @window : tensor<64x64x3x3xf32>

/// Pixels of 16×16 fill vectors as well as channels do, and nothing is transposed: also strided, the pixels first.
// CHECK-LABEL: @no_assign_products
func.func @no_assign_products(%x: tensor<1x32x32x32xf32>) -> tensor<1x32x16x16xf32> {
  // CHECK-NOT: graph.transpose
  // CHECK: %[[S:.*]] = graph.slice %{{.*}} offsets [0, 0, 0, 0] sizes [1, 32, 16, 16] steps [1, 1, 2, 2]
  // CHECK: %[[C:.*]] = graph.conv %[[S]], {{.*}}strides = array<i64: 1, 1>} : (tensor<1x32x16x16xf32>
  // CHECK: %[[M:.*]] = graph.max %[[C]]
  // CHECK: graph.conv %[[M]]
  // CHECK-NOT: graph.transpose
  // CHECK: return
  %w = graph.weight @wide : tensor<64x32x1x1xf32>
  %b = graph.weight @back : tensor<32x64x1x1xf32>
  %zero = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x32x32x32xf32>, tensor<64x32x1x1xf32>) -> tensor<1x64x16x16xf32>
  %1 = graph.max %0, %zero : (tensor<1x64x16x16xf32>, tensor<f32>) -> tensor<1x64x16x16xf32>
  %2 = graph.conv %1, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x64x16x16xf32>, tensor<32x64x1x1xf32>) -> tensor<1x32x16x16xf32>
  return %2 : tensor<1x32x16x16xf32>
}

/// Of 3×3 pixels most lanes would be empty.
// CHECK-LABEL: @few_pixels
func.func @few_pixels(%x: tensor<1x32x3x3xf32>) -> tensor<1x64x3x3xf32> {
  // CHECK: graph.conv {{.*}}channels_last
  %w = graph.weight @wide : tensor<64x32x1x1xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x32x3x3xf32>, tensor<64x32x1x1xf32>) -> tensor<1x64x3x3xf32>
  return %0 : tensor<1x64x3x3xf32>
}

/// A neighbour that runs with the channels last takes the product along.
// CHECK-LABEL: @neighbour
func.func @neighbour(%x: tensor<1x32x16x16xf32>) -> tensor<1x64x16x16xf32> {
  // CHECK: graph.conv {{.*}}channels_last
  // CHECK-NEXT: graph.conv {{.*}}channels_last
  %w = graph.weight @wide : tensor<64x32x1x1xf32>
  %k = graph.weight @window : tensor<64x64x3x3xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x32x16x16xf32>, tensor<64x32x1x1xf32>) -> tensor<1x64x16x16xf32>
  %1 = graph.conv %0, %k {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x64x16x16xf32>, tensor<64x64x3x3xf32>) -> tensor<1x64x16x16xf32>
  return %1 : tensor<1x64x16x16xf32>
}

/// A transposition passes axes of one element that vanish or appear, and is a reshape where no element moves.
// CHECK-LABEL: @unit_axes
func.func @unit_axes(%x: tensor<?x16x32xf32>, %n: index) -> tensor<?x64x32x1xf32> {
  // CHECK: graph.conv {{.*}}channels_last
  // CHECK-NOT: graph.transpose
  // CHECK: graph.reshape {{.*}} -> tensor<?x32x64xf32>
  // CHECK: %[[M:.*]] = graph.max {{.*}} -> tensor<?x32x64xf32>
  // CHECK: %[[R:.*]] = graph.reshape %[[M]] {{.*}} -> tensor<?x32x64x1xf32>
  // CHECK: graph.transpose %[[R]] {permutation = array<i64: 0, 2, 1, 3>}
  %w = graph.weight @column : tensor<64x16x3x1xf32>
  %zero = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.reshape %x to [%n, 16, 32, 1] : tensor<?x16x32xf32> -> tensor<?x16x32x1xf32>
  %1 = graph.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, dilations = array<i64: 1, 1>} : (tensor<?x16x32x1xf32>, tensor<64x16x3x1xf32>) -> tensor<?x64x32x1xf32>
  %2 = graph.reshape %1 to [%n, 64, 32] : tensor<?x64x32x1xf32> -> tensor<?x64x32xf32>
  %3 = graph.max %2, %zero : (tensor<?x64x32xf32>, tensor<f32>) -> tensor<?x64x32xf32>
  %4 = graph.reshape %3 to [%n, 64, 32, 1] : tensor<?x64x32xf32> -> tensor<?x64x32x1xf32>
  return %4 : tensor<?x64x32x1xf32>
}

graph.parameter @bytes : tensor<64x32x1x1xi8>
/// Dot products take channels that lie side by side.
// CHECK-LABEL: @bytes_last
func.func @bytes_last(%x: tensor<1x32x32x32xui8>) -> tensor<1x64x32x32xi32> {
  // CHECK: graph.conv {{.*}}channels_last
  %w = graph.weight @bytes : tensor<64x32x1x1xi8>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x32x32x32xui8>, tensor<64x32x1x1xi8>) -> tensor<1x64x32x32xi32>
  return %0 : tensor<1x64x32x32xi32>
}

graph.parameter @taps : tensor<32x1x3x3xf32>

/// Lines of 14 pixels nearly fill vectors, and borders are twice the transpositions.
// CHECK-LABEL: @no_assign_depthwise
func.func @no_assign_depthwise(%x: tensor<1x32x14x14xf32>) -> tensor<1x32x14x14xf32> {
  // CHECK-NOT: graph.transpose
  // CHECK-NOT: channels_last
  // CHECK: return
  %w = graph.weight @taps : tensor<32x1x3x3xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 32 : i64} : (tensor<1x32x14x14xf32>, tensor<32x1x3x3xf32>) -> tensor<1x32x14x14xf32>
  return %0 : tensor<1x32x14x14xf32>
}

/// A model that has its channels last already keeps them there.
// CHECK-LABEL: @transposed_already
func.func @transposed_already(%x: tensor<1x14x14x32xf32>) -> tensor<1x14x14x32xf32> {
  // CHECK-NOT: graph.transpose
  // CHECK: graph.conv %arg0, {{.*}}channels_last
  // CHECK-NOT: graph.transpose
  // CHECK: return
  %w = graph.weight @taps : tensor<32x1x3x3xf32>
  %0 = graph.transpose %x {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x14x14x32xf32>) -> tensor<1x32x14x14xf32>
  %1 = graph.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 32 : i64} : (tensor<1x32x14x14xf32>, tensor<32x1x3x3xf32>) -> tensor<1x32x14x14xf32>
  %2 = graph.transpose %1 {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x32x14x14xf32>) -> tensor<1x14x14x32xf32>
  return %2 : tensor<1x14x14x32xf32>
}

graph.parameter @first : tensor<32x3x3x3xf32>

/// The image is padded as it comes; its transposition becomes strides of the sum of products.
// CHECK-LABEL: @few_channels
func.func @few_channels(%x: tensor<1x3x16x16xf32>) -> tensor<1x32x16x16xf32> {
  // CHECK: %[[P:.*]] = graph.pad constant %arg0, %{{.*}} low [0, 0, 1, 2] high [0, 0, 1, 0] : tensor<1x3x16x16xf32>
  // CHECK: %[[T:.*]] = graph.transpose %[[P]]
  // CHECK: graph.conv %[[T]], {{.*}}channels_last{{.*}}pads = array<i64: 0, 0, 0, 0>
  %w = graph.weight @first : tensor<32x3x3x3xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 2, 1, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x16x16xf32>, tensor<32x3x3x3xf32>) -> tensor<1x32x16x16xf32>
  return %0 : tensor<1x32x16x16xf32>
}
