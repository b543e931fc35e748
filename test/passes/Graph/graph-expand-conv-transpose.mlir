// RUN: mlc-opt %s --graph-expand-conv-transpose | FileCheck %s

graph.parameter @w : tensor<8x4x3x3xf32> {file = "w", offset = 0 : i64}
graph.parameter @g : tensor<8x2x2x2xf32> {file = "g", offset = 0 : i64}
graph.parameter @u : tensor<8x32x3x3xf32> {file = "u", offset = 0 : i64}
graph.parameter @o : tensor<8x32x1x1xf32> {file = "o", offset = 0 : i64}

/// Two taps an axis and phase: 16 channels of four phases, which interleave; then the padding goes.
// CHECK-LABEL: @strided
// CHECK-SAME: %[[X:.*]]: tensor<1x8x5x7xf32>
func.func @strided(%x: tensor<1x8x5x7xf32>) -> tensor<1x4x10x14xf32> {
  // CHECK: %[[IN:.*]] = graph.transpose %[[X]] {permutation = array<i64: 0, 2, 3, 1>}
  // CHECK: graph.pad constant %{{.*}} low [0, 0, 0, 0] high [0, 0, 1, 1] {{.*}} -> tensor<8x4x4x4xf32>
  // CHECK: graph.slice %{{.*}} steps [1, 1, 1, -1, 1, -1, 1]
  // CHECK: %[[F:.*]] = graph.reshape %{{.*}} -> tensor<16x8x2x2xf32>
  // CHECK: %[[Y:.*]] = graph.conv %[[IN]], %[[F]] {channels_last, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
  // CHECK: %[[R:.*]] = graph.reshape %[[Y]] to [1, 6, 8, 1, 2, 2, 4]
  // CHECK: %[[T:.*]] = graph.transpose %[[R]] {permutation = array<i64: 0, 1, 4, 2, 5, 3, 6>}
  // CHECK: %[[J:.*]] = graph.reshape %[[T]] to [1, 12, 16, 4]
  // CHECK: %[[C:.*]] = graph.pad constant %[[J]], %{{.*}} low [0, -1, -1, 0] high [0, -1, -1, 0]
  // CHECK: graph.transpose %[[C]] {permutation = array<i64: 0, 3, 1, 2>}
  // CHECK-NOT: graph.conv_transpose
  %w = graph.weight @w : tensor<8x4x3x3xf32>
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 1>} : (tensor<1x8x5x7xf32>, tensor<8x4x3x3xf32>) -> tensor<1x4x10x14xf32>
  return %0 : tensor<1x4x10x14xf32>
}

/// As many taps as strides: one a phase, nothing to pad or flip; groups stay apart. Sizes may be unknown.
// CHECK-LABEL: @grouped
func.func @grouped(%x: tensor<?x8x?x6xf32>) -> tensor<?x4x?x12xf32> {
  // CHECK: graph.conv {{.*}} {channels_last, dilations = array<i64: 1, 1>, groups = 2 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} {{.*}} tensor<16x4x1x1xf32>
  // CHECK: graph.transpose %{{.*}} {permutation = array<i64: 0, 1, 4, 2, 5, 3, 6>} : (tensor<?x?x6x2x2x2x2xf32>)
  // CHECK-NOT: graph.pad
  // CHECK: return
  %g = graph.weight @g : tensor<8x2x2x2xf32>
  %0 = graph.conv_transpose %x, %g {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 2 : i64} : (tensor<?x8x?x6xf32>, tensor<8x2x2x2xf32>) -> tensor<?x4x?x12xf32>
  return %0 : tensor<?x4x?x12xf32>
}

/// Phases of one tap and of two an axis, whose channels fill vectors: a convolution for each, of the places that are left.
// CHECK-LABEL: @uneven
func.func @uneven(%x: tensor<1x8x5x7xf32>) -> tensor<1x32x10x14xf32> {
  // CHECK: graph.slice %{{.*}} offsets [0, 0, 1, 1] sizes [8, 32, 1, 1] steps [1, 1, -2, -2]
  // CHECK: graph.conv {{.*}} pads = array<i64: 0, 0, 0, 0>, {{.*}} tensor<32x8x1x1xf32>) -> tensor<1x5x7x32xf32>
  // CHECK: graph.slice %{{.*}} offsets [0, 0, 1, 2] sizes [8, 32, 1, 2] steps [1, 1, -2, -2]
  // CHECK: graph.conv {{.*}} pads = array<i64: 0, 0, 0, 1>, {{.*}} tensor<32x8x1x2xf32>) -> tensor<1x5x7x32xf32>
  // CHECK: graph.concat {{.*}} {axis = 4 : i64} {{.*}} -> tensor<1x5x1x7x2x32xf32>
  // CHECK: graph.conv {{.*}} pads = array<i64: 0, 0, 1, 0>, {{.*}} tensor<32x8x2x1xf32>) -> tensor<1x5x7x32xf32>
  // CHECK: graph.conv {{.*}} pads = array<i64: 0, 0, 1, 1>, {{.*}} tensor<32x8x2x2xf32>) -> tensor<1x5x7x32xf32>
  // CHECK: graph.concat {{.*}} {axis = 2 : i64} {{.*}} -> tensor<1x5x2x7x2x32xf32>
  // CHECK-NOT: graph.pad
  // CHECK: graph.reshape %{{.*}} to [1, 10, 14, 32]
  %u = graph.weight @u : tensor<8x32x3x3xf32>
  %0 = graph.conv_transpose %x, %u {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 1>} : (tensor<1x8x5x7xf32>, tensor<8x32x3x3xf32>) -> tensor<1x32x10x14xf32>
  return %0 : tensor<1x32x10x14xf32>
}

/// Phases without a tap are zero.
// CHECK-LABEL: @single
func.func @single(%x: tensor<1x8x5x7xf32>) -> tensor<1x32x10x14xf32> {
  // CHECK: %[[Y:.*]] = graph.conv
  // CHECK-NOT: graph.conv
  // CHECK: %[[R:.*]] = graph.reshape %[[Y]] to [1, 5, 1, 7, 1, 32]
  // CHECK: %[[P:.*]] = graph.pad constant %[[R]], %{{.*}} low [0, 0, 0, 0, 0, 0] high [0, 0, 0, 0, 1, 0]
  // CHECK: graph.pad constant %[[P]], %{{.*}} low [0, 0, 0, 0, 0, 0] high [0, 0, 1, 0, 0, 0]
  %o = graph.weight @o : tensor<8x32x1x1xf32>
  %0 = graph.conv_transpose %x, %o {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 1>} : (tensor<1x8x5x7xf32>, tensor<8x32x1x1xf32>) -> tensor<1x32x10x14xf32>
  return %0 : tensor<1x32x10x14xf32>
}

/// Phases of dilated filters have different taps; filters of a run would be rearranged in each.
// CHECK-LABEL: @no_expand
func.func @no_expand(%x: tensor<1x8x5x5xf32>, %f: tensor<8x4x3x3xf32>) -> (tensor<1x4x13x13xf32>, tensor<1x4x11x11xf32>) {
  // CHECK-COUNT-2: graph.conv_transpose
  %w = graph.weight @w : tensor<8x4x3x3xf32>
  %0 = graph.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>, output_padding = array<i64: 0, 0>} : (tensor<1x8x5x5xf32>, tensor<8x4x3x3xf32>) -> tensor<1x4x13x13xf32>
  %1 = graph.conv_transpose %x, %f {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x8x5x5xf32>, tensor<8x4x3x3xf32>) -> tensor<1x4x11x11xf32>
  return %0, %1 : tensor<1x4x13x13xf32>, tensor<1x4x11x11xf32>
}
