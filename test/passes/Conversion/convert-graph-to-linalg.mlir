// RUN: mlc-opt %s --convert-graph-to-linalg --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-DAG: #[[$SAME:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @broadcast
func.func @broadcast(%a: tensor<?x4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  // CHECK: linalg.generic {indexing_maps = [#[[$SAME]], #[[$ROW]], #[[$SAME]]], iterator_types = ["parallel", "parallel"]}
  // CHECK: arith.addf
  // CHECK-NOT: cf.assert
  %0 = graph.add %a, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

/// Two sizes that may differ are compared at run time.
// CHECK-LABEL: @broadcast_checked
func.func @broadcast_checked(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK: cf.assert %{{.*}}, "sizes cannot be broadcast together"
  %0 = graph.add %a, %b : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

/// Unsigned types lose their sign and keep their arithmetic.
// CHECK-LABEL: @unsigned
// CHECK-SAME: tensor<4xi8>
func.func @unsigned(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<4xui8> {
  // CHECK: arith.maxui
  %0 = graph.max %a, %b : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// -----

/// Halves are computed in f32.
// CHECK-LABEL: @half
func.func @half(%a: tensor<4xf16>) -> tensor<4xf16> {
  // CHECK: arith.extf %{{.*}} : f16 to f32
  // CHECK: math.exp %{{.*}} : f32
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  %0 = graph.exp %a : (tensor<4xf16>) -> tensor<4xf16>
  return %0 : tensor<4xf16>
}

// -----

// CHECK-LABEL: @matmul
func.func @matmul(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
  // CHECK: linalg.fill
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
  %0 = graph.matmul %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

/// Bytes are widened by their own signs and summed in 32 bits.
// CHECK-LABEL: @matmul_bytes
func.func @matmul_bytes(%a: tensor<2x3xui8>, %b: tensor<3x4xi8>) -> tensor<2x4xi32> {
  // CHECK: linalg.generic
  // CHECK: arith.extui %{{.*}} : i8 to i32
  // CHECK: arith.extsi %{{.*}} : i8 to i32
  // CHECK: arith.muli
  // CHECK: arith.addi
  %0 = graph.matmul %a, %b : (tensor<2x3xui8>, tensor<3x4xi8>) -> tensor<2x4xi32>
  return %0 : tensor<2x4xi32>
}

// -----

/// Quantization rounds halves to even and saturates; the difference of dequantization is one of 32 bits.
// CHECK-LABEL: @quantize
func.func @quantize(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<i8>) -> tensor<4xf32> {
  // CHECK: arith.sitofp %{{.*}} : i8 to f32
  // CHECK: math.roundeven
  // CHECK: arith.cmpf olt
  // CHECK: arith.cmpf ogt
  // CHECK: arith.fptosi %{{.*}} : f32 to i32
  // CHECK: arith.trunci %{{.*}} : i32 to i8
  %0 = graph.quantize %x, %z : (tensor<4xf32>, tensor<i8>) -> tensor<4xi8>
  // CHECK: arith.subi %{{.*}} : i32
  // CHECK: arith.mulf
  %1 = graph.dequantize %0, %s, %z : (tensor<4xi8>, tensor<f32>, tensor<i8>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

/// Indices are checked before the loop that uses them.
// CHECK-LABEL: @gather
func.func @gather(%a: tensor<9x4xf32>, %i: tensor<2xi64>) -> tensor<2x4xf32> {
  // CHECK: cf.assert %{{.*}}, "an index is out of range"
  // CHECK: linalg.generic
  %0 = graph.gather %a, %i {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @constant_not_dense() -> tensor<4xf32> {
  // expected-error @+2 {{cannot lower a constant that is not dense}}
  // expected-error @+1 {{failed to legalize operation 'graph.constant'}}
  %0 = graph.constant sparse<[[0]], [1.0]> : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

/// What is computed at compile time stays as it is; only the declared type loses its sign.
// CHECK: graph.parameter @u : tensor<4xi8>
// CHECK: graph.parameter @twice : tensor<4xi8> = {
// CHECK: graph.weight @u : tensor<4xui8>
// CHECK: graph.add {{.*}} -> tensor<4xui8>
graph.parameter @u : tensor<4xui8>
graph.parameter @twice : tensor<4xui8> = {
  %0 = graph.weight @u : tensor<4xui8>
  %1 = graph.add %0, %0 : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  graph.yield %1 : tensor<4xui8>
}
// CHECK-LABEL: @computed_weight
func.func @computed_weight() -> tensor<4xui8> {
  // CHECK: graph.weight @twice : tensor<4xi8>
  %0 = graph.weight @twice : tensor<4xui8>
  return %0 : tensor<4xui8>
}

// A slice that goes forward is a view, one of everything nothing, one that goes back or cuts lines into pieces a copy.
// CHECK-LABEL: @slices
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK: %[[V:.*]] = tensor.extract_slice %[[X]][0, 1] [4, 3] [2, 1]
// CHECK: %[[B:.*]] = linalg.generic
// CHECK: tensor.extract %[[X]]
// CHECK: %[[S:.*]] = linalg.generic
// CHECK: tensor.extract %[[X]]
// CHECK: return %[[V]], %[[X]], %[[B]], %[[S]]
func.func @slices(%x: tensor<?x8xf32>) -> (tensor<4x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  %0 = graph.slice %x offsets [0, 1] sizes [4, 3] steps [2, 1] : tensor<?x8xf32> -> tensor<4x3xf32>
  %1 = graph.slice %x offsets [0, 0] sizes [%d, 8] steps [1, 1] : tensor<?x8xf32> -> tensor<?x8xf32>
  %2 = graph.slice %x offsets [0, 7] sizes [%d, 8] steps [1, -1] : tensor<?x8xf32> -> tensor<?x8xf32>
  %3 = graph.slice %x offsets [0, 0] sizes [%d, 4] steps [1, 2] : tensor<?x8xf32> -> tensor<?x4xf32>
  return %0, %1, %2, %3 : tensor<4x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>
}

// Padding copies what lies inside as a whole; only the border is computed.
// CHECK-LABEL: @pads
// CHECK: linalg.fill
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 2] [4, 8] [1, 1]
// CHECK: %[[LOW:.*]] = linalg.generic {{.*}}
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0] [4, 2] [1, 1] : tensor<4x2xf32>
func.func @pads(%x: tensor<4x8xf32>) -> (tensor<4x10xf32>, tensor<4x10xf32>) {
  %zero = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.pad constant %x, %zero low [0, 2] high [0, 0] : tensor<4x8xf32>, tensor<f32> -> tensor<4x10xf32>
  %1 = graph.pad reflect %x low [0, 2] high [0, 0] : tensor<4x8xf32> -> tensor<4x10xf32>
  return %0, %1 : tensor<4x10xf32>, tensor<4x10xf32>
}

// -----

/// The state is written over the old one; slices and outputs are parts of what all steps have, from the end here.
// CHECK-LABEL: @scan
// CHECK-SAME: (%[[S:.*]]: tensor<4xf32>, %[[X:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<4xi8>)
func.func @scan(%s: tensor<4xf32>, %x: tensor<?x4xf32>, %w: tensor<4xui8>) -> (tensor<4xf32>, tensor<?x4xui8>) {
  // CHECK: %[[N:.*]] = tensor.dim %[[X]]
  // CHECK: %[[ALL:.*]] = tensor.empty(%[[N]]) : tensor<?x4xi8>
  // CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[N]] step %{{.*}} iter_args(%[[SUM:.*]] = %[[S]], %[[OUT:.*]] = %[[ALL]])
  // CHECK: %[[LAST:.*]] = arith.subi %[[N]]
  // CHECK: %[[AT:.*]] = arith.subi %[[LAST]], %[[I]]
  // CHECK: tensor.extract_slice %[[X]][%[[AT]], 0] [1, 4] [1, 1] : tensor<?x4xf32> to tensor<4xf32>
  // CHECK: %[[NEW:.*]] = linalg.generic
  // CHECK: %[[PLACED:.*]] = tensor.insert_slice %{{.*}} into %[[OUT]][%[[AT]], 0] [1, 4] [1, 1] : tensor<4xi8> into tensor<?x4xi8>
  // CHECK: %[[KEPT:.*]] = linalg.copy ins(%[[NEW]] : tensor<4xf32>) outs(%[[SUM]] : tensor<4xf32>)
  // CHECK: scf.yield %[[KEPT]], %[[PLACED]]
  %0:2 = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<?x4xf32>) captures(%w : tensor<4xui8>) reverse {
  ^bb0(%sum: tensor<4xf32>, %slice: tensor<4xf32>, %bytes: tensor<4xui8>):
    %1 = graph.add %sum, %slice : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %1, %bytes : tensor<4xf32>, tensor<4xui8>
  } -> tensor<4xf32>, tensor<?x4xui8>
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x4xui8>
}

// -----

func.func @scan_of_sizes_that_a_step_knows(%x: tensor<3x2xi1>, %y: tensor<?x?xf32>) -> tensor<3x?x?xf32> {
  // expected-error @+2 {{cannot be lowered because only a step knows the size of its output}}
  // expected-error @+1 {{failed to legalize operation 'graph.scan'}}
  %0 = graph.scan inputs(%x : tensor<3x2xi1>) captures(%y : tensor<?x?xf32>) {
  ^bb0(%mask: tensor<2xi1>, %all: tensor<?x?xf32>):
    %1 = graph.reduce_by_mask sum %all, %mask : (tensor<?x?xf32>, tensor<2xi1>) -> tensor<?x?xf32>
    graph.yield %1 : tensor<?x?xf32>
  } -> tensor<3x?x?xf32>
  return %0 : tensor<3x?x?xf32>
}

// -----

/// In a training program four images at a time pass through the steps, and what is left one by one.
// CHECK-LABEL: @winograd_blocks
// CHECK-SAME: %[[X:.*]]: tensor<?x11x11x64xf32>
func.func @winograd_blocks(%x: tensor<?x11x11x64xf32>, %w: tensor<64x32x3x3xf32>) -> tensor<?x13x13x32xf32> {
  // CHECK: %[[MOST:.*]] = scf.for %[[AT:.*]] = %{{.*}} to %[[WHOLE:.*]] step %{{.*}} iter_args(%[[ALL:.*]] = %{{.*}})
  // CHECK: tensor.extract_slice %[[X]][%[[AT]], 0, 0, 0] [4, 11, 11, 64]
  // CHECK: tensor.insert_slice %{{.*}} into %[[ALL]][%[[AT]], 0, 0, 0] [4, 13, 13, 32]
  // CHECK: scf.for %[[LAST:.*]] = %[[WHOLE]] to %{{.*}} iter_args(%[[REST:.*]] = %[[MOST]])
  // CHECK: tensor.extract_slice %[[X]][%[[LAST]], 0, 0, 0] [1, 11, 11, 64]
  // CHECK: tensor.insert_slice %{{.*}} into %[[REST]][%[[LAST]], 0, 0, 0] [1, 13, 13, 32]
  %u = graph.winograd_filter %w {turned} : tensor<64x32x3x3xf32> -> tensor<6x6x64x32xf32>
  %0 = graph.winograd_conv %x, %u {pads = array<i64: 2, 2, 2, 2>} : (tensor<?x11x11x64xf32>, tensor<6x6x64x32xf32>) -> tensor<?x13x13x32xf32>
  return %0 : tensor<?x13x13x32xf32>
}

// -----

/// Of a known batch, what is left is one block. The gradient of the filter reads the same tiles of the input, so they are
/// made once, for all images.
// CHECK-LABEL: @winograd_blocks_of_kept_tiles
func.func @winograd_blocks_of_kept_tiles(%x: tensor<21x13x13x32xf32>, %w: tensor<64x32x3x3xf32>, %dy: tensor<21x11x11x64xf32>) -> (tensor<21x11x11x64xf32>, tensor<64x32x3x3xf32>) {
  // CHECK: scf.for %[[AT:.*]] = {{.*}} iter_args(%[[ALL:.*]] =
  // CHECK: tensor.extract_slice %{{.*}}[0, 0, %{{.*}}, 0] [6, 6, 81, 32] [1, 1, 1, 1] : tensor<6x6x189x32xf32>
  // CHECK: tensor.insert_slice %{{.*}} into %[[ALL]][%[[AT]], 0, 0, 0] [9, 11, 11, 64]
  // CHECK-NOT: scf.for
  // CHECK: tensor.insert_slice %{{.*}} [3, 11, 11, 64]
  %u = graph.winograd_filter %w : tensor<64x32x3x3xf32> -> tensor<6x6x32x64xf32>
  %0 = graph.winograd_conv %x, %u {pads = array<i64: 0, 0, 0, 0>} : (tensor<21x13x13x32xf32>, tensor<6x6x32x64xf32>) -> tensor<21x11x11x64xf32>
  %1 = graph.winograd_filter_gradient %x, %dy {pads = array<i64: 0, 0, 0, 0>} : (tensor<21x13x13x32xf32>, tensor<21x11x11x64xf32>) -> tensor<64x32x3x3xf32>
  return %0, %1 : tensor<21x11x11x64xf32>, tensor<64x32x3x3xf32>
}

// -----

/// A model that does not train runs its batches on many threads, all images at a time.
// CHECK-LABEL: @no_winograd_blocks_of_weight
func.func @no_winograd_blocks_of_weight(%x: tensor<?x11x11x64xf32>, %u: tensor<6x6x64x32xf32>) -> tensor<?x13x13x32xf32> {
  // CHECK-NOT: scf.for
  %0 = graph.winograd_conv %x, %u {pads = array<i64: 2, 2, 2, 2>} : (tensor<?x11x11x64xf32>, tensor<6x6x64x32xf32>) -> tensor<?x13x13x32xf32>
  return %0 : tensor<?x13x13x32xf32>
}

// -----

/// A filter that would be read from beyond the second cache for each block.
// CHECK-LABEL: @no_winograd_blocks_of_large_filter
func.func @no_winograd_blocks_of_large_filter(%x: tensor<?x8x8x128xf32>, %w: tensor<128x128x3x3xf32>) -> tensor<?x8x8x128xf32> {
  // CHECK-NOT: scf.for
  %u = graph.winograd_filter %w : tensor<128x128x3x3xf32> -> tensor<6x6x128x128xf32>
  %0 = graph.winograd_conv %x, %u {pads = array<i64: 1, 1, 1, 1>} : (tensor<?x8x8x128xf32>, tensor<6x6x128x128xf32>) -> tensor<?x8x8x128xf32>
  return %0 : tensor<?x8x8x128xf32>
}

// -----

// CHECK-DAG: #[[$FIRST:.*]] = affine_map<(d0, d1, d2) -> (d0, d1 * 2, d2)>
// CHECK-DAG: #[[$SECOND:.*]] = affine_map<(d0, d1, d2) -> (d0, d1 * 2 + 1, d2)>
// CHECK-DAG: #[[$PLACE:.*]] = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
/// Windows of few taps: one element-wise loop reads them all.
// CHECK-LABEL: @pool_of_few_taps
// CHECK-SAME: %[[X:.*]]: tensor<?x8x16xf32>
func.func @pool_of_few_taps(%x: tensor<?x8x16xf32>) -> tensor<?x4x16xf32> {
  // CHECK: linalg.generic {indexing_maps = [#[[$FIRST]], #[[$SECOND]], #[[$PLACE]]], iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[X]], %[[X]] :
  // CHECK: arith.maximumf
  %0 = graph.pool max %x {kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, channels_last} : (tensor<?x8x16xf32>) -> tensor<?x4x16xf32>
  return %0 : tensor<?x4x16xf32>
}

// -----

/// The first tap that is the maximum is found in one loop, too.
// CHECK-LABEL: @pool_gradient_of_few_taps
// CHECK-SAME: %[[X:.*]]: tensor<?x8x16xf32>, %[[DY:.*]]: tensor<?x4x16xf32>, %[[Y:.*]]: tensor<?x4x16xf32>
func.func @pool_gradient_of_few_taps(%x: tensor<?x8x16xf32>, %dy: tensor<?x4x16xf32>, %y: tensor<?x4x16xf32>) -> tensor<?x8x16xf32> {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[X]], %[[X]], %[[Y]] :
  // CHECK-COUNT-2: arith.cmpf oeq
  %0 = graph.pool_gradient max %x, %dy, %y {kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, channels_last} : (tensor<?x8x16xf32>, tensor<?x4x16xf32>, tensor<?x4x16xf32>) -> tensor<?x8x16xf32>
  return %0 : tensor<?x8x16xf32>
}

// -----

/// Many taps: a loop over them.
// CHECK-LABEL: @pool_of_many_taps
func.func @pool_of_many_taps(%x: tensor<?x40x16xf32>) -> tensor<?x4x16xf32> {
  // CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
  %0 = graph.pool max %x {kernel = array<i64: 10>, strides = array<i64: 10>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, channels_last} : (tensor<?x40x16xf32>) -> tensor<?x4x16xf32>
  return %0 : tensor<?x4x16xf32>
}

// -----

/// Windows that move by one element: a loop over the taps, too.
// CHECK-LABEL: @pool_of_overlapping_windows
func.func @pool_of_overlapping_windows(%x: tensor<?x8x16xf32>) -> tensor<?x7x16xf32> {
  // CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
  %0 = graph.pool max %x {kernel = array<i64: 2>, strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, channels_last} : (tensor<?x8x16xf32>) -> tensor<?x7x16xf32>
  return %0 : tensor<?x7x16xf32>
}
