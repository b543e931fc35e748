// RUN: mlc-opt %s | mlc-opt | FileCheck %s

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#out = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @contract
func.func @contract(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<16xf32>, %i: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<8x16xf32>) extras(%{{.*}} : tensor<16xf32>) outs(%{{.*}} : tensor<4x16xf32>)
  // CHECK-SAME: parallel 2 sizes [4, 16, 8]
  // CHECK: kernel.yield %{{.*}} : f32
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) extras(%c : tensor<16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #bias, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32, %bias: f32):
    %1 = arith.addf %sum, %bias : f32
    kernel.yield %1 : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

/// On memory, with a tile and a packed operand.
// CHECK-LABEL: @on_memory
func.func @on_memory(%a: memref<4x8xf32>, %b: memref<1x8x16xf32>, %i: memref<4x16xf32>) {
  // CHECK: tile [4, 1] packed
  kernel.contract ins(%a, %b : memref<4x8xf32>, memref<1x8x16xf32>) outs(%i : memref<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] tile [4, 1] packed {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

/// A lower triangular lhs, with the diagonal above the main one.
// CHECK-LABEL: @triangular
func.func @triangular(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // CHECK: sizes [4, 16, 8] triangle [0, 2, 1] {
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] triangle [0, 2, 1] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i, j) -> (i, j)>

/// A result of elements and one of rows.
// CHECK-LABEL: @rows
func.func @rows(%x: tensor<4x?xf32>, %i: tensor<4x?xf32>, %m: tensor<4xf32>) -> (tensor<4x?xf32>, tensor<4xf32>) {
  // CHECK: kernel.rows ins(%{{.*}} : tensor<4x?xf32>) outs(%{{.*}}, %{{.*}} : tensor<4x?xf32>, tensor<4xf32>)
  // CHECK-SAME: rows 1 sizes [4, -9223372036854775808]
  // CHECK: kernel.reduce <maximumf> %{{.*}} : f32
  // CHECK: kernel.yield %{{.*}}, %{{.*}} : f32, f32
  %0:2 = kernel.rows ins(%x : tensor<4x?xf32>) outs(%i, %m : tensor<4x?xf32>, tensor<4xf32>)
    maps [#all, #all, #row] rows 1 sizes [4, -9223372036854775808] {
  ^bb0(%e: f32):
    %max = kernel.reduce <maximumf> %e : f32
    %1 = arith.subf %e, %max : f32
    kernel.yield %1, %max : f32, f32
  } -> tensor<4x?xf32>, tensor<4xf32>
  return %0#0, %0#1 : tensor<4x?xf32>, tensor<4xf32>
}

// CHECK-LABEL: @triangular_rows
func.func @triangular_rows(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK: rows 1 sizes [4, 8] triangle [0, 1, -1] {
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) maps [#all, #all] rows 1 sizes [4, 8] triangle [0, 1, -1] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// CHECK-LABEL: @pack
func.func @pack(%b: tensor<9x20xi8>, %i: tensor<2x3x16x4xi8>) -> tensor<2x3x16x4xi8> {
  // CHECK: kernel.pack ins(%{{.*}} : tensor<9x20xi8>) outs(%{{.*}} : tensor<2x3x16x4xi8>) map #{{.*}} sizes [8, 20, 9] outer [] vector 1 inner [] granules 2 -> tensor<2x3x16x4xi8>
  %0 = kernel.pack ins(%b : tensor<9x20xi8>) outs(%i : tensor<2x3x16x4xi8>) map #rhs sizes [8, 20, 9] outer [] vector 1 inner [] granules 2 -> tensor<2x3x16x4xi8>
  return %0 : tensor<2x3x16x4xi8>
}

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#mask = affine_map<(b, i, e, j, d) -> (i, j)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x5xf32>, %m: tensor<9x7xf32>, %i: tensor<2x9x5xf32>) -> tensor<2x9x5xf32> {
  // CHECK: kernel.attention ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x5xf32>) extras(%{{.*}} : tensor<9x7xf32>)
  // CHECK-SAME: query 1 sizes [2, 9, 5, 7, 4]
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x5xf32>) extras(%m : tensor<9x7xf32>)
    outs(%i : tensor<2x9x5xf32>) maps [#query, #key, #value, #mask, #result] query 1 sizes [2, 9, 5, 7, 4] {
  ^bb0(%score: f32, %mask: f32):
    %1 = arith.addf %score, %mask : f32
    kernel.yield %1 : f32
  } -> tensor<2x9x5xf32>
  return %0 : tensor<2x9x5xf32>
}
