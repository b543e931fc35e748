// RUN: mlc-opt %s --linalg-interchange-loops | FileCheck %s


#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
// CHECK-LABEL: @matmul
func.func @matmul(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %z: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // CHECK: iterator_types = ["parallel", "reduction", "parallel"]
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %1 = arith.mulf %l, %r : f32
    %2 = arith.addf %acc, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

#in = affine_map<(i, j) -> (i, j)>
#out = affine_map<(i, j) -> (i)>
/// The result's only loop is not contiguous in the input, but it is in the result: small ones stay outside.
// CHECK-LABEL: @no_interchange_small
func.func @no_interchange_small(%x: tensor<2x16xf32>, %z: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: iterator_types = ["parallel", "reduction"]
  %0 = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<2x16xf32>) outs(%z : tensor<2xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %1 = arith.addf %acc, %l : f32
    linalg.yield %1 : f32
  } -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

#whole = affine_map<(i, j) -> (i, j)>
#rows = affine_map<(i, j) -> (i)>
/// A sum along the rows of a matrix is read in order as it is.
// CHECK-LABEL: @no_interchange_row_sum
func.func @no_interchange_row_sum(%x: tensor<8x16xf32>, %z: tensor<8xf32>) -> tensor<8xf32> {
  // CHECK: iterator_types = ["parallel", "reduction"]
  %0 = linalg.generic {indexing_maps = [#whole, #rows], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<8x16xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %s = arith.addf %acc, %l : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
