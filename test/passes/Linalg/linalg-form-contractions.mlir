// RUN: mlc-opt %s --linalg-form-contractions | FileCheck %s

#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#swap = affine_map<(i, j) -> (j, i)>

/// A matrix product with a bias and an activation behind it is one op.
// CHECK-LABEL: @matmul_bias_relu
func.func @matmul_bias_relu(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %v: tensor<32xf32>) -> tensor<8x32xf32> {
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<8x16xf32>, tensor<16x32xf32>) extras(%{{.*}} : tensor<32xf32>)
  // CHECK-SAME: parallel 2 sizes [8, 32, 16]
  // CHECK: arith.addf
  // CHECK: arith.maximumf
  // CHECK: kernel.yield
  // CHECK-NOT: linalg.generic
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %v : tensor<8x32xf32>, tensor<32xf32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<8x32xf32>
  return %1 : tensor<8x32xf32>
}

/// A transposition of lhs becomes a map: nothing moves.

// CHECK-LABEL: @transposed_lhs
func.func @transposed_lhs(%x: tensor<16x8xf32>, %y: tensor<16x32xf32>) -> tensor<8x32xf32> {
  // CHECK-NOT: linalg.generic
  // CHECK: kernel.contract ins(%{{.*}} : tensor<16x8xf32>, tensor<16x32xf32>)
  %zero = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<8x16xf32>
  %moved = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<16x8xf32>) outs(%t : tensor<8x16xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  } -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%moved, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

/// A sum that does not start at zero stays.
// CHECK-LABEL: @no_form_accumulates
func.func @no_form_accumulates(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %z: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // CHECK-NOT: kernel.contract
  // CHECK: linalg.generic
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}
