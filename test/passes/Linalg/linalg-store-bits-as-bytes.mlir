// RUN: mlc-opt %s --linalg-store-bits-as-bytes | FileCheck %s

#same = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// A mask with two readers, one of which sums.
// CHECK-LABEL: @mask
func.func @mask(%x: tensor<4x?xf32>, %n: index, %zero: f32) -> (tensor<4x?xf32>, tensor<4xf32>) {
  // CHECK: %[[INIT:.*]] = tensor.empty(%{{.*}}) : tensor<4x?xi8>
  // CHECK: %[[MASK:.*]] = linalg.generic {{.*}} outs(%[[INIT]] : tensor<4x?xi8>)
  // CHECK: %[[BIT:.*]] = arith.cmpf
  // CHECK: %[[BYTE:.*]] = arith.extui %[[BIT]] : i1 to i8
  // CHECK: linalg.yield %[[BYTE]] : i8
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[MASK]] : tensor<4x?xf32>, tensor<4x?xi8>)
  // CHECK: ^bb0(%{{.*}}: f32, %[[IN:.*]]: i8, %{{.*}}: f32):
  // CHECK: %[[SEEN:.*]] = arith.trunci %[[IN]] : i8 to i1
  // CHECK: arith.select %[[SEEN]]
  // CHECK: arith.trunci
  %bits = tensor.empty(%n) : tensor<4x?xi1>
  %init = tensor.empty(%n) : tensor<4x?xf32>
  %m = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x?xf32>) outs(%bits : tensor<4x?xi1>) {
  ^bb0(%in: f32, %out: i1):
    %0 = arith.cmpf ogt, %in, %zero : f32
    linalg.yield %0 : i1
  } -> tensor<4x?xi1>
  %y = linalg.generic {indexing_maps = [#same, #same, #same], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<4x?xf32>, tensor<4x?xi1>) outs(%init : tensor<4x?xf32>) {
  ^bb0(%in: f32, %keep: i1, %out: f32):
    %0 = arith.select %keep, %in, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<4x?xf32>
  %empty = tensor.empty() : tensor<4xf32>
  %sums = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#same, #row], iterator_types = ["parallel", "reduction"]} ins(%m : tensor<4x?xi1>) outs(%sums : tensor<4xf32>) {
  ^bb0(%keep: i1, %sum: f32):
    %0 = arith.uitofp %keep : i1 to f32
    %1 = arith.addf %sum, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %y, %s : tensor<4x?xf32>, tensor<4xf32>
}

/// A result of the function is what its type says.
// CHECK-LABEL: @no_bytes_for_a_result
func.func @no_bytes_for_a_result(%x: tensor<4x8xf32>, %zero: f32) -> tensor<4x8xi1> {
  // CHECK-NOT: i8
  %bits = tensor.empty() : tensor<4x8xi1>
  %m = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%bits : tensor<4x8xi1>) {
  ^bb0(%in: f32, %out: i1):
    %0 = arith.cmpf ogt, %in, %zero : f32
    linalg.yield %0 : i1
  } -> tensor<4x8xi1>
  return %m : tensor<4x8xi1>
}
