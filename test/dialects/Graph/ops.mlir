// RUN: mlc-opt %s | mlc-opt | FileCheck %s

graph.parameter @w : tensor<3x4xf32> {file = "model.onnx", offset = 64 : i64}
// CHECK: graph.parameter @w : tensor<3x4xf32>
graph.parameter @t : tensor<4x3xf32> = {
  %0 = graph.weight @w : tensor<3x4xf32>
  %1 = graph.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<3x4xf32>) -> tensor<4x3xf32>
  graph.yield %1 : tensor<4x3xf32>
}
// CHECK: graph.parameter @t : tensor<4x3xf32> = {
// CHECK: graph.yield %{{.*}} : tensor<4x3xf32>

// CHECK-LABEL: @sources
func.func @sources(%n: index) -> (tensor<3x4xf32>, tensor<2xi64>, tensor<?x4xi64>) {
  // CHECK: graph.weight @w : tensor<3x4xf32>
  %0 = graph.weight @w : tensor<3x4xf32>
  // CHECK: graph.constant dense<[1, 2]> : tensor<2xi64>
  %1 = graph.constant dense<[1, 2]> : tensor<2xi64>
  // CHECK: graph.iota axis = 0 sizes [%{{.*}}, 4] of i64 : tensor<?x4xi64>
  %2 = graph.iota axis = 0 sizes [%n, 4] of i64 : tensor<?x4xi64>
  return %0, %1, %2 : tensor<3x4xf32>, tensor<2xi64>, tensor<?x4xi64>
}

// CHECK-LABEL: @elementwise
func.func @elementwise(%a: tensor<?x4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  // CHECK: graph.add %{{.*}}, %{{.*}} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %0 = graph.add %a, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  // CHECK: graph.compare lt
  %1 = graph.compare lt %0, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xi1>
  // CHECK: graph.select
  %2 = graph.select %1, %0, %b : (tensor<?x4xi1>, tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// CHECK-LABEL: @quantized
func.func @quantized(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<ui8>, %w: tensor<4x3xi8>) -> (tensor<2x3xi32>, tensor<2x4xf32>) {
  // CHECK: graph.quantize %{{.*}}, %{{.*}} : (tensor<2x4xf32>, tensor<ui8>) -> tensor<2x4xui8>
  %0 = graph.quantize %x, %z : (tensor<2x4xf32>, tensor<ui8>) -> tensor<2x4xui8>
  // CHECK: graph.matmul %{{.*}}, %{{.*}} : (tensor<2x4xui8>, tensor<4x3xi8>) -> tensor<2x3xi32>
  %1 = graph.matmul %0, %w : (tensor<2x4xui8>, tensor<4x3xi8>) -> tensor<2x3xi32>
  // CHECK: graph.dequantize %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
  %2 = graph.dequantize %0, %s, %z : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
  return %1, %2 : tensor<2x3xi32>, tensor<2x4xf32>
}

// CHECK-LABEL: @movement
func.func @movement(%a: tensor<?x2x2xf32>, %n: index, %v: tensor<f32>) -> tensor<?xf32> {
  // CHECK: graph.reshape %{{.*}} to [%{{.*}}, 4] : tensor<?x2x2xf32> -> tensor<?x4xf32>
  %0 = graph.reshape %a to [%n, 4] : tensor<?x2x2xf32> -> tensor<?x4xf32>
  // CHECK: graph.transpose %{{.*}} {permutation = array<i64: 1, 0>}
  %1 = graph.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<?x4xf32>) -> tensor<4x?xf32>
  // CHECK: graph.slice %{{.*}} offsets [0, 0] sizes [1, %{{.*}}] steps [1, 1]
  %2 = graph.slice %1 offsets [0, 0] sizes [1, %n] steps [1, 1] : tensor<4x?xf32> -> tensor<1x?xf32>
  %3 = graph.reshape %2 to [%n] : tensor<1x?xf32> -> tensor<?xf32>
  // CHECK: graph.pad constant %{{.*}}, %{{.*}} low [1] high [0]
  %4 = graph.pad constant %3, %v low [1] high [0] : tensor<?xf32>, tensor<f32> -> tensor<?xf32>
  return %4 : tensor<?xf32>
}

// CHECK-LABEL: @contractions
func.func @contractions(%x: tensor<1x4x8x8xf32>, %f: tensor<6x2x3x3xf32>) -> tensor<1x6x8x8xf32> {
  // CHECK: graph.conv
  %0 = graph.conv %x, %f {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 2 : i64}
    : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x8x8xf32>
  return %0 : tensor<1x6x8x8xf32>
}

// CHECK-LABEL: @reductions
func.func @reductions(%x: tensor<2x3xf32>) -> tensor<2x1xf32> {
  // CHECK: graph.softmax %{{.*}} {axis = 1 : i64}
  %0 = graph.softmax %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: graph.reduce sum %{{.*}} {axes = array<i64: 1>, keep_dims}
  %1 = graph.reduce sum %0 {axes = array<i64: 1>, keep_dims} : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return %1 : tensor<2x1xf32>
}

// CHECK-LABEL: @winograd
func.func @winograd(%x: tensor<?x8x8x16xf32>, %w: tensor<32x16x3x3xf32>) -> tensor<32x16x3x3xf32> {
  // CHECK: graph.winograd_filter %{{.*}} : tensor<32x16x3x3xf32> -> tensor<6x6x16x32xf32>
  %u = graph.winograd_filter %w : tensor<32x16x3x3xf32> -> tensor<6x6x16x32xf32>
  // CHECK: graph.winograd_conv
  %y = graph.winograd_conv %x, %u {pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x8x16xf32>, tensor<6x6x16x32xf32>) -> tensor<?x8x8x32xf32>
  // CHECK: graph.winograd_filter_gradient
  %g = graph.winograd_filter_gradient %x, %y {pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x8x16xf32>, tensor<?x8x8x32xf32>) -> tensor<32x16x3x3xf32>
  return %g : tensor<32x16x3x3xf32>
}

// CHECK-LABEL: @gradients
func.func @gradients(%x: tensor<1x4x8x8xf32>, %g: tensor<1x6x8x8xf32>, %y: tensor<1x4x4x4xf32>) -> (tensor<6x2x3x3xf32>, tensor<1x4x8x8xf32>) {
  // CHECK: graph.conv_filter_gradient
  %0 = graph.conv_filter_gradient %x, %g {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<1x6x8x8xf32>) -> tensor<6x2x3x3xf32>
  // CHECK: graph.pool_gradient max
  %1 = graph.pool_gradient max %x, %y, %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>}
    : (tensor<1x4x8x8xf32>, tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x4x8x8xf32>
  return %0, %1 : tensor<6x2x3x3xf32>, tensor<1x4x8x8xf32>
}

// CHECK-LABEL: @scan
func.func @scan(%s: tensor<4xf32>, %x: tensor<?x4xf32>, %w: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<?x?x4xf32>) {
  // CHECK: graph.scan inits(%{{.*}} : tensor<4xf32>) inputs(%{{.*}} : tensor<?x4xf32>) captures(%{{.*}}, %{{.*}} : tensor<4xf32>, index) reverse {
  // CHECK: graph.yield %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<?x4xf32>
  // CHECK: } -> tensor<4xf32>, tensor<?x?x4xf32>
  %last, %all = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<?x4xf32>) captures(%w, %n : tensor<4xf32>, index) reverse {
  ^bb0(%sum: tensor<4xf32>, %slice: tensor<4xf32>, %weight: tensor<4xf32>, %size: index):
    %0 = graph.mul %slice, %weight : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %1 = graph.add %sum, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %2 = graph.expand %1 to [%size, 4] : tensor<4xf32> -> tensor<?x4xf32>
    graph.yield %1, %2 : tensor<4xf32>, tensor<?x4xf32>
  } -> tensor<4xf32>, tensor<?x?x4xf32>
  return %last, %all : tensor<4xf32>, tensor<?x?x4xf32>
}

// CHECK-LABEL: @scan_without_state
func.func @scan_without_state(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // CHECK: graph.scan inputs(%{{.*}} : tensor<3x4xf32>) {
  %0 = graph.scan inputs(%x : tensor<3x4xf32>) {
  ^bb0(%slice: tensor<4xf32>):
    %1 = graph.exp %slice : (tensor<4xf32>) -> tensor<4xf32>
    graph.yield %1 : tensor<4xf32>
  } -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}
