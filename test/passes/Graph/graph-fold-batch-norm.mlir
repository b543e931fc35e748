// RUN: mlc-opt %s --graph-fold-batch-norm | FileCheck %s


graph.parameter @w : tensor<4x3x1x1xf32>
graph.parameter @t : tensor<3x4x2x2xf32>
graph.parameter @c : tensor<4xf32>
graph.parameter @h : tensor<4xf16>

// CHECK-LABEL: @after_conv
// CHECK-SAME: (%[[X:.*]]: tensor
func.func @after_conv(%x: tensor<?x3x8x8xf32>) -> tensor<?x4x8x8xf32> {
  // CHECK-DAG: %[[W:.*]] = graph.weight @w
  // CHECK-DAG: %[[C:.*]] = graph.weight @c
  // CHECK-DAG: %[[EPS:.*]] = graph.constant dense<9.99999974E-6>
  // CHECK: %[[V:.*]] = graph.add %[[C]], %[[EPS]]
  // CHECK: %[[D:.*]] = graph.sqrt %[[V]]
  // CHECK: %[[S:.*]] = graph.div %[[C]], %[[D]]
  // CHECK: %[[M:.*]] = graph.mul %[[C]], %[[S]]
  // CHECK: %[[T:.*]] = graph.sub %[[C]], %[[M]]
  // CHECK: %[[FILTER:.*]] = graph.mul %[[W]], %{{.*}} : (tensor<4x3x1x1xf32>, tensor<4x1x1x1xf32>)
  // CHECK: %[[CONV:.*]] = graph.conv %[[X]], %[[FILTER]]
  // CHECK: %[[PLACED:.*]] = graph.reshape %[[T]] to [4, 1, 1]
  // CHECK: %[[SUM:.*]] = graph.add %[[CONV]], %[[PLACED]]
  // CHECK: return %[[SUM]]
  %w = graph.weight @w : tensor<4x3x1x1xf32>
  %c = graph.weight @c : tensor<4xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<?x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<?x4x8x8xf32>
  %1 = graph.batch_norm %0, %c, %c, %c, %c {epsilon = 1.0e-5} : (tensor<?x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4x8x8xf32>
  return %1 : tensor<?x4x8x8xf32>
}

/// The bias is scaled, too, and there is one term.
// CHECK-LABEL: @after_conv_with_bias
// CHECK-SAME: (%[[X:.*]]: tensor
func.func @after_conv_with_bias(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // CHECK: %[[CONV:.*]] = graph.conv %[[X]]
  // CHECK: %[[SUM:.*]] = graph.add %[[CONV]], %{{.*}} : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>)
  // CHECK-NEXT: return %[[SUM]]
  %w = graph.weight @w : tensor<4x3x1x1xf32>
  %c = graph.weight @c : tensor<4xf32>
  %b = graph.reshape %c to [4, 1, 1] : tensor<4xf32> -> tensor<4x1x1xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.add %0, %b : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  %2 = graph.batch_norm %1, %c, %c, %c, %c {epsilon = 1.0e-5} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  return %2 : tensor<1x4x8x8xf32>
}

// CHECK-LABEL: @factor_after_conv
func.func @factor_after_conv(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // CHECK: graph.mul %{{.*}} : (tensor<4x3x1x1xf32>, tensor<4x1x1x1xf32>)
  // CHECK: %[[CONV:.*]] = graph.conv
  // CHECK-NEXT: return %[[CONV]]
  %w = graph.weight @w : tensor<4x3x1x1xf32>
  %c = graph.weight @c : tensor<4xf32>
  %b = graph.reshape %c to [4, 1, 1] : tensor<4xf32> -> tensor<4x1x1xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.mul %b, %0 : (tensor<4x1x1xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %1 : tensor<1x4x8x8xf32>
}

/// The channels of the result are the second axis of the filter.
// CHECK-LABEL: @factor_after_conv_transpose
func.func @factor_after_conv_transpose(%x: tensor<1x3x4x4xf32>) -> tensor<1x4x8x8xf32> {
  // CHECK: graph.mul %{{.*}} : (tensor<3x4x2x2xf32>, tensor<1x4x1x1xf32>)
  // CHECK: %[[CONV:.*]] = graph.conv_transpose
  // CHECK-NEXT: return %[[CONV]]
  %w = graph.weight @t : tensor<3x4x2x2xf32>
  %c = graph.weight @c : tensor<4xf32>
  %b = graph.reshape %c to [4, 1, 1] : tensor<4xf32> -> tensor<4x1x1xf32>
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x3x4x4xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.mul %0, %b : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %1 : tensor<1x4x8x8xf32>
}

/// Without a convolution it is a factor and a term, computed in f32 for halves.
// CHECK-LABEL: @alone
// CHECK-SAME: (%[[X:.*]]: tensor
func.func @alone(%x: tensor<2x4xf16>) -> tensor<2x4xf16> {
  // CHECK: graph.sqrt {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: %[[MUL:.*]] = graph.mul %[[X]], %{{.*}} : (tensor<2x4xf16>, tensor<4xf16>)
  // CHECK: graph.add %[[MUL]], %{{.*}} : (tensor<2x4xf16>, tensor<4xf16>)
  %c = graph.weight @h : tensor<4xf16>
  %0 = graph.batch_norm %x, %c, %c, %c, %c {epsilon = 1.0e-5} : (tensor<2x4xf16>, tensor<4xf16>, tensor<4xf16>, tensor<4xf16>, tensor<4xf16>) -> tensor<2x4xf16>
  return %0 : tensor<2x4xf16>
}

// CHECK-LABEL: @no_fold_unknown_statistics
func.func @no_fold_unknown_statistics(%x: tensor<2x4xf32>, %mean: tensor<4xf32>) -> tensor<2x4xf32> {
  // CHECK: graph.batch_norm
  %c = graph.weight @c : tensor<4xf32>
  %0 = graph.batch_norm %x, %c, %c, %mean, %c {epsilon = 1.0e-5} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

/// The convolution itself is read, too.
// CHECK-LABEL: @no_fold_two_uses
func.func @no_fold_two_uses(%x: tensor<1x3x8x8xf32>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) {
  // CHECK: %[[CONV:.*]] = graph.conv
  // CHECK: graph.mul %[[CONV]]
  %w = graph.weight @w : tensor<4x3x1x1xf32>
  %c = graph.constant dense<2.0> : tensor<4x1x1xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.mul %0, %c : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  return %0, %1 : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>
}

/// A factor for each column cannot move over the sum.
// CHECK-LABEL: @no_fold_factor_of_columns
func.func @no_fold_factor_of_columns(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  // CHECK: %[[CONV:.*]] = graph.conv
  // CHECK: graph.mul %[[CONV]]
  %w = graph.weight @w : tensor<4x3x1x1xf32>
  %c = graph.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %1 = graph.mul %0, %c : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
  return %1 : tensor<1x4x8x8xf32>
}
