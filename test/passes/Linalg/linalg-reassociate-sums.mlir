// RUN: mlc-opt %s --linalg-reassociate-sums | FileCheck %s

#a = affine_map<(i, j) -> (i, j)>
#c = affine_map<(i, j) -> (i)>
#d = affine_map<(i, j) -> (j)>

/// Only the sum is relaxed, not what it adds up.
// CHECK-LABEL: @row_sum
func.func @row_sum(%x: tensor<8x16xf32>, %z: tensor<8xf32>) -> tensor<8xf32> {
  // CHECK: arith.addf %{{.*}}, %{{.*}} : f32
  // CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc> : f32
  %0 = linalg.generic {indexing_maps = [#a, #c], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x16xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %t = arith.addf %l, %l : f32
    %s = arith.addf %acc, %t : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

/// A parallel loop inside vectorises without.
// CHECK-LABEL: @no_relax_column_sum
func.func @no_relax_column_sum(%x: tensor<8x16xf32>, %z: tensor<16xf32>) -> tensor<16xf32> {
  // CHECK-NOT: fastmath
  // CHECK: return
  %0 = linalg.generic {indexing_maps = [#a, #d], iterator_types = ["reduction", "parallel"]}
    ins(%x : tensor<8x16xf32>) outs(%z : tensor<16xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %s = arith.addf %acc, %l : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  return %0 : tensor<16xf32>
}
