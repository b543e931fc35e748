// RUN: mlc-opt %s --graph-form-integer-products --split-input-file | FileCheck %s

graph.parameter @w : tensor<8x4x3x3xi8> {file = "w", offset = 0 : i64}
/// The scales leave the sum; the input's zero point is the padding, and is taken off by the sums of the filters. What is
/// quantized behind it is multiplied.
// CHECK-LABEL: @conv
func.func @conv(%x: tensor<1x4x8x8xui8>, %t: tensor<8x1x1x1xf32>) -> tensor<1x8x8x8xui8> {
  // CHECK: %[[PADDED:.*]] = graph.pad constant
  // CHECK: %[[SUM:.*]] = graph.conv %[[PADDED]], %{{.*}} pads = array<i64: 0, 0, 0, 0>{{.*}} (tensor<1x4x10x10xui8>, tensor<8x4x3x3xi8>) -> tensor<1x8x8x8xi32>
  // CHECK: graph.reduce sum
  // CHECK: %[[CENTRED:.*]] = graph.sub %[[SUM]]
  // CHECK: graph.cast %[[CENTRED]] {element = f32}
  // CHECK: %[[INVERSE:.*]] = graph.mul %{{.*}}, %{{.*}} : (tensor<1x8x8x8xf32>, tensor<f32>)
  // CHECK: graph.quantize %[[INVERSE]]
  %w = graph.weight @w : tensor<8x4x3x3xi8>
  %s = graph.constant dense<0.5> : tensor<f32>
  %z = graph.constant dense<7> : tensor<ui8>
  %none = graph.constant dense<0> : tensor<i8>
  %0 = graph.dequantize %x, %s, %z : (tensor<1x4x8x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x4x8x8xf32>
  %1 = graph.dequantize %w, %t, %none : (tensor<8x4x3x3xi8>, tensor<8x1x1x1xf32>, tensor<i8>) -> tensor<8x4x3x3xf32>
  %2 = graph.conv %0, %1 {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<8x4x3x3xf32>) -> tensor<1x8x8x8xf32>
  %3 = graph.div %2, %s : (tensor<1x8x8x8xf32>, tensor<f32>) -> tensor<1x8x8x8xf32>
  %4 = graph.quantize %3, %z : (tensor<1x8x8x8xf32>, tensor<ui8>) -> tensor<1x8x8x8xui8>
  return %4 : tensor<1x8x8x8xui8>
}

// -----

graph.parameter @w : tensor<6x4xi8> {file = "w", offset = 0 : i64}
/// A transposed weight, with a scale a column.
// CHECK-LABEL: @matmul
func.func @matmul(%x: tensor<2x4xi8>, %t: tensor<6x1xf32>) -> tensor<2x6xf32> {
  // CHECK: %[[W:.*]] = graph.transpose %{{.*}} : (tensor<6x4xi8>) -> tensor<4x6xi8>
  // CHECK: graph.matmul %{{.*}}, %[[W]] : (tensor<2x4xi8>, tensor<4x6xi8>) -> tensor<2x6xi32>
  // CHECK-NOT: graph.dequantize
  %w = graph.weight @w : tensor<6x4xi8>
  %s = graph.constant dense<0.5> : tensor<f32>
  %none = graph.constant dense<0> : tensor<i8>
  %0 = graph.dequantize %x, %s, %none : (tensor<2x4xi8>, tensor<f32>, tensor<i8>) -> tensor<2x4xf32>
  %1 = graph.dequantize %w, %t, %none : (tensor<6x4xi8>, tensor<6x1xf32>, tensor<i8>) -> tensor<6x4xf32>
  %2 = graph.transpose %1 {permutation = array<i64: 1, 0>} : (tensor<6x4xf32>) -> tensor<4x6xf32>
  %3 = graph.matmul %0, %2 : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %3 : tensor<2x6xf32>
}

// -----

graph.parameter @w : tensor<4x6xi8> {file = "w", offset = 0 : i64}
/// Scales along the sum stay in it.
// CHECK-LABEL: @no_form_scales_along_the_sum
func.func @no_form_scales_along_the_sum(%x: tensor<2x4xi8>, %t: tensor<4x1xf32>) -> tensor<2x6xf32> {
  // CHECK: graph.matmul {{.*}} -> tensor<2x6xf32>
  %w = graph.weight @w : tensor<4x6xi8>
  %s = graph.constant dense<0.5> : tensor<f32>
  %none = graph.constant dense<0> : tensor<i8>
  %0 = graph.dequantize %x, %s, %none : (tensor<2x4xi8>, tensor<f32>, tensor<i8>) -> tensor<2x4xf32>
  %1 = graph.dequantize %w, %t, %none : (tensor<4x6xi8>, tensor<4x1xf32>, tensor<i8>) -> tensor<4x6xf32>
  %2 = graph.matmul %0, %1 : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  return %2 : tensor<2x6xf32>
}

// -----

/// A maximum of what is dequantized is one of integers, and quantizing by the same numbers undoes it.
// CHECK-LABEL: @maximum
func.func @maximum(%x: tensor<1x4x8x8xui8>) -> tensor<1x4x16xui8> {
  // CHECK: %[[MAX:.*]] = graph.pool max %{{.*}} : (tensor<1x4x8x8xui8>) -> tensor<1x4x4x4xui8>
  // CHECK: %[[FLAT:.*]] = graph.reshape %[[MAX]]
  // CHECK: return %[[FLAT]]
  %s = graph.constant dense<0.5> : tensor<f32>
  %z = graph.constant dense<7> : tensor<ui8>
  %0 = graph.dequantize %x, %s, %z : (tensor<1x4x8x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x4x8x8xf32>
  %1 = graph.pool max %0 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %2 = graph.reshape %1 to [1, 4, 16] : tensor<1x4x4x4xf32> -> tensor<1x4x16xf32>
  %3 = graph.div %2, %s : (tensor<1x4x16xf32>, tensor<f32>) -> tensor<1x4x16xf32>
  %4 = graph.quantize %3, %z : (tensor<1x4x16xf32>, tensor<ui8>) -> tensor<1x4x16xui8>
  return %4 : tensor<1x4x16xui8>
}

// -----

/// Another scale changes the values.
// CHECK-LABEL: @no_cancel
func.func @no_cancel(%x: tensor<4xui8>) -> tensor<4xui8> {
  // CHECK: graph.dequantize
  // CHECK: graph.div
  // CHECK: graph.quantize
  %s = graph.constant dense<0.5> : tensor<f32>
  %t = graph.constant dense<0.25> : tensor<f32>
  %z = graph.constant dense<7> : tensor<ui8>
  %0 = graph.dequantize %x, %s, %z : (tensor<4xui8>, tensor<f32>, tensor<ui8>) -> tensor<4xf32>
  %1 = graph.div %0, %t : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = graph.quantize %1, %z : (tensor<4xf32>, tensor<ui8>) -> tensor<4xui8>
  return %2 : tensor<4xui8>
}
