// RUN: mlc-opt %s --vector-choose-tiles | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: mlc-opt %s --vector-choose-tiles="vector-bits=256 vector-registers=16" | FileCheck %s --check-prefixes=CHECK,NARROW

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#turned = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>

// WIDE: graph.parameter @w.packed : tensor<{{[0-9]+}}x768x{{[0-9]+}}xf32> {kernel.pack = {inner = array<i64: 2>
// NARROW: graph.parameter @w.packed : tensor<{{[0-9]+}}x768x{{[0-9]+}}xf32>
graph.parameter @w : tensor<768x768xf32> {file = "w", offset = 0 : i64}

/// A weight is packed into panels of the tile's width.
// CHECK-LABEL: @weight
func.func @weight(%a: tensor<128x768xf32>, %i: tensor<128x768xf32>) -> tensor<128x768xf32> {
  %w = graph.weight @w : tensor<768x768xf32>
  // CHECK: %[[P:.*]] = graph.weight @w.packed
  // CHECK: kernel.contract ins(%{{.*}}, %[[P]]
  // CHECK-SAME: packed
  %0 = kernel.contract ins(%a, %w : tensor<128x768xf32>, tensor<768x768xf32>) outs(%i : tensor<128x768xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [128, 768, 768] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<128x768xf32>
  return %0 : tensor<128x768xf32>
}

/// A row alone takes wide panels, which stream.
// CHECK-LABEL: @row
func.func @row(%a: tensor<1x64xf32>, %b: tensor<64x512xf32>, %i: tensor<1x512xf32>) -> tensor<1x512xf32> {
  // WIDE: tile [1, 8]
  // NARROW: tile [1, 7]
  // CHECK-NOT: packed
  %0 = kernel.contract ins(%a, %b : tensor<1x64xf32>, tensor<64x512xf32>) outs(%i : tensor<1x512xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [1, 512, 64] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x512xf32>
  return %0 : tensor<1x512xf32>
}

/// What is not contiguous along the vectorised loop, and not a weight, is copied.
// CHECK-LABEL: @turned
func.func @turned(%a: tensor<8x64xf32>, %b: tensor<512x64xf32>, %i: tensor<8x512xf32>) -> tensor<8x512xf32> {
  // CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<512x64xf32>) outs(%{{.*}} : tensor<64x512xf32>)
  // CHECK: kernel.contract ins(%{{.*}}, %[[C]]
  %0 = kernel.contract ins(%a, %b : tensor<8x64xf32>, tensor<512x64xf32>) outs(%i : tensor<8x512xf32>)
    maps [#lhs, #turned, #out] parallel 2 sizes [8, 512, 64] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<8x512xf32>
  return %0 : tensor<8x512xf32>
}

#filter = affine_map<(n, f, y, x, c) -> (f, c)>
#image = affine_map<(n, f, y, x, c) -> (n, c, y, x)>
#result = affine_map<(n, f, y, x, c) -> (n, f, y, x)>

/// Lines of seven pixels lie side by side: tiles take vectors of all 49.
// CHECK-LABEL: @joined_columns
func.func @joined_columns(%w: tensor<64x32xf32>, %x: tensor<1x32x7x7xf32>, %i: tensor<1x64x7x7xf32>) -> tensor<1x64x7x7xf32> {
  // WIDE: tile [{{[0-9]+}}, 4]
  %0 = kernel.contract ins(%w, %x : tensor<64x32xf32>, tensor<1x32x7x7xf32>) outs(%i : tensor<1x64x7x7xf32>)
    maps [#filter, #image, #result] parallel 4 sizes [1, 64, 7, 7, 32] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x64x7x7xf32>
  return %0 : tensor<1x64x7x7xf32>
}
